"""The command line as its callers see it: exit status, output, and what is left in the directory."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from labctl.cli import main
from labctl.lab import lock, records, registry
from labctl.lifecycle import instances, up

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.context import LabContext


@pytest.fixture
def labctl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run labctl where no container engine and no Vagrant can be found: status, output and errors."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("labctl.providers.host_networks.of_host", list)
    monkeypatch.delenv("LABCTL_DIR", raising=False)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["labctl", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


def test_exit_status_of_the_process(paths: LabPaths) -> None:
    paths.lab_yaml.write_text("computes: 0\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", "from labctl.cli.main import main; main()", "-C", str(paths.directory), "describe"],
        env={"PATH": "/nowhere"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"labctl: {paths.lab_yaml}: 1 mistake, nothing was changed\n")


@pytest.mark.parametrize("verb", [["describe", "--json"], ["up"], ["destroy"]])
def test_bad_lab_yaml(labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, verb: list[str]) -> None:
    paths.lab_yaml.write_text("computes: 0\nsecrets: {keystone_admin: [hunter2]}\n", encoding="utf-8")
    status, output, errors = labctl("-C", paths.directory, *verb)
    assert (status, output) == (2, "")
    assert errors.splitlines()[0] == f"labctl: {paths.lab_yaml}: 2 mistakes, nothing was changed"
    assert "line 1, computes.count: found 0, expected a whole number from 1 to 100" in errors
    assert "hunter2" not in errors
    assert list(paths.directory.iterdir()) == [paths.lab_yaml]


def test_a_lab_that_is_another_one_now(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.make_state()
    (paths.state / "made.json").write_text('{"release": "2022.2", "nodes": ["compute9"]}', encoding="utf-8")
    monkeypatch.setenv("LABCTL_DIR", str(paths.directory))
    status, output, errors = labctl("up")
    assert (status, output) == (2, "")
    assert "  release was 2022.2, now 2025.1: " in errors
    assert "  computes was 3, now 2: " in errors
    assert lock.holder(paths) is None


@pytest.mark.parametrize("verb", [["plan"], ["up", "--dry-run"]])
def test_a_plan(labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, verb: list[str]) -> None:
    """Nothing is changed, whether it can be done or not."""
    status, output, errors = labctl("-C", paths.directory, *verb)
    assert (status, errors, list(paths.directory.iterdir())) == (0, "", [])
    assert output.splitlines()[:2] == [
        "+ network novalab-lab: 192.168.56.0/24",
        "+ node controller: 192.168.56.11, installed",
    ]
    said = json.loads(labctl("-C", paths.directory, *verb, "--json")[1])
    assert [change["action"] for change in said["changes"]] == ["create"] * 4
    paths.make_state()
    (paths.state / "made.json").write_text('{"release": "2022.2", "nodes": ["controller"]}', encoding="utf-8")
    status, output, errors = labctl("-C", paths.directory, *verb, "--json")
    assert (status, [refusal["key"] for refusal in json.loads(output)["refused"]]) == (2, ["release"])
    assert "nothing was changed" in errors


def test_describe(labctl: Callable[..., tuple[int, str, str]], paths: LabPaths) -> None:
    paths.lab_yaml.write_text(
        "name: zed\nrelease: zed\nprovider: libvirt\ncomputes: 1\nsecrets: {keystone_admin: hunter2}\n",
        encoding="utf-8",
    )
    status, output, errors = labctl("-C", paths.directory, "describe", "--json")
    assert (status, errors) == (0, "")
    assert "hunter2" not in output
    said = json.loads(output)
    assert (said["name"], said["release"], said["provider"]) == ("zed", "2022.2", "libvirt")
    assert (said["box"], said["engine"], said["environment"]) == ("debian/bookworm64", None, {})
    assert (said["network"], said["netmask"]) == ("192.168.56.0/24", "255.255.255.0")
    assert (said["directory"], said["network_name"]) == (str(paths.directory), "novalab-zed")
    assert said["nodes"][1] == {
        "name": "compute1",
        "group": "compute_nodes",
        "address": "192.168.56.21",
        "cpus": 2,
        "memory": 2048,
        "container": "novalab-zed-compute1",
        "image": "none",
        "create_args": [],
        "ssh": None,
    }


@pytest.mark.parametrize(("text", "url"), [("", None), ("dashboard: true\n", "http://192.168.56.11/")])
def test_describe_the_dashboard(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, text: str, url: str | None
) -> None:
    paths.lab_yaml.write_text(f"provider: libvirt\n{text}", encoding="utf-8")
    said = json.loads(labctl("-C", paths.directory, "describe", "--json")[1])
    assert (said["dashboard"], said["dashboard_url"]) == (url is not None, url)
    lines = labctl("-C", paths.directory, "describe")[1].splitlines()
    assert [line.split()[1] for line in lines if line.startswith("dashboard_url:")] == ([url] if url else [])


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["-C", "/does/not/exist", "status"], 2, "labctl: /does/not/exist is not a directory"),
        (
            ["ssh", "compute7"],
            2,
            "labctl: There is no node 'compute7' in lab lab\nNodes: controller, compute1, compute2",
        ),
        (["status", "5"], 2, "5 is for --watch"),
        (
            ["logs", "nove"],
            2,
            "There is no node or service 'nove' in lab lab\nNodes: controller, compute1, compute2\nServices: ",
        ),
        (["logs"], 1, "No node can be asked for its logs: controller is not created"),
        (["verify"], 1, "Run `labctl up`."),
        (["image", "ensure", "--release", "yoga"], 2, "no release 'yoga'\nReleases: 2025.1 (epoxy), 2022.2 (zed)"),
        (["demo"], 1, "There is no lab in"),
        (["explain", "demo-compute1"], 1, "Run `labctl up`."),
        (["console", "demo-compute1"], 1, "Run `labctl up`."),
        (["console", "demo-compute1", "--lines", "3"], 2, "--lines is for --log"),
        (["-C", ".", "--lab", "x", "status"], 2, "Both -C and --lab say which lab"),
        (["--lab", "x", "status"], 2, "There is no lab 'x' on this machine"),
        (["pause"], 2, "does not run: controller is not created"),
        (["resume"], 2, "does not run: controller is not created"),
        (["snapshot", "save", "A b"], 2, "'A b' is no name for a snapshot"),
        (["snapshot", "save", "one"], 2, "does not run: controller is not created"),
        (["snapshot", "restore", "one"], 2, "There is no snapshot 'one'"),
        (["snapshot", "delete", "one"], 2, "There is no snapshot 'one'"),
        (["up", "--from", "/nowhere/file"], 2, "/nowhere/file is no archive of a lab"),
        (["up", "--from", "/nowhere/file", "--evict"], 2, "--from makes a new lab"),
        (["up", "--from", "/nowhere/file", "--full"], 2, "--from makes a new lab"),
        (["export-lab", "/nowhere/file"], 2, "its directory is not there"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
    ],
)
def test_refusals(
    labctl: Callable[..., tuple[int, str, str]],
    paths: LabPaths,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    said: str,
) -> None:
    monkeypatch.setenv("LABCTL_DIR", str(paths.directory))
    found, output, errors = labctl(*arguments)
    assert (found, output) == (status, "")
    assert said in errors


def test_image_prints_its_name_and_nothing_else(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def image(context: LabContext, kind: str) -> str:
        with context.progress.step("Some image"):
            return f"{kind}-of-{context.lab.release}"

    monkeypatch.setattr(up, "make_image", image)
    status, output, errors = labctl("-C", paths.directory, "image", "ensure", "--kind", "compute", "--release", "ZED")
    assert (status, output) == (0, "compute-of-2022.2\n")
    assert "Some image: done in" in errors


def test_status_without_a_lab(labctl: Callable[..., tuple[int, str, str]], paths: LabPaths) -> None:
    status, output, _ = labctl("-C", paths.directory, "status", "--json")
    assert status == 0
    said = json.loads(output)
    assert {node["name"]: node["state"] for node in said["nodes"]} == dict.fromkeys(
        ("controller", "compute1", "compute2"), "not_created"
    )
    assert (said["services"], list(paths.directory.iterdir())) == (None, [])


@pytest.mark.parametrize("verb", [["demo"], ["demo", "--delete"], ["console", "x"], ["explain", "x"]])
def test_no_instances_without_a_network(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, verb: list[str]
) -> None:
    paths.lab_yaml.write_text("networking: none\n", encoding="utf-8")
    status, output, errors = labctl("-C", paths.directory, *verb)
    assert (status, output) == (2, "")
    assert "Instances need a network" in errors
    assert list(paths.directory.iterdir()) == [paths.lab_yaml]


@pytest.fixture
def a_server(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A lab in which there is one server; what a browser was asked to open."""
    opened: list[str] = []
    paths.hosts_ini.touch()
    paths.clouds_yaml.touch()
    monkeypatch.setattr(instances.Cloud, "__init__", lambda *_: None)
    monkeypatch.setattr(instances.Cloud, "find", lambda _, name: instances.Server("1", name, "ACTIVE"))
    monkeypatch.setattr(instances.Cloud, "console_url", lambda *_: "http://console")
    monkeypatch.setattr(instances.Cloud, "console_log", lambda _, __, lines: f"\x1b[6nlast {lines}\n\n")
    monkeypatch.setattr(instances, "open_browser", opened.append)
    return opened


@pytest.mark.parametrize(
    ("arguments", "output", "opens"),
    [
        ([], "http://console\n", ["http://console"]),
        (["--no-open"], "http://console\n", []),
        (["--print"], "http://console\n", []),
        (["--log"], "last None\n", []),
        (["--log", "--lines", "5"], "last 5\n", []),
    ],
)
def test_console(
    labctl: Callable[..., tuple[int, str, str]],
    paths: LabPaths,
    a_server: list[str],
    arguments: list[str],
    output: str,
    opens: list[str],
) -> None:
    assert labctl("-C", paths.directory, "console", "web", *arguments)[:2] == (0, output)
    assert a_server == opens


def test_console_as_json(labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, a_server: list[str]) -> None:
    status, output, _ = labctl("-C", paths.directory, "console", "web", "--json")
    assert (status, json.loads(output)) == (0, {"server": "web", "id": "1", "url": "http://console"})
    _, output, _ = labctl("-C", paths.directory, "console", "web", "--json", "--log")
    assert json.loads(output) == {"server": "web", "id": "1", "log": "\x1b[6nlast None\n\n"}
    assert a_server == []


def test_list_and_lab(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, make_lab: Callable[..., Lab]
) -> None:
    assert labctl("list")[:2] == (0, "There is no lab. `labctl up` builds one in the current directory.\n")
    paths.lab_yaml.write_text("name: vms\nprovider: libvirt\n", encoding="utf-8")
    lab = make_lab(name="vms", provider="libvirt")
    records.remember(paths, lab, None)
    registry.remember(paths, lab)
    head, row = labctl("list")[1].splitlines()
    assert head.split() == ["NAME", "STATE", "NETWORK", "SINCE", "(UTC)", "DIRECTORY"]
    assert (row.startswith("vms   no nodes  192.168.56.0/24  20"), row.endswith(str(paths.directory))) == (True, True)
    (said,) = json.loads(labctl("list", "--json")[1])["labs"]
    assert (said["name"], said["state"], said["directory"]) == ("vms", "no nodes", str(paths.directory))
    assert json.loads(labctl("--lab", "vms", "describe", "--json")[1])["directory"] == str(paths.directory)


def test_a_lab_beside_another_with_defaults(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    """Without a lab.yaml: what to write into one."""
    records.remember(paths, make_lab(), None)
    registry.remember(paths, make_lab())
    status, _, errors = labctl("-C", tmp_path, "up")
    assert (status, list(tmp_path.iterdir())) == (2, [paths.directory])
    assert f"The name 'lab' is taken: the lab lab belongs to the lab in {paths.directory}; " in errors
    assert f"Network 192.168.56.0/24 is taken by the lab lab in {paths.directory}" in errors
    assert errors.endswith("destroy`:\n  name: lab2\n  network: 192.168.57.0/24\n")

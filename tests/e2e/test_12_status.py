"""What is told of a lab: its state, its logs, and an archive of both without secrets."""

import base64
import html
import json
import os
import shlex
import signal
import subprocess
import tarfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lab import FOUR_ROWS, SCRIPTS, LiveLab

HARD = "p@:/#%?$'\" x"
# Each as that writes it for which it is; what redacts them is tested with more.
FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "URL": lambda text: urllib.parse.quote(text, safe=""),
    "URL with slashes": urllib.parse.quote,
    "URL in a URL": lambda text: urllib.parse.quote(urllib.parse.quote(text, safe=""), safe=""),
    "oslo.config": lambda text: text.replace("$", "\\$"),
    "oslo.config, doubled": lambda text: text.replace("$", "$$"),
    "systemd": lambda text: text.replace("%", "%%"),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "YAML": lambda text: text.replace("'", "''"),
    "shell": shlex.quote,
    "HTML": html.escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
}


def look(lab: LiveLab, *options: str) -> tuple[int, dict[str, Any]]:
    """The exit status of `labctl status --json`, and what it says."""
    done = lab.labctl("status", "--json", *options, check=False)
    document: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, document


def test_status_of_a_healthy_lab_is_complete(lab: LiveLab) -> None:
    code, document = look(lab)
    assert (code, document["state"], document["degraded"], document["problems"]) == (0, "running", [], [])
    states = {node["name"]: node["state"] for node in document["nodes"]}
    assert states == dict.fromkeys(("controller", "compute1", "compute2"), "running")
    assert {(row["binary"], row["host"]) for row in document["services"]} == FOUR_ROWS
    assert [(cell["name"], cell["hosts"]) for cell in document["cells"]] == [
        ("cell0", []),
        ("cell1", ["compute1", "compute2"]),
    ]
    assert {row["alive"] for row in document["agents"]} == {True}
    assert {"nova", "libvirt", "qemu", "ovn", "keystone", "mariadb"} <= set(document["versions"])
    for node in document["nodes"]:
        assert node["since"]
        assert {unit["active"] for unit in node["units"]} == {"active"}
        assert 2**26 < node["memory"]["used"] < 2**32
        assert node["disk"]["free"] > 0
        assert any(address.startswith(f"{node['address']}/") for address in node["addresses"]["eth0"])
    text = lab.labctl("status", "--all").stdout
    assert "Nothing is degraded." in text
    assert "nova-conductor controller active (running)" in " ".join(text.split())


def test_status_names_a_stopped_unit_and_since_when(lab: LiveLab) -> None:
    lab.on("compute1", "systemctl stop nova-compute")
    stopped = int(lab.on("controller", "date +%s"))
    try:
        code, document = look(lab)
        assert (code, document["state"]) == (1, "degraded")
        (trouble,) = [row for row in document["degraded"] if row["what"].startswith("nova-compute does not run")]
        assert trouble["where"] == "compute1"
        assert trouble["what"] == "nova-compute does not run on compute1: it is stopped"
        since = time.strptime(trouble["since"], "%Y-%m-%dT%H:%M:%SZ")
        assert abs(time.mktime(since) - time.timezone - stopped) < 30
        text = lab.labctl("status", check=False).stdout
        assert "nova-compute does not run on compute1: it is stopped since " in text
    finally:
        lab.on("compute1", "systemctl start nova-compute")


def test_status_without_keystone_shows_the_rest(lab: LiveLab) -> None:
    lab.on("controller", "systemctl stop keystone")
    try:
        code, document = look(lab)
        assert (code, document["services"]) == (1, None)
        assert {row["what"] for row in document["degraded"]} >= {"keystone does not run on controller: it is stopped"}
        assert any(":5000/v3/auth/tokens does not answer" in problem for problem in document["problems"])
        assert document["cells"]
    finally:
        lab.on("controller", "systemctl start keystone")


def test_logs_are_merged_by_time(lab: LiveLab) -> None:
    rows = [json.loads(row) for row in lab.labctl("logs", "--since", "1h", "--json").stdout.splitlines()]
    assert {row["node"] for row in rows} == {"controller", "compute1", "compute2"}
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows)
    assert {"journal", "/var/log/nova/nova-compute.log"} <= {row["source"] for row in rows}
    assert any(row["unit"] == "nova-compute" and "Started" in row["text"] for row in rows)


def test_logs_of_one_service(lab: LiveLab) -> None:
    lines = lab.labctl("logs", "nova-compute", "--lines", "7").stdout.splitlines()
    assert len(lines) == 7
    assert all(" nova-compute: " in line for line in lines)
    done = lab.labctl("logs", "nove-compute", check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nova-compute" in done.stderr


def test_logs_follow_shows_new_lines_and_ends_on_the_nodes(lab: LiveLab) -> None:
    """A line of the journal and one of a file, from two nodes; what ran there ends with labctl."""
    marks = {"controller": "marked in the journal", "compute1": "marked in a file"}
    command = [str(SCRIPTS / "labctl"), "logs", "--follow", "--all"]
    with subprocess.Popen(command, env=lab.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        lab.on("controller", f"logger -t marker '{marks['controller']}'")
        lab.on("compute1", f"echo '{marks['compute1']}' >> /var/log/nova/nova-manage.log")
        seen = {first}
        end = time.monotonic() + 60
        while time.monotonic() < end and not all(any(mark in line for line in seen) for mark in marks.values()):
            seen.add(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    for node, mark in marks.items():
        assert any(f" {node} " in line and mark in line for line in seen)
    end = time.monotonic() + 20
    while lab.on("compute1", "pgrep -f '[j]ournalctl.*follow' || true") and time.monotonic() < end:
        time.sleep(0.5)
    assert lab.on("compute1", "pgrep -f '[j]ournalctl.*follow' || true") == ""


@pytest.fixture(scope="module")
def bundle(lab: LiveLab, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An archive and its manifest, of a lab with every secret in every form in a file, and with a paused node."""
    description = lab.directory / "lab.yaml"
    before = description.read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("bundle") / "bundle.tar.gz"
    values = {**lab.secrets, "hard": HARD}
    rows = [f"{form} of {key} <{write(value)}>\n" for key, value in values.items() for form, write in FORMS.items()]
    lab.on("compute1", "cat > /etc/nova/planted.conf", stdin="".join(rows))
    engine(lab, "pause")
    try:
        # A password that lab.yaml says and that is not in force yet is one too.
        description.write_text(json.dumps({**lab.description, "secrets": {"keystone_demo": HARD}}), encoding="utf-8")
        done = lab.labctl("support-bundle", str(path), "--json", check=False)
    finally:
        description.write_text(before, encoding="utf-8")
        engine(lab, "unpause")
        lab.on("compute1", "rm /etc/nova/planted.conf")
    assert done.returncode == 1, done.stderr
    assert "compute2: the node is paused" in done.stderr
    return path, json.loads(done.stdout)


def engine(lab: LiveLab, action: str) -> None:
    """Do something with the container of compute2."""
    settings = lab.directory / ".labctl" / "containers.conf"
    environment = {**os.environ, **({"CONTAINERS_CONF": str(settings)} if settings.exists() else {})}
    command = [str(lab.directory / ".labctl" / "bin" / "docker"), action]
    container = f"novalab-{lab.description['name']}-compute2"
    subprocess.run([*command, container], env=environment, check=True, capture_output=True)


def contents(path: Path) -> dict[str, str]:
    with tarfile.open(path) as tar:
        return {
            member.name.partition("/")[2]: tar.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in tar
        }


def test_support_bundle_has_files_of_every_node_that_answers(bundle: tuple[Path, dict[str, Any]]) -> None:
    path, manifest = bundle
    assert path.stat().st_mode & 0o777 == 0o600
    files = contents(path)
    assert {
        "manifest.json",
        "status.json",
        "lab/lab.yaml",
        "nodes/controller/etc/nova/nova.conf",
        "nodes/controller/etc/keystone/keystone.conf",
        "nodes/controller/var/log/nova/nova-scheduler.log",
        "nodes/controller/network/ovn-nbctl-show.txt",
        "nodes/controller/journal.txt",
        "nodes/controller/packages.txt",
        "nodes/compute1/network/ovs-vsctl-show.txt",
        "nodes/compute1/var/log/nova/nova-compute.log",
    } <= set(files)
    assert any(name.startswith("lab/logs/") for name in files)
    assert "[redacted:keystone_nova]" in files["nodes/controller/etc/nova/nova.conf"]
    assert not any("fernet" in name for name in files)
    assert "/etc/keystone/fernet-keys" in manifest["nodes"]["controller"]["left_out"]
    assert manifest["nodes"]["compute2"]["problem"] == "the node is paused"
    assert manifest["nodes"]["compute1"]["files"] > 20


def test_support_bundle_has_no_secret(lab: LiveLab, bundle: tuple[Path, dict[str, Any]]) -> None:
    files = contents(bundle[0])
    for key, value in {**lab.secrets, "hard": HARD}.items():
        for form, write in FORMS.items():
            assert [name for name, text in files.items() if write(value) in text] == [], f"{form} of {key}"
    everything = "\n".join(files.values())
    assert "PRIVATE KEY-----\n" not in everything
    planted = files["nodes/compute1/etc/nova/planted.conf"].splitlines()
    assert len(planted) == len(FORMS) * (len(lab.secrets) + 1)
    assert all("[redacted:" in line for line in planted)


def test_lab_after_the_bundle_is_healthy(lab: LiveLab) -> None:
    end = time.monotonic() + 90
    while look(lab)[0] != 0 and time.monotonic() < end:
        time.sleep(2)
    assert look(lab)[1]["degraded"] == []

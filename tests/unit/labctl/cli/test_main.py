"""Exit status and errors of the command line, whatever the verb."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.paths import LabPaths


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
def test_bad_lab_yaml_is_refused_by_every_verb(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, verb: list[str]
) -> None:
    paths.lab_yaml.write_text("computes: 0\nsecrets: {keystone_admin: [hunter2]}\n", encoding="utf-8")
    status, output, errors = labctl("-C", paths.directory, *verb)
    assert (status, output) == (2, "")
    assert errors.splitlines()[0] == f"labctl: {paths.lab_yaml}: 2 mistakes, nothing was changed"
    assert "line 1, computes.count: found 0, expected a whole number from 1 to 100" in errors
    assert "hunter2" not in errors
    assert list(paths.directory.iterdir()) == [paths.lab_yaml]


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
        (["snapshot", "save", "A b"], 2, "'A b' is not a valid name for a snapshot"),
        (["snapshot", "save", "one"], 2, "does not run: controller is not created"),
        (["snapshot", "restore", "one"], 2, "There is no snapshot 'one'"),
        (["snapshot", "delete", "one"], 2, "There is no snapshot 'one'"),
        (["up", "--from", "/nowhere/file"], 2, "/nowhere/file cannot be read: No such file"),
        (["up", "--from", "/nowhere/file", "--evict"], 2, "--from creates a new lab"),
        (["up", "--from", "/nowhere/file", "--full"], 2, "--from creates a new lab"),
        (["export-lab", "/nowhere/file"], 2, "its directory does not exist"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
    ],
)
def test_refusal_has_status_and_reason(
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


@pytest.mark.parametrize(
    "verb",
    [
        *("up", "up --from x", "plan", "verify", "halt", "destroy", "status", "describe", "inventory", "setup", "logs"),
        *("ssh controller", "snapshot list", "pause", "resume", "demo", "console x", "explain x", "doctor", "eject"),
        *("support-bundle", "export-lab x", "init"),
    ],
)
def test_every_verb_refuses_a_directory_open_to_all(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setenv("LABCTL_DIR", str(paths.directory))
    paths.directory.chmod(0o777)
    status, output, errors = labctl(*verb.split())
    assert (status, output, list(paths.directory.iterdir())) == (2, "", [])
    assert "can be written to by every user" in errors

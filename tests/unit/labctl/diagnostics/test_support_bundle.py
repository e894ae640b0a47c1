"""The archive for people who help: what is in it, and what is not."""

from __future__ import annotations

import json
import stat
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from labctl.diagnostics import status, support_bundle
from labctl.errors import BadInput, LabError
from labctl.remote.ssh import Answer
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.context import LabContext

HARD = "p@:/#%?$'\" x"


@pytest.fixture
def made(
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The manifest and the files of a bundle of a lab whose computes do not answer, or are off."""
    paths.make_state()
    paths.secrets.write_text(json.dumps({"keystone_admin": HARD}), encoding="utf-8")
    paths.lab_yaml.write_text(f"secrets: {{keystone_demo: {json.dumps('another' + HARD)}}}\n", encoding="utf-8")
    paths.clouds_yaml.write_text('clouds: {lab: {auth: {password: "of clouds.yaml"}}}\n', encoding="utf-8")
    (paths.logs / "1-up.log").write_text(f"--password {HARD} another{HARD}\n", encoding="utf-8")
    lab = make_lab(computes=2, secrets={"keystone_demo": f"another{HARD}"})
    states = {"controller": "running", "compute1": "running", "compute2": "stopped"}
    document = {
        "time": "2026-11-25T12:00:00Z",
        "state": "degraded",
        "nodes": [{"name": name, "state": state} for name, state in states.items()],
    }
    rows: list[dict[str, Any]] = [
        {"path": "/etc/nova/nova.conf", "text": f"x = {HARD}\ny = of clouds.yaml", "why": None},
        {"path": "../../up.txt", "text": "", "why": None},
        {"path": "/etc/keystone/fernet-keys", "text": None, "why": "keys"},
    ]
    output = "\n".join(map(json.dumps, rows)) + '\n{"half'
    answers = {"controller": Answer(output), "compute1": Answer("", "no answer within 180 s")}
    monkeypatch.setattr(status, "look", lambda *_: document)
    monkeypatch.setattr("labctl.diagnostics.support_bundle.ask", lambda *_, **__: answers)
    path = tmp_path / "bundle.tar.gz"
    with Progress(tmp_path / "log") as progress:
        manifest = support_bundle.make(context(lab, progress), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".bundle")] == []
    with tarfile.open(path) as tar:
        files = {member.name: tar.extractfile(member).read().decode() for member in tar}  # type: ignore[union-attr]
    return manifest, files


def test_bundle_has_files_manifest_and_problems(made: tuple[dict[str, Any], dict[str, str]]) -> None:
    manifest, files = made
    assert {name for name in files if "/host/" not in name} == {
        "bundle/nodes/controller/etc/nova/nova.conf",
        "bundle/nodes/controller/up.txt",
        "bundle/status.json",
        "bundle/manifest.json",
        "bundle/lab/lab.yaml",
        "bundle/lab/logs/1-up.log",
    }
    assert manifest["nodes"] == {
        "controller": {
            "state": "running",
            "problem": None,
            "files": 2,
            "left_out": {"/etc/keystone/fernet-keys": "keys"},
        },
        "compute1": {"state": "running", "problem": "no answer within 180 s", "files": 0, "left_out": {}},
        "compute2": {"state": "stopped", "problem": "the node is stopped", "files": 0, "left_out": {}},
    }
    assert manifest["files"] == len(files)
    assert json.loads(files["bundle/manifest.json"])["nodes"] == manifest["nodes"]


def test_bundle_has_no_secret(made: tuple[dict[str, Any], dict[str, str]]) -> None:
    _, files = made
    everything = "\n".join(files.values())
    assert HARD not in everything
    assert "of clouds.yaml" not in everything
    conf = files["bundle/nodes/controller/etc/nova/nova.conf"]
    assert conf == "x = [redacted:keystone_admin]\ny = [redacted:clouds.yaml lab]"
    assert "[redacted:lab.yaml keystone_demo]" in files["bundle/lab/logs/1-up.log"]
    assert files["bundle/lab/lab.yaml"].startswith("secrets: [redacted]")


def test_without_knowing_the_secrets_nothing_is_made(
    make_lab: Callable[..., Lab], context: Callable[..., LabContext], paths: LabPaths, tmp_path: Path
) -> None:
    paths.make_state()
    paths.secrets.write_text("{", encoding="utf-8")
    with pytest.raises(LabError, match="cannot be read"), Progress(tmp_path / "log") as progress:
        support_bundle.make(context(make_lab(), progress), tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


def test_bundle_where_it_cannot_be_written_is_refused(
    make_lab: Callable[..., Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = support_bundle.target(None, make_lab())
    assert path.parent == tmp_path
    assert path.name.startswith("novalab-lab-2")
    path.touch()
    with pytest.raises(BadInput, match="already exists"):
        support_bundle.target(path, make_lab())
    with pytest.raises(BadInput, match="is not a directory that can be written to"):
        support_bundle.target(tmp_path / "no" / "b.tar.gz", make_lab())

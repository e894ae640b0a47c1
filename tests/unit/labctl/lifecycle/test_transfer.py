"""What an archive holds, and which archives are refused."""

from __future__ import annotations

import io
import json
import platform
import tarfile
from typing import IO, TYPE_CHECKING, Any

import pytest

from labctl.errors import BadInput, LabError
from labctl.lab import secrets
from labctl.lab.paths import LabPaths
from labctl.lifecycle import archive, transfer
from labctl.lifecycle.archive import Manifest
from labctl.lifecycle.diff import Plan
from labctl.providers import inotify_limit, node_images
from labctl.providers.engine import Engine
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab
    from labctl.lifecycle.context import LabContext

SECRET = "correct horse battery staple"


class FakeEngine(Engine):
    """An engine that says what it is told to save, and takes what it is given to load."""

    def __init__(self, kind: Any = "podman", status: int = 0) -> None:  # noqa: ANN401
        super().__init__(kind, ("sh", "-c", f'echo "$@"; echo broken >&2; exit {status}', kind))
        self.__dict__["loaded"] = []

    def run(self, *arguments: str, stdin: IO[bytes] | None = None) -> str:
        self.loaded.append((*arguments, stdin.read().decode() if stdin else ""))
        return "there\n"

    loaded: list[tuple[str, ...]]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setattr("labctl.providers.engine.find", lambda *_: fake)
    monkeypatch.setattr("labctl.providers.engine.install", lambda found, _: found)
    monkeypatch.setattr(transfer, "find", lambda *_: fake)
    monkeypatch.setattr(transfer, "preflight", lambda *_: Plan())
    monkeypatch.setattr(inotify_limit, "check", lambda _: None)
    return fake


@pytest.fixture
def exported(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    tmp_path: Path,
) -> Path:
    """An archive without secrets of a lab that has a password of its own."""
    assert engine.kind == "podman"
    paths.make_state()
    paths.lab_yaml.write_text(
        f"name: lab  # {SECRET}\nrelease: 2025.1\nsecrets: {{keystone_admin: {SECRET}}}\n", encoding="utf-8"
    )
    secrets.ensure(paths, {"keystone_admin": SECRET})
    target = tmp_path / "lab.novalab"
    transfer.check_export(context(make_lab()), target, with_secrets=False)
    size = transfer.export(context(make_lab(), Progress(paths.logs / "x.log")), target, with_secrets=False)
    assert size == target.stat().st_size
    return target


@pytest.fixture
def there(tmp_path: Path) -> LabPaths:
    (tmp_path / "there").mkdir()
    return LabPaths(tmp_path / "there")


def test_export_without_secrets_has_images_only(exported: Path, make_lab: Callable[..., Lab], paths: LabPaths) -> None:
    manifest = archive.check(exported)
    assert not manifest.finished
    assert set(manifest.images.values()) == {node_images.reference(make_lab(), group) for group in transfer.GROUPS}
    assert json.loads(archive.files(exported, manifest)["lab.yaml"]) == {"name": "lab", "release": 2025.1}
    with tarfile.open(exported) as tar:
        contents = {item.name: tar.extractfile(item).read() for item in tar}  # type: ignore[union-attr]
    assert next(iter(contents)) == "manifest.json"
    for secret in secrets.read(paths.secrets).values():
        assert not any(secret.encode() in text for text in contents.values())
    assert exported.stat().st_mode & 0o777 == 0o600


def test_import_loads_the_images(exported: Path, engine: FakeEngine) -> None:
    manifest = archive.check(exported)
    archive.load(exported, manifest, engine)
    names = " ".join(sorted(manifest.images.values()))
    assert engine.loaded[-1] == ("load", f"save --multi-image-archive {names}\n")


def test_nothing_is_left_when_the_engine_fails(make_lab: Callable[..., Lab], tmp_path: Path, paths: LabPaths) -> None:
    manifest = Manifest("lab", "2025.1", "docker", finished=False, images={"a": "b"})
    with Progress(paths.logs / "x.log").step("x") as step, pytest.raises(LabError, match="save b` failed: broken"):
        archive.write(tmp_path / "file", manifest, {}, FakeEngine("docker", 1), step)
    assert [path.name for path in tmp_path.iterdir()] == ["lab"]


def test_import_makes_the_lab_from_the_archive(exported: Path, there: LabPaths, make_lab: Callable[..., Lab]) -> None:
    manifest, lab = transfer.check_import(there, exported)
    assert (lab.lab.name, manifest.release) == (make_lab().name, "2025.1")
    assert list(there.directory.iterdir()) == []


def rewrite(path: Path, **changes: object) -> None:
    """Change the manifest of an archive, or members by their names."""
    with tarfile.open(path) as tar:
        members = {item.name: tar.extractfile(item).read() for item in tar}  # type: ignore[union-attr]
    manifest = json.loads(members["manifest.json"]) | {k: v for k, v in changes.items() if not isinstance(v, bytes)}
    members["manifest.json"] = json.dumps(manifest).encode()
    members |= {k: v for k, v in changes.items() if isinstance(v, bytes)}
    with tarfile.open(path, "w") as tar:
        for name, text in members.items():
            item = tarfile.TarInfo(name)
            item.size = len(text)
            tar.addfile(item, io.BytesIO(text))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 2}, "has format 2, this labctl reads 1"),
        ({"machine": "sparc"}, f"is of the architecture sparc, this is {platform.machine()}"),
        ({"novalab": "9.9"}, "is of novalab 9.9"),
        ({"engine": "docker"}, "was written by docker, the engine here is podman"),
        ({"images": {"compute_nodes": "localhost/old:1"}}, "no nodes from localhost/old:1"),
        ({"lab/lab.yaml": b"name: evil"}, "is damaged: lab/lab.yaml is not what was written"),
        ({"unknown": 1}, "is no archive of a lab"),
        ({"members": {}}, "is no archive of a lab: members are missing"),
    ],
)
def test_import_of_a_bad_archive_is_refused(
    exported: Path, there: LabPaths, changes: dict[str, object], said: str
) -> None:
    rewrite(exported, **changes)
    with pytest.raises(BadInput, match=said):
        transfer.check_import(there, exported)
    assert list(there.directory.iterdir()) == []


@pytest.mark.parametrize("part", [0, 100, 0.4, 0.5])
def test_import_of_a_truncated_archive_is_refused(exported: Path, there: LabPaths, part: float) -> None:
    text = exported.read_bytes()
    exported.write_bytes(text[: int(part if part >= 1 else part * len(text))])
    with pytest.raises(BadInput, match="damaged"):
        transfer.check_import(there, exported)
    with pytest.raises(BadInput, match="No such file"):
        transfer.check_import(there, exported.with_name("none"))


def test_import_beside_a_lab_yaml_is_refused(exported: Path, there: LabPaths) -> None:
    """It makes another lab of the packages, and of finished nodes nothing."""
    there.lab_yaml.write_text("name: mine", encoding="utf-8")
    assert transfer.check_import(there, exported)[1].lab.name == "mine"
    rewrite(exported, finished=True)
    with pytest.raises(BadInput, match="differs from the archive"):
        transfer.check_import(there, exported)


def test_import_into_a_directory_with_a_lab_is_refused(exported: Path, there: LabPaths) -> None:
    there.make_state()
    there.made.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match=r"There is a lab in .* already"):
        transfer.check_import(there, exported)


@pytest.mark.parametrize(
    ("keys", "file", "with_secrets", "said"),
    [
        ({"provider": "libvirt"}, "file", False, "provider is libvirt"),
        ({}, "there", False, "already exists"),
        ({}, "nowhere/file", False, "its directory does not exist"),
        ({}, "file", True, "controller is not created"),
        ({"images": [{"name": "own", "path": "own.img"}]}, "file", False, r"images of its own \(own\)"),
    ],
)
def test_export_that_cannot_work_is_refused(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    there: LabPaths,
    keys: dict[str, Any],
    file: str,
    with_secrets: bool,
    said: str,
) -> None:
    with pytest.raises(BadInput, match=said):
        transfer.check_export(context(make_lab(**keys)), there.directory.parent / file, with_secrets=with_secrets)
    assert engine.loaded == []


def test_import_without_a_needed_program_is_refused(
    exported: Path, there: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(BadInput, match=r"is not installed, but .* needs it"):
        transfer.check_import(there, exported)

"""What an archive holds, and which archives are refused."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import sys
import tarfile
from typing import IO, TYPE_CHECKING, Any

import pytest

from labctl.errors import BadInput, LabError
from labctl.lab import secrets
from labctl.lab.paths import LabPaths
from labctl.lifecycle import archive, transfer
from labctl.lifecycle.archive import Manifest
from labctl.lifecycle.archive_reader import reading
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


# As `podman save` writes images: a tar file with a manifest that has their names.
SAVE = """
import io, json, sys, tarfile
tags = [word for word in sys.argv[1:] if ":" in word]
text = json.dumps([{"Config": "x.json", "Layers": [], "RepoTags": [tag]} for tag in tags]).encode()
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
    item = tarfile.TarInfo("manifest.json")
    item.size = len(text)
    tar.addfile(item, io.BytesIO(text))
"""


class FakeEngine(Engine):
    """An engine that saves and loads images without layers. present has the ids of those that exist, by name."""

    def __init__(self, kind: Any = "podman", failing: bool = False) -> None:  # noqa: ANN401
        fail = ("sh", "-c", "echo broken >&2; exit 1", kind)
        super().__init__(kind, fail if failing else (sys.executable, "-c", SAVE))
        self.__dict__["done"] = []
        self.__dict__["present"] = {}

    def run(self, *arguments: str, stdin: IO[bytes] | None = None) -> str:
        if arguments[:2] == ("images", "--quiet"):
            return self.present.get(arguments[2], "")
        if stdin is not None:
            with tarfile.open(fileobj=stdin) as tar:
                items = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
            arguments = (*arguments, *sorted(item["RepoTags"][0] for item in items))
        self.done.append(arguments)
        return ""

    done: list[tuple[str, ...]]
    present: dict[str, str]


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
    engine.present.update({node_images.reference(make_lab(), group): "x" for group in transfer.GROUPS})
    transfer.check_export(context(make_lab()), target, with_secrets=False)
    written = transfer.export(context(make_lab(), Progress(paths.logs / "x.log")), target, with_secrets=False)
    assert written.size == target.stat().st_size
    engine.present.clear()
    assert written.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    return target


@pytest.fixture
def there(tmp_path: Path) -> LabPaths:
    (tmp_path / "there").mkdir()
    return LabPaths(tmp_path / "there")


def test_export_without_secrets_has_images_only(exported: Path, make_lab: Callable[..., Lab], paths: LabPaths) -> None:
    with reading(exported) as found:
        assert not found.manifest.finished
        images = {node_images.reference(make_lab(), group) for group in transfer.GROUPS}
        assert set(found.manifest.images.values()) == images
        assert json.loads(found.files["lab.yaml"]) == {"name": "lab", "release": 2025.1}
    with tarfile.open(exported) as tar:
        contents = {item.name: tar.extractfile(item).read() for item in tar}  # type: ignore[union-attr]
    assert next(iter(contents)) == "manifest.json"
    for secret in secrets.read(paths.secrets).values():
        assert not any(secret.encode() in text for text in contents.values())
    assert exported.stat().st_mode & 0o777 == 0o600


def test_import_loads_the_images(exported: Path, engine: FakeEngine, there: LabPaths) -> None:
    with reading(exported) as found:
        found.load(engine, there.directory)
        assert engine.done == [("load", *sorted(found.manifest.images.values()))]


def test_import_leaves_images_that_exist_alone(exported: Path, engine: FakeEngine, there: LabPaths) -> None:
    with reading(exported) as found:
        name = found.manifest.images["compute_nodes"]
        engine.present[name] = "sha256:mine"
        found.load(engine, there.directory)
    assert engine.done[-1] == ("tag", "sha256:mine", name)


def test_nothing_is_left_when_the_engine_fails(make_lab: Callable[..., Lab], tmp_path: Path, paths: LabPaths) -> None:
    manifest = Manifest("lab", "2025.1", "docker", finished=False, images={"a": "localhost/novalab-a:b"})
    with (
        Progress(paths.logs / "x.log").step("x") as step,
        pytest.raises(LabError, match="save localhost/novalab-a:b` failed: broken"),
    ):
        archive.write(tmp_path / "file", manifest, {}, FakeEngine("docker", failing=True), step)
    assert [path.name for path in tmp_path.iterdir()] == ["lab"]


def check(paths: LabPaths, source: Path) -> LabContext:
    """What `labctl up --from` does before it changes anything."""
    with reading(source) as found:
        return transfer.check_import(paths, found)


def test_import_makes_the_lab_from_the_archive(exported: Path, there: LabPaths, make_lab: Callable[..., Lab]) -> None:
    assert check(there, exported).lab.name == make_lab().name
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
        ({"images": {"compute_nodes": "localhost/novalab-old:1"}}, "no nodes from localhost/novalab-old:1"),
        ({"lab/lab.yaml": b"name: evil"}, "is damaged: lab/lab.yaml is not what was written"),
        ({"unknown": 1}, "is no archive of a lab"),
        ({"members": {}}, "is no archive of a lab, or is damaged: members are missing"),
    ],
)
def test_import_of_a_bad_archive_is_refused(
    exported: Path, there: LabPaths, changes: dict[str, object], said: str
) -> None:
    rewrite(exported, **changes)
    with pytest.raises(BadInput, match=said):
        check(there, exported)
    assert list(there.directory.iterdir()) == []


@pytest.mark.parametrize("part", [0, 100, 0.4, 0.5])
def test_import_of_a_truncated_archive_is_refused(exported: Path, there: LabPaths, part: float) -> None:
    text = exported.read_bytes()
    exported.write_bytes(text[: int(part if part >= 1 else part * len(text))])
    with pytest.raises(BadInput, match="damaged"):
        check(there, exported)
    with pytest.raises(BadInput, match="No such file"):
        check(there, exported.with_name("none"))


def test_import_beside_a_lab_yaml_is_refused(exported: Path, there: LabPaths) -> None:
    """It makes another lab of the packages, and of finished nodes nothing."""
    there.lab_yaml.write_text("name: mine", encoding="utf-8")
    assert check(there, exported).lab.name == "mine"
    rewrite(exported, finished=True)
    with pytest.raises(BadInput, match="differs from the archive"):
        check(there, exported)


def test_import_into_a_directory_with_a_lab_is_refused(exported: Path, there: LabPaths) -> None:
    there.make_state()
    there.made.write_text("{}", encoding="utf-8")
    with pytest.raises(BadInput, match=r"There is a lab in .* already"):
        check(there, exported)


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
    assert engine.done == []


def test_import_without_a_needed_program_is_refused(
    exported: Path, there: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(BadInput, match=r"is not installed, but .* needs it"):
        check(there, exported)

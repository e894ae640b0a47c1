"""Archives that are meant to hurt: refused before anything of them is used, and within little memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import os
import resource
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from labctl.errors import BadInput, LabError
from labctl.lifecycle.archive_reader import may_hold, reading

if TYPE_CHECKING:
    from pathlib import Path

MEBIBYTE = 1 << 20
IMAGE = "localhost/novalab-compute:trixie-0123456789ab"
LIMITS = {resource.RLIMIT_AS: 400 * MEBIBYTE, resource.RLIMIT_CPU: 60}
PROGRAM = """
import json, sys
from pathlib import Path
from labctl.errors import BadInput, LabError
from labctl.lifecycle.archive_reader import may_hold, reading
said = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        with reading(path) as archive:
            said[path.name] = ""
    except BadInput as error:
        said[path.name] = str(error)
print(json.dumps(said))
"""


def described(files: dict[str, bytes], **changes: object) -> dict[str, bytes]:
    """The members of an archive with their manifest before them."""
    manifest = {
        "lab": "lab",
        "release": "2025.1",
        "engine": "podman",
        "finished": True,
        "images": {"compute_nodes": IMAGE},
        "format": 1,
        "novalab": "0.1.0",
        "machine": "x86_64",
        "members": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    return {"manifest.json": json.dumps(manifest | changes).encode(), **files}


def item(name: str, **changes: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(found, key, value)
    return found


def pack(members: dict[str, bytes], *more: tarfile.TarInfo) -> bytes:
    """A tar file, with more headers at its end."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in members.items():
            tar.addfile(item(name, size=len(data)), io.BytesIO(data))
        for header in more:
            tar.addfile(header)
    return buffer.getvalue()


GOOD = {"lab/lab.yaml": b"{}", "images.tar.gz": gzip.compress(b"x")}


def with_file(name: str, **changes: object) -> bytes:
    return pack(described({**GOOD, f"lab/{name}": b"x"}, **changes))


def large_header(kind: bytes) -> bytes:
    """A header that says that its text has eight gigabytes."""
    header = item("x", size=8 << 30, type=kind)
    return header.tobuf(tarfile.GNU_FORMAT) + bytes(2048)


BAD: dict[str, bytes] = {
    "empty": b"",
    "text": b"name: lab\n" * 100,
    "zeros": bytes(1 << 20),
    "gzip": gzip.compress(pack(described(GOOD))),
    "xz": lzma.compress(pack(described(GOOD))),
    "no manifest": pack(GOOD),
    "manifest last": pack({**GOOD, **described({})}),
    "manifest twice": pack(described(GOOD), item("manifest.json")),
    "manifest a link": pack({}, item("manifest.json", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    "manifest a list": pack({"manifest.json": b"[]", **GOOD}),
    "manifest not UTF-8": pack({"manifest.json": b'{"lab": "\xff"}', **GOOD}),
    "manifest not JSON": pack({"manifest.json": b"{", **GOOD}),
    "manifest of levels": pack({"manifest.json": b'{"a": ' * 3000 + b"1" + b"}" * 3000, **GOOD}),
    "manifest of brackets": pack({"manifest.json": b"[" * 100000, **GOOD}),
    "manifest too large": pack({"manifest.json": b" " * (2 << 20) + described(GOOD)["manifest.json"], **GOOD}),
    "manifest said to be eight gigabytes": large_header(tarfile.REGTYPE).replace(b"x", b"manifest.json", 1),
    "header said to be eight gigabytes": large_header(tarfile.XHDTYPE),
    "name said to be eight gigabytes": large_header(tarfile.GNUTYPE_LONGNAME),
    "images a list": pack(described(GOOD, images=[])),
    "images of lists": pack(described(GOOD, images={"compute_nodes": []})),
    "an image of another": pack(described(GOOD, images={"compute_nodes": "docker.io/library/debian:13"})),
    "an image with options": pack(described(GOOD, images={"compute_nodes": "--help"})),
    "members a list": pack(described(GOOD, members=[])),
    "members without digests": pack(described(GOOD, members=dict.fromkeys(GOOD, 1))),
    "a wrong digest": pack(described(GOOD, members=dict.fromkeys(GOOD, "0" * 64))),
    "finished a text": pack(described(GOOD, finished="yes")),
    "an unknown engine": pack(described(GOOD, engine="sh")),
    "a lab with escapes": pack(described(GOOD, lab="\x1b[2J")),
    "an unknown key": pack(described(GOOD, hooks=["true"])),
    "another format": pack(described(GOOD, format=[2])),
    "a parent": with_file("../x"),
    "a root": with_file("/abs/x"),
    "a parent below overrides": with_file("overrides/../../x"),
    "a hidden override": with_file("overrides/.x"),
    "a template of the inventory": with_file("hosts.ini.j2"),
    "variables for Ansible": with_file("group_vars/all.yml"),
    "secrets in one without": with_file(".labctl/secrets.json", finished=False),
    "a key in one without": with_file(".labctl/ssh/id_ed25519", finished=False),
    "overrides in one without": with_file("overrides/nova.conf", finished=False),
    "no lab.yaml": pack(described({"images.tar.gz": b"x"})),
    "no images": pack(described({"lab/lab.yaml": b"{}"})),
    "images twice": pack(described({**GOOD, "images.tar.zst": b"x"})),
    "another file": pack(described({**GOOD, "etc/passwd": b"x"})),
    "a file that the manifest lacks": pack(described(GOOD), item("lab/x")),
    "a file twice": pack(described(GOOD), item("lab/lab.yaml")),
    "a device": pack(described(GOOD), item("lab/clouds.yaml", type=tarfile.CHRTYPE)),
    "a link": pack(described(GOOD), item("lab/clouds.yaml", type=tarfile.SYMTYPE, linkname="/etc/shadow")),
    "a hard link": pack(described(GOOD), item("lab/clouds.yaml", type=tarfile.LNKTYPE, linkname="manifest.json")),
    "a file of the lab too large": pack(described({**GOOD, "lab/clouds.yaml": b"x" * (2 << 20)})),
    "many files": pack(described({**GOOD, **{f"lab/overrides/n{number}.conf": b"" for number in range(600)}})),
    "cut off": pack(described(GOOD))[:3000],
}


def limit() -> None:
    for kind, most in LIMITS.items():
        resource.setrlimit(kind, (most, most))


def test_archives_that_are_meant_to_hurt_are_refused(tmp_path: Path) -> None:
    assert len(BAD) >= 30
    for name, data in BAD.items():
        (tmp_path / name).write_bytes(data)
    with (tmp_path / "sparse").open("wb") as file:  # its manifest is a hole of eight gigabytes
        file.write(large_header(tarfile.REGTYPE).replace(b"x", b"manifest.json", 1)[:512])
        file.truncate(8 << 30)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, str] = json.loads(done.stdout)
    assert set(said) == {*BAD, "sparse"}
    assert [name for name, text in said.items() if not text] == []
    assert [name for name, text in said.items() if len(text) > 1000 or "\x1b" in text] == []


def test_good_archive_is_read(tmp_path: Path) -> None:
    members = {**GOOD, "lab/hosts.ini": b"x", "lab/overrides/compute_nodes/nova.conf": b"y"}
    (tmp_path / "a").write_bytes(pack(described(members)))
    with reading(tmp_path / "a") as archive:
        # Ansible follows hosts.ini, so labctl writes its own.
        assert archive.files == {"lab.yaml": b"{}", "overrides/compute_nodes/nova.conf": b"y"}


def test_editors_leftovers_beside_overrides_are_no_part_of_an_archive() -> None:
    """Else export would write a file that no import accepts."""
    names = ("overrides/nova.conf", "overrides/compute1/nova.conf", "overrides/.nova.conf.swp", "overrides/nova.conf~")
    assert [may_hold(name, finished=True) for name in names] == [True, True, False, False]
    assert not may_hold("overrides/nova.conf", finished=False)


def test_archive_with_another_digest_is_refused(tmp_path: Path) -> None:
    data = pack(described(GOOD))
    (tmp_path / "a").write_bytes(data)
    with reading(tmp_path / "a", hashlib.sha256(data).hexdigest().upper()):
        pass
    with pytest.raises(BadInput, match=f"has the SHA-256 {hashlib.sha256(data).hexdigest()}, expected 00"):
        reading(tmp_path / "a", "00").__enter__()


class Engine:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, *arguments: str, **_: object) -> str:
        self.asked.append(arguments[0])
        return ""


def images(*names: str, index: object = None) -> bytes:
    """What an engine saves, without layers."""
    files = {"manifest.json": json.dumps([{"RepoTags": list(names)}]).encode()}
    return pack(files | ({} if index is None else {"index.json": json.dumps(index).encode()}))


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        (images(IMAGE, "localhost/other:1"), "images of other names than its manifest: 'localhost/other:1'"),
        (images(), f"images of other names than its manifest: '{IMAGE}'"),
        (pack({"manifest.json": b"{}"}), "images"),
        (pack({"manifest.json": b"[" * 100000}), "its images cannot be read"),
        (pack({"repositories": b'{"localhost/other": {"1": "x"}}'}), "not as an engine writes them"),
        (
            images(IMAGE, index={"manifests": [{"annotations": {"io.containerd.image.name": "localhost/other:1"}}]}),
            "images of other names",
        ),
        (images(IMAGE)[:1024] + images("localhost/other:1"), "not as an engine writes them"),
        (b"x" * 100, "its images cannot be read"),
    ],
)
def test_images_of_other_names_are_not_loaded(tmp_path: Path, saved: bytes, said: str) -> None:
    (tmp_path / "a").write_bytes(pack(described({**GOOD, "images.tar.gz": gzip.compress(saved)})))
    engine: Any = Engine()
    with reading(tmp_path / "a") as archive, pytest.raises(BadInput, match=said):
        archive.load(engine, tmp_path)
    assert "load" not in engine.asked


def test_images_that_changed_since_the_check_are_not_loaded(tmp_path: Path) -> None:
    data = gzip.compress(images(IMAGE) + os.urandom(MEBIBYTE))  # larger than buffers
    (tmp_path / "a").write_bytes(pack(described({**GOOD, "images.tar.gz": data})))
    engine: Any = Engine()
    other = gzip.compress(images("localhost/other:1"))
    assert len(other) <= len(data)
    with reading(tmp_path / "a") as archive:
        with (tmp_path / "a").open("r+b") as file:
            file.seek(archive._tar.getmember("images.tar.gz").offset_data)
            file.write(other)
        with pytest.raises(BadInput, match="changed while they were read"):
            archive.load(engine, tmp_path)
    assert "load" not in engine.asked


def test_images_that_do_not_fit_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(pack(described({**GOOD, "images.tar.gz": gzip.compress(bytes(50 << 20))})))
    monkeypatch.setattr("labctl.lifecycle.archive_reader._MARGIN", 1 << 60)
    engine: Any = Engine()
    with reading(tmp_path / "a") as archive, pytest.raises(LabError, match="do not fit on the disk"):
        archive.load(engine, tmp_path)
    assert "load" not in engine.asked

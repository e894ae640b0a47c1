# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""How the guest's disk is put together; that it boots is seen in a lab."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.novalab.openstack.plugins.modules import guest_disk


def read_archive(data: bytes) -> dict[str, tuple[int, bytes]]:
    """The entries of a cpio archive: mode and data by path."""
    entries: dict[str, tuple[int, bytes]] = {}
    while True:
        assert data[:6] == b"070701"
        fields = [int(data[6 + 8 * i : 14 + 8 * i], 16) for i in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = data[110 : 110 + length]
        assert name.endswith(b"\0")
        start = (110 + length + 3) // 4 * 4
        if name == b"TRAILER!!!\0":
            return entries
        entries[name[:-1].decode()] = mode, data[start : start + size]
        data = data[(start + size + 3) // 4 * 4 :]


def driver(*needs: str) -> bytes:
    return b"\x7fELF\0license=GPL\0depends=" + ",".join(needs).encode() + b"\0retpoline=Y\0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What is in a package of a kernel, as in either Debian."""
    kernel = tmp_path / "usr/lib/modules/6.12/kernel"
    for path, data in {
        "net/failover.ko": driver(),
        "drivers/net/net_failover.ko": driver("failover"),
        "drivers/net/virtio_net.ko.xz": lzma.compress(driver("net-failover")),
        "drivers/char/virtio-rng.ko.xz": lzma.compress(driver()),
        "drivers/other.ko": driver(),
    }.items():
        (kernel / path).parent.mkdir(parents=True, exist_ok=True)
        (kernel / path).write_bytes(data)
    return tmp_path


def test_modules_come_after_what_they_need(root: Path) -> None:
    found = guest_disk.in_order(root, ["virtio_net", "virtio_rng", "built_in", "failover"])
    assert list(found) == ["failover", "net_failover", "virtio_net", "virtio_rng"]
    assert found["virtio_net"] == driver("net-failover")


def test_initramfs_holds_files_and_modules() -> None:
    files = {"init": "#!/bin/sh\n", "etc/a/b": "text\n"}
    archive = read_archive(guest_disk.initramfs(b"busy", {"failover": b"x", "virtio_net": b"yz"}, files))
    assert archive["init"] == (0o100755, b"#!/bin/sh\n")
    assert archive["etc/a/b"] == (0o100644, b"text\n")
    assert archive["bin/busybox"] == (0o100755, b"busy")
    assert archive["bin/sh"] == (0o120777, b"busybox")
    assert archive["etc/modules"][1] == b"/lib/modules/failover.ko\n/lib/modules/virtio_net.ko\n"
    assert archive["lib/modules/virtio_net.ko"] == (0o100644, b"yz")
    paths = list(archive)
    for path in paths:
        parents = [str(parent) for parent in Path(path).parents if str(parent) != "."]
        assert all(paths.index(parent) < paths.index(path) for parent in parents), path


@pytest.mark.parametrize("size", [1, 15 * 2**20, 40 * 2**20])
def test_the_disk_has_one_partition_that_is_booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    (tmp_path / "mbr").write_bytes(b"code" * 110)
    monkeypatch.setattr(guest_disk, "MBR", tmp_path / "mbr")
    commands: list[list[str]] = []

    def run_command(command: list[str], cwd: str | None = None) -> tuple[int, str, str]:
        commands.append(command)
        return 0, "", ""

    disk = tmp_path / "disk"
    module: Any = SimpleNamespace(run_command=run_command)
    guest_disk.write_disk(module, disk, {"vmlinuz": bytes(size), "initrd": gzip.compress(b"x")})
    sector = disk.read_bytes()[:512]
    flag, _, kind, _, start, sectors = struct.unpack("<B3sB3sII", sector[446:462])
    assert (flag, kind, sector[:4], sector[510:]) == (0x80, 0x0E, b"code", b"\x55\xaa")
    assert sector[462:510] == bytes(48)
    assert disk.stat().st_size == (start + sectors) * 512
    assert sectors * 512 > size + 2**20
    assert [command[0] for command in commands] == ["mformat", "mcopy", "mcopy", "syslinux"]
    assert commands[0][commands[0].index("-H") + 1] == str(start)
    assert f"{disk}@@{start * 512}" in commands[1]


class Failed(Exception):  # noqa: N818 (it stands for the end of the module)
    pass


def test_a_command_that_fails_is_told() -> None:
    def fail_json(msg: str) -> None:
        raise Failed(msg)

    module: Any = SimpleNamespace(run_command=lambda *_, **__: (2, "", "no space\n"), fail_json=fail_json)
    with pytest.raises(Failed, match=r"^'mcopy -i x' ended with status 2: no space$"):
        guest_disk.run(module, "mcopy", "-i", "x")


def test_what_it_is_made_of() -> None:
    def digest(**parameters: object) -> str:
        module: Any = SimpleNamespace(params={"dest": "/a", "files": {"init": "x", "b": "y"}, **parameters})
        return str(guest_disk.ingredients(module))

    assert digest() == digest(dest="/b") == digest(files={"b": "y", "init": "x"})
    assert len({digest(), digest(files={"init": "x"}), digest(kernel_package="k")}) == 3


@pytest.mark.parametrize(
    ("failing", "asked"),
    [
        ({}, ["depends", "download"]),
        ({"depends": 1}, ["depends", "update", "depends", "download"]),
        ({"download": 1}, ["depends", "download", "update", "depends", "download"]),
        ({"download": 2}, ["depends", "download", "update", "depends", "download", "failed"]),
        ({"depends": 1, "update": 1}, ["depends", "update", "failed"]),
    ],
)
def test_lists_of_packages_that_are_missing_or_old(tmp_path: Path, failing: dict[str, int], asked: list[str]) -> None:
    """failing says how often a command fails."""
    verbs: list[str] = []

    def run_command(command: list[str], cwd: str | None = None) -> tuple[int, str, str]:
        verb = next(word for word in ("depends", "download", "update") if word in command)
        verbs.append(verb)
        said = "linux-image-x\n  Depends: linux-image-6.12-x\n" if verb == "depends" else ""
        return int(verbs.count(verb) <= failing.get(verb, 0)), said, "E: no"

    def fail_json(msg: str) -> None:
        verbs.append("failed")
        raise Failed(msg)

    parameters = {"kernel_package": "linux-image-x", "busybox_package": "busybox-static"}
    module: Any = SimpleNamespace(run_command=run_command, fail_json=fail_json, params=parameters)
    with contextlib.suppress(Failed):
        guest_disk.unpack(module, tmp_path)
    assert verbs == asked

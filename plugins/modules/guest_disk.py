#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""A bootable disk image of a tiny guest, made of Debian's packages."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: guest_disk
short_description: Build a bootable disk image of a tiny guest
version_added: "0.1.0"
description:
  - The disk has one FAT partition with SYSLINUX, a kernel and an initramfs, and the initramfs is the whole guest -
    busybox, kernel modules and files. A BIOS boots it.
  - Kernel and busybox come from Debian's packages, which are downloaded and unpacked, not installed. Nothing is
    mounted.
  - What the image was made of is kept beside it, so that it is built again only when that is different. The versions
    of packages do not count.
author:
  - novalab contributors (@novalab)
requirements:
  - apt, dpkg, mtools, syslinux, qemu-img
options:
  dest:
    description: The image, in the format qcow2. It gets its name when it is complete.
    type: path
    required: true
  kernel_package:
    description: A package that depends on that of a kernel, such as C(linux-image-cloud-amd64).
    type: str
    required: true
  busybox_package:
    description: The package with a busybox that needs no libraries.
    type: str
    default: busybox-static
  modules:
    description:
      - Modules of the kernel that the guest has. What they depend on comes along; a module that the kernel does not
        have, or has built in, is left out. C(/etc/modules) lists their files in an order in which they can be loaded.
    type: list
    elements: str
    default: []
  command_line:
    description: The kernel's command line.
    type: str
    default: console=tty0 console=ttyS0,115200
  files:
    description:
      - The guest's files, as a mapping of paths without a leading slash to texts. Those that begin with C(#!) can be
        run, and C(/init) is run.
    type: dict
    required: true
attributes:
  check_mode:
    support: full
    description: Says whether the image would be built.
  diff_mode:
    support: none
    description: There is nothing to show of a disk.
"""

EXAMPLES = r"""
- name: Build a guest that says that it is there
  novalab.openstack.guest_disk:
    dest: /var/lib/novalab/guest.qcow2
    kernel_package: linux-image-cloud-amd64
    files:
      init: |
        #!/bin/busybox sh
        echo Here I am
        exec sh
"""

RETURN = r"""
size:
  description: The size of the image file in bytes, 0 if there is none.
  type: int
  returned: always
"""

import gzip
import hashlib
import json
import lzma
import os
import re
import shutil
import struct
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

MBR = Path("/usr/lib/syslinux/mbr/mbr.bin")
FOLDERS = ("bin", "dev", "lib", "lib/modules", "mnt", "proc", "root", "run", "sys", "tmp")
SECTOR = 512
START = 2048  # the first sector of the partition, where partitioning tools put it
SYSLINUX = "DEFAULT guest\nPROMPT 0\nTIMEOUT 0\nLABEL guest\n  LINUX /vmlinuz\n  INITRD /initrd\n  APPEND {}\n"


def ingredients(module: AnsibleModule) -> str:
    """A digest of what the image is made of."""
    text = json.dumps({name: value for name, value in module.params.items() if name != "dest"}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def run(module: AnsibleModule, *command: str, folder: Path | None = None) -> str:
    """Run a command that must not fail; its output."""
    code, out, err = module.run_command(list(command), cwd=str(folder) if folder else None)
    if code != 0:
        said = (err or out).strip()[-2000:]
        module.fail_json(msg=f"'{' '.join(command)}' ended with status {code}: {said}")
    return str(out)


def build(module: AnsibleModule) -> None:
    """Build the image in a folder beside it."""
    dest = Path(module.params["dest"])
    dest.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".build-", dir=dest.parent))
    try:
        root = unpack(module, folder)
        (kernel,) = (root / "boot").glob("vmlinuz-*")
        busybox = next(path for path in root.glob("**/busybox") if path.is_file() and os.access(path, os.X_OK))
        drivers = in_order(root, module.params["modules"])
        archive = initramfs(busybox.read_bytes(), drivers, module.params["files"])
        disk = folder / "disk"
        content = {
            "vmlinuz": kernel.read_bytes(),
            "initrd": gzip.compress(archive, mtime=0),
            "syslinux.cfg": SYSLINUX.format(module.params["command_line"]).encode(),
        }
        write_disk(module, disk, content)
        run(module, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(disk), str(folder / "image"))
        (folder / "image").chmod(0o644)
        (folder / "image").replace(dest)
    finally:
        shutil.rmtree(folder)


def unpack(module: AnsibleModule, folder: Path) -> Path:
    """Download the kernel that a package stands for, and busybox; the folder with what is in them."""
    depends = ("apt-cache", "depends", "--no-recommends", "--no-suggests", module.params["kernel_package"])
    # A node may have no lists of packages, or old ones with a kernel that is no longer there.
    code, said = module.run_command(list(depends))[:2]
    if code != 0 or not download(module, folder, said, check=False):
        run(module, "apt-get", "-q", "update")
        download(module, folder, run(module, *depends), check=True)
    for file in folder.glob("*.deb"):
        run(module, "dpkg-deb", "--extract", str(file), str(folder / "root"))
    return folder / "root"


def download(module: AnsibleModule, folder: Path, depends: str, *, check: bool) -> bool:
    """Download busybox and the kernel that is among the dependencies. Whether it worked, unless it must."""
    kernels = re.findall(r"^ *Depends: (linux-image-\S+)", depends, re.MULTILINE)
    if not kernels:
        module.fail_json(msg=f"The kernel's package depends on no package linux-image-*: {depends.strip()}")
    # As root: apt's own user may not write to the folder.
    command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", kernels[0]]
    command.append(module.params["busybox_package"])
    if check:
        run(module, *command, folder=folder)
        return True
    return bool(module.run_command(command, cwd=str(folder))[0] == 0)


def in_order(root: Path, wanted: list[str]) -> dict[str, bytes]:
    """The wanted modules of the kernel below root with what they depend on, in an order in which they can be loaded."""
    found = {module_name(path): path for path in root.glob("**/kernel/**/*.ko*")}
    loaded: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in loaded or name not in found:
            return
        data = found[name].read_bytes()
        if found[name].suffix == ".xz":
            data = lzma.decompress(data)
        for needed in dependencies(data):
            add(needed)
        loaded[name] = data

    for name in wanted:
        add(name)
    return loaded


def module_name(path: Path) -> str:
    """A module's name as the kernel knows it."""
    return path.name.partition(".")[0].replace("-", "_")


def dependencies(module: bytes) -> list[str]:
    """The modules that a module needs, which it says in its section .modinfo."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    return [name.replace("-", "_") for name in found[1].decode().split(",") if name] if found else []


def initramfs(busybox: bytes, drivers: dict[str, bytes], files: dict[str, str]) -> bytes:
    """The guest's root file system, as an archive for the kernel."""
    archive = Archive()
    folders = {str(folder) for path in files for folder in Path(path).parents if str(folder) != "."}
    for folder in sorted(folders.union(FOLDERS, ["etc"])):
        archive.add(folder, 0o040755)
    archive.add("bin/busybox", 0o100755, busybox)
    archive.add("bin/sh", 0o120777, b"busybox")
    for name, data in drivers.items():
        archive.add(f"lib/modules/{name}.ko", 0o100644, data)
    archive.add("etc/modules", 0o100644, "".join(f"/lib/modules/{name}.ko\n" for name in drivers).encode())
    for path, text in sorted(files.items()):
        archive.add(path, 0o100755 if text.startswith("#!") else 0o100644, text.encode())
    return archive.complete()


class Archive:
    """A cpio archive as the kernel reads it (Documentation/driver-api/early-userspace/buffer-format)."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._number = 0

    def add(self, path: str, mode: int, data: bytes = b"") -> None:
        """Add a file, a folder or a symbolic link, which mode tells; root owns it."""
        self._number += 1
        name = path.encode() + b"\0"
        fields = (self._number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        self._data += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self._pad()
        self._data += data
        self._pad()

    def complete(self) -> bytes:
        """The archive with its last entry."""
        self.add("TRAILER!!!", 0)
        return bytes(self._data)

    def _pad(self) -> None:
        self._data += bytes(-len(self._data) % 4)


def write_disk(module: AnsibleModule, disk: Path, content: dict[str, bytes]) -> None:
    """A disk that a BIOS boots, with the files in the one partition that it has."""
    # Below 16 MiB it would be a FAT of 12 bits. 2 MiB are for the tables and for SYSLINUX.
    mebibytes = max(sum(map(len, content.values())) // 2**20 + 3, 17)
    sectors = mebibytes * 2**20 // SECTOR
    # One active partition of type 0E, FAT with LBA; the addresses by cylinder are those that mean "see the LBA".
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0E, b"\xfe\xff\xff", START, sectors)
    with disk.open("wb") as stream:
        stream.write(MBR.read_bytes().ljust(446, b"\0") + entry.ljust(64, b"\0") + b"\x55\xaa")
        stream.truncate((START + sectors) * SECTOR)
    place = f"{disk}@@{START * SECTOR}"
    geometry = ("-T", str(sectors), "-h", "64", "-s", "32", "-H", str(START))
    run(module, "mformat", "-i", place, *geometry, "-v", "NOVALAB", "::")
    for name, data in content.items():
        file = disk.with_name(name)
        file.write_bytes(data)
        run(module, "mcopy", "-i", place, str(file), f"::{name}")
    run(module, "syslinux", "--install", "--offset", str(START * SECTOR), str(disk))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "kernel_package": {"type": "str", "required": True},
            "busybox_package": {"type": "str", "default": "busybox-static"},
            "modules": {"type": "list", "elements": "str", "default": []},
            "command_line": {"type": "str", "default": "console=tty0 console=ttyS0,115200"},
            "files": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    dest = Path(module.params["dest"])
    note = dest.with_name(dest.name + ".made-of")
    digest = ingredients(module)
    current = dest.is_file() and note.is_file() and note.read_text(encoding="utf-8").strip() == digest
    if not current and not module.check_mode:
        note.unlink(missing_ok=True)
        build(module)
        note.write_text(digest + "\n", encoding="utf-8")
    module.exit_json(changed=not current, size=dest.stat().st_size if dest.is_file() else 0)


if __name__ == "__main__":
    main()

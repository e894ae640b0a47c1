# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""When guests are taken to run under KVM, with scripts in the place of the emulator."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.novalab.openstack.plugins.modules import kvm_probe

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def module(tmp_path: Path) -> SimpleNamespace:
    """A machine with a device and a kernel; its emulator is still to be written."""
    names = ("device", "kernel", "emulator")
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "emulator").chmod(0o755)
    parameters: dict[str, Any] = {name: str(tmp_path / name) for name in names}
    return SimpleNamespace(params={**parameters, "timeout": 5})


def emulate(tmp_path: Path, script: str) -> None:
    (tmp_path / "emulator").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("script", "virt_type", "seen"),
    [
        ("echo SeaBIOS; echo '[0.0] Linux version 6.12'; exec sleep 60", "kvm", "a Linux kernel starts under KVM"),
        ("printf 'Linux '; sleep 0.1; printf 'version 6.12'; exec sleep 60", "kvm", "a Linux kernel starts under KVM"),
        # That the emulator's own words come on standard error is no matter.
        ("echo 'KVM internal error. Suberror: 1' >&2; exec sleep 60", "qemu", "ends with 'KVM internal error'"),
        ("echo 'x: failed to initialize kvm: Permission denied'; exit 1", "qemu", "'failed to initialize kvm'"),
        ("echo SeaBIOS; exit 3", "qemu", "the emulator ended with status 3 before a kernel under KVM spoke"),
        ("exit 0", "qemu", "ended with status 0"),
    ],
)
def test_kernel_that_boots_or_not_decides_about_kvm(
    tmp_path: Path, module: SimpleNamespace, script: str, virt_type: str, seen: str
) -> None:
    emulate(tmp_path, script)
    found, reason = kvm_probe.find_out(module)
    assert found == virt_type
    assert seen in reason
    assert reason.endswith("so instances are emulated") is (virt_type == "qemu")


def test_a_kernel_that_says_nothing(tmp_path: Path, module: SimpleNamespace) -> None:
    emulate(tmp_path, f"echo $$ >{tmp_path}/pid; echo SeaBIOS; exec sleep 60")
    module.params["timeout"] = 0.3
    start = time.monotonic()
    found, reason = kvm_probe.find_out(module)
    assert (found, "says nothing within 0.3 s" in reason) == ("qemu", True)
    assert time.monotonic() - start < 3
    # The emulator does not stay behind.
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), 0)


def test_the_emulator_is_told_to_use_kvm(tmp_path: Path, module: SimpleNamespace) -> None:
    emulate(tmp_path, f'echo "$@" >{tmp_path}/arguments')
    kvm_probe.find_out(module)
    words = (tmp_path / "arguments").read_text(encoding="utf-8").split()
    assert words[words.index("-accel") + 1] == "kvm"
    assert words[words.index("-kernel") + 1] == module.params["kernel"]


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("device", "{path} is not there, so instances are emulated"),
        ("kernel", "{path} is not there to try KVM with, so instances are emulated"),
        ("emulator", "{path} is not there to try KVM with, so instances are emulated"),
    ],
)
def test_emulator_or_kernel_that_is_missing_means_qemu(
    tmp_path: Path, module: SimpleNamespace, missing: str, reason: str
) -> None:
    (tmp_path / missing).unlink()
    assert kvm_probe.find_out(module) == ("qemu", reason.format(path=tmp_path / missing))


def test_a_device_that_cannot_be_opened(module: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: path != module.params["device"])
    assert kvm_probe.find_out(module) == (
        "qemu",
        f"{module.params['device']} cannot be opened, so instances are emulated",
    )


@pytest.mark.parametrize("changed", ["device", "kernel", "emulator"])
def test_a_finding_depends_on_the_machine(tmp_path: Path, module: SimpleNamespace, changed: str) -> None:
    before = kvm_probe.circumstances(module)
    assert kvm_probe.circumstances(module) == before
    (tmp_path / changed).unlink()
    assert kvm_probe.circumstances(module) != before

#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Find out whether guests really run under KVM on this machine."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: kvm_probe
short_description: Find out whether guests really run under KVM
version_added: "0.1.0"
description:
  - Starts a Linux kernel under KVM and takes KVM for working when the kernel speaks on its serial line in time.
  - That C(/dev/kvm) exists, opens and even runs a firmware says too little. In some nested machines every ordinary
    kernel stops at its first instructions.
  - The finding is kept with what it depends on, so that the next call does not start the kernel again.
author:
  - novalab contributors (@novalab)
options:
  virt_type:
    description: V(kvm) and V(qemu) are taken as they are; V(auto) is found out.
    type: str
    choices: [auto, kvm, qemu]
    default: auto
  kernel:
    description: The kernel to start.
    type: path
    required: true
  emulator:
    description: The emulator to start it with.
    type: path
    default: /usr/bin/qemu-system-x86_64
  timeout:
    description: Seconds that the kernel has to speak.
    type: int
    default: 6
  device:
    description: The device of KVM.
    type: path
    default: /dev/kvm
  finding:
    description: The file that keeps the finding.
    type: path
    default: /var/lib/novalab/accelerator.json
attributes:
  check_mode:
    support: full
    description: Finds out all the same, since that changes nothing, but does not keep the finding.
  diff_mode:
    support: none
    description: There is nothing to compare.
"""

EXAMPLES = r"""
- name: Find out how instances can run
  novalab.openstack.kvm_probe:
    kernel: /usr/lib/novalab/vmlinuz
  register: accelerator
"""

RETURN = r"""
virt_type:
  description: What libvirt is to use.
  type: str
  returned: always
  sample: qemu
reason:
  description: Why, in one sentence.
  type: str
  returned: always
  sample: /dev/kvm is not there, so instances are emulated
"""

import json
import os
import platform
import selectors
import subprocess
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

SPOKEN = b"Linux version"
REFUSED = (b"KVM internal error", b"failed to initialize kvm", b"Could not access KVM")


def start(emulator: str, kernel: str, timeout: float) -> tuple[bool, str]:
    """Whether the kernel speaks under KVM within the time, and what was seen."""
    command = [
        *(emulator, "-accel", "kvm", "-m", "256", "-nodefaults", "-no-user-config"),
        *("-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-kernel", kernel, "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1"),
    ]
    output = b""
    end = time.monotonic() + timeout
    with (
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        screen = process.stdout
        if screen is None:
            raise RuntimeError("the emulator was started without a pipe")
        selector.register(screen, selectors.EVENT_READ)
        try:
            while (remaining := end - time.monotonic()) > 0:
                if not selector.select(remaining):
                    break
                data = os.read(screen.fileno(), 65536)
                output += data
                if SPOKEN in output:
                    return True, "a Linux kernel starts under KVM"
                refusal = next((text for text in REFUSED if text in output), None)
                if refusal:
                    return False, f"a Linux kernel under KVM ends with '{refusal.decode()}'"
                if not data:
                    return False, f"the emulator ended with status {process.wait()} before a kernel under KVM spoke"
        finally:
            process.kill()
    return False, f"a Linux kernel under KVM says nothing within {timeout:g} s"


def circumstances(module: AnsibleModule) -> dict[str, Any]:
    """What the finding depends on."""
    kernel = Path(module.params["kernel"])
    emulator = Path(module.params["emulator"])
    return {
        "host_kernel": platform.release(),
        "processor": next(
            (
                line
                for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
                if line.startswith("model name")
            ),
            "",
        ),
        "device": Path(module.params["device"]).exists(),
        "kernel": [kernel.stat().st_size, int(kernel.stat().st_mtime)] if kernel.exists() else None,
        "emulator": int(emulator.stat().st_mtime) if emulator.exists() else None,
    }


def find_out(module: AnsibleModule) -> tuple[str, str]:
    """The type of virtualisation and the reason."""
    device, kernel, emulator = (module.params[name] for name in ("device", "kernel", "emulator"))
    if not os.path.exists(device):
        return "qemu", f"{device} is not there, so instances are emulated"
    if not os.access(device, os.R_OK | os.W_OK):
        return "qemu", f"{device} cannot be opened, so instances are emulated"
    for what in (kernel, emulator):
        if not os.path.exists(what):
            return "qemu", f"{what} is not there to try KVM with, so instances are emulated"
    works, seen = start(emulator, kernel, module.params["timeout"])
    return ("kvm", seen) if works else ("qemu", f"{device} is there, but {seen}, so instances are emulated")


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "virt_type": {"type": "str", "choices": ["auto", "kvm", "qemu"], "default": "auto"},
            "kernel": {"type": "path", "required": True},
            "emulator": {"type": "path", "default": "/usr/bin/qemu-system-x86_64"},
            "timeout": {"type": "int", "default": 6},
            "device": {"type": "path", "default": "/dev/kvm"},
            "finding": {"type": "path", "default": "/var/lib/novalab/accelerator.json"},
        },
        supports_check_mode=True,
    )
    asked = module.params["virt_type"]
    if asked != "auto":
        module.exit_json(changed=False, virt_type=asked, reason=f"virt_type is set to {asked}")
    now = circumstances(module)
    finding = Path(module.params["finding"])
    try:
        kept = json.loads(finding.read_text(encoding="utf-8"))
        if kept["circumstances"] == now:
            module.exit_json(changed=False, virt_type=kept["virt_type"], reason=kept["reason"])
    except (OSError, ValueError, KeyError):
        pass  # nothing usable is kept
    virt_type, reason = find_out(module)
    if not module.check_mode:
        finding.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        text = json.dumps({"virt_type": virt_type, "reason": reason, "circumstances": now}, indent=2)
        finding.write_text(text + "\n", encoding="utf-8")
    module.exit_json(changed=not module.check_mode, virt_type=virt_type, reason=reason)


if __name__ == "__main__":
    main()

"""What only a compute has: libvirt, its way of virtualisation, Open vSwitch and OVN."""

import json
from pathlib import Path
from typing import Any

from labctl.diagnostics.doctor.probes import logins, system

_NOVA = "/etc/nova/nova.conf"
_DRIVER = "/etc/nova/nova-compute.conf"
_ACCELERATOR = Path("/var/lib/novalab/accelerator.json")
_CONSOLE = ("novncproxy_base_url", "server_listen", "server_proxyclient_address")


def gather(states: dict[str, Any]) -> dict[str, Any]:
    """The compute's own facts. states are those of its units: a question to a stopped libvirtd would start it."""
    found: dict[str, Any] = {
        "virt_type": logins.setting(_DRIVER, "libvirt", "virt_type") or logins.setting(_NOVA, "libvirt", "virt_type"),
        "accelerator": _accelerator(),
        "device": Path("/dev/kvm").exists(),
        "host": logins.setting(_NOVA, "DEFAULT", "host"),
        "console": {name: logins.setting(_NOVA, "vnc", name) for name in _CONSOLE},
    }
    active = {name for name, state in states.items() if state["active"] == "active"}
    if "libvirtd" in active:
        found["libvirt"] = system.libvirt()
    if "ovn-controller" in active:
        status = system.run("ovn-appctl", "-t", "ovn-controller", "connection-status", timeout=5)
        remote = system.run("ovs-vsctl", "--timeout=3", "get", "Open_vSwitch", ".", "external_ids:ovn-remote")
        found["ovn"] = {"status": status.strip(), "remote": remote.strip(' "\n')}
    return found


def _accelerator() -> dict[str, Any]:
    """What the role nova_compute has found out about KVM; empty if it has not."""
    try:
        kept = json.loads(_ACCELERATOR.read_text(encoding="utf-8"))
        return {"virt_type": kept["virt_type"], "reason": kept["reason"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}

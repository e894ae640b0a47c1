"""What only a compute has: libvirt, its way of virtualisation, Open vSwitch and OVN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labctl.diagnostics.doctor.probes import logins, system
from labctl.diagnostics.doctor.probes.units import run

_NOVA = "/etc/nova/nova.conf"
_DRIVER = "/etc/nova/nova-compute.conf"
_FINDING = Path("/var/lib/novalab/accelerator.json")


def gather(units: dict[str, Any]) -> dict[str, Any]:
    """The compute's own facts. units says what runs: a question to a stopped libvirtd would start it."""
    found: dict[str, Any] = {
        "virt_type": logins.setting(_DRIVER, "libvirt", "virt_type") or logins.setting(_NOVA, "libvirt", "virt_type"),
        "accelerator": accelerator(),
        "device": Path("/dev/kvm").exists(),
        "host": logins.setting(_NOVA, "DEFAULT", "host"),
        "console": {
            name: logins.setting(_NOVA, "vnc", name)
            for name in ("novncproxy_base_url", "server_listen", "server_proxyclient_address")
        },
    }
    if _active(units, "libvirtd"):
        found["libvirt"] = system.libvirt()
    if _active(units, "ovn-controller"):
        found["ovn"] = {
            "status": run("ovn-appctl", "-t", "ovn-controller", "connection-status", timeout=5).strip(),
            "remote": run("ovs-vsctl", "--timeout=3", "get", "Open_vSwitch", ".", "external_ids:ovn-remote").strip(
                ' "\n'
            ),
        }
    return found


def accelerator() -> dict[str, Any]:
    """What the role nova_compute has found out about KVM; empty when it has not."""
    try:
        kept = json.loads(_FINDING.read_text(encoding="utf-8"))
        return {"virt_type": kept["virt_type"], "reason": kept["reason"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _active(units: dict[str, Any], unit: str) -> bool:
    return bool(units.get(unit, {}).get("active") == "active")

# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is said of a node that is not as it was left."""

from __future__ import annotations

import copy
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import cloud_objects
from ansible_collections.novalab.openstack.plugins.modules import drift

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE = {"kind": "file", "owner": "0:110", "mode": "0640", "changed": 1, "text": "abc"}
LINK = {"kind": "link", "target": "/usr/lib/systemd/system/nova-api.service"}
WAS: dict[str, dict[str, Any]] = {
    "node": {"the node": {"boot": "k 12", "name": "controller"}, "packages": {"status": "abc"}},
    "files": {"/etc/nova/nova.conf": FILE, "/etc/nova": {"kind": "folder", "owner": "0:0", "mode": "0755"}, "/l": LINK},
    "units": {"nova-api.service": {"state": "active", "enabled": "enabled"}},
    "objects": {"Keystone user nova": {"value": "abc"}},
    "switch": {"port lab0 of br-lab": {}},
}


def test_additions_are_no_difference() -> None:
    """Also where there is more than there was, which no role would take away."""
    now = copy.deepcopy(WAS)
    now["units"]["x.service"] = {"state": "failed", "enabled": "disabled"}
    now["units"]["nova-api.service"]["state"] = "reloading"
    now["objects"]["Keystone user bob"] = {"value": "abc"}
    now["switch"]["port lab1 of br-lab"] = {}
    assert list(drift.differences(WAS, now)) == []


@pytest.mark.parametrize(
    ("section", "name", "facts", "said"),
    [
        (
            "node",
            "the node",
            {"boot": "k 13", "name": "controller"},
            "the node: was started again or renamed",
        ),
        ("node", "packages", {"status": "abd"}, "packages: some were installed, removed or brought up to date"),
        ("files", "/etc/nova/nova.conf", None, "/etc/nova/nova.conf: is gone"),
        ("files", "/etc/nova/nova.conf", {**FILE, "text": "abd", "changed": 2}, "/etc/nova/nova.conf: another text"),
        ("files", "/etc/nova/nova.conf", {**FILE, "changed": 2}, "/etc/nova/nova.conf: was changed and put back"),
        ("files", "/etc/nova/nova.conf", LINK, "/etc/nova/nova.conf: was a file, is a link"),
        (
            "files",
            "/etc/nova/nova.conf",
            {**FILE, "mode": "0644", "owner": "0:0", "changed": 2},
            "/etc/nova/nova.conf: owner was 0:110, is 0:0, mode was 0640, is 0644",
        ),
        (
            "files",
            "/etc/nova",
            {"kind": "folder", "owner": "0:0", "mode": "0777"},
            "/etc/nova: mode was 0755, is 0777",
        ),
        ("files", "/l", {**LINK, "target": "/dev/null"}, f"/l: led to {LINK['target']}, leads to /dev/null"),
        ("files", "/etc/nova/more.conf", FILE, "/etc/nova/more.conf: is new"),
        (
            "units",
            "nova-api.service",
            {"state": "inactive", "enabled": "disabled"},
            "unit nova-api.service: was active, is inactive, was enabled, is disabled",
        ),
        ("units", "nova-api.service", None, "unit nova-api.service: is gone"),
        ("objects", "Keystone user nova", {"value": "abd"}, "Keystone user nova: differs"),
        ("objects", "Keystone user nova", None, "Keystone user nova: is gone"),
        ("switch", "port lab0 of br-lab", None, "Open vSwitch: port lab0 of br-lab: is gone"),
    ],
)
def test_difference_of_a_fact_is_worded(section: str, name: str, facts: dict[str, Any] | None, said: str) -> None:
    now = copy.deepcopy(WAS)
    if facts is None:
        del now[section][name]
    else:
        now[section][name] = facts
    assert list(drift.differences(WAS, now)) == [said]


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "etc"
    (folder / "nova").mkdir(parents=True)
    (folder / "libvirt" / "qemu").mkdir(parents=True)
    (folder / "nova" / "nova.conf").write_text("[DEFAULT]\n", encoding="utf-8")
    (folder / "link").symlink_to("nova/nova.conf")
    monkeypatch.setattr(drift, "LEFT_OUT", (str(folder / "libvirt" / "qemu"),))
    return folder


def rewrite(folder: Path) -> None:
    path = folder / "nova" / "nova.conf"
    times = path.stat()
    path.write_text("[DEFAULT]\n", encoding="utf-8")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda etc: (etc / "libvirt" / "qemu" / "instance-1.xml").touch(), []),
        (lambda etc: (etc / "nova" / "nova.conf").write_text("[default]\n"), ["nova/nova.conf: another text"]),
        (lambda etc: (etc / "nova" / "nova.conf").chmod(0o600), ["nova/nova.conf: mode was 0644, is 0600"]),
        (rewrite, ["nova/nova.conf: was changed and put back"]),
        (lambda etc: (etc / "link").unlink(), ["link: is gone"]),
        (lambda etc: (etc / "nova" / "x.d").mkdir(), ["nova/x.d: is new"]),
        (lambda etc: (etc / "nova").chmod(0o700), ["nova: mode was 0755, is 0700"]),
    ],
    ids=["guest", "text", "mode", "put back", "link", "folder", "mode of a folder"],
)
def test_files_that_were_changed_are_named(etc: Path, damage: Callable[[Path], None], said: list[str]) -> None:
    os.umask(0o022)
    (etc / "nova").chmod(0o755)
    (etc / "nova" / "nova.conf").chmod(0o644)
    was = {**WAS, "files": drift.files([str(etc)])}
    damage(etc)
    found = drift.differences(was, {**WAS, "files": drift.files([str(etc)])})
    assert list(found) == [f"{etc}/{line}" for line in said]


def test_large_files_are_not_read(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "READ_WHOLE", 4)
    assert drift.files([str(etc / "nova" / "*")])[str(etc / "nova" / "nova.conf")]["text"] == len("[DEFAULT]\n")


def test_units_expected_are_those_enabled_or_running() -> None:
    """Only what is enabled and runs is expected to go on."""
    output = (
        "Id=nova-api.service\nActiveState=active\nUnitFileState=enabled\n\n"
        "Id=user@1000.service\nActiveState=active\nUnitFileState=static\n\n"
        "Id=e2scrub_reap.service\nActiveState=inactive\nUnitFileState=enabled\n"
    )
    assert drift.lasting(drift.units(output)) == {"nova-api.service": {"state": "active", "enabled": "enabled"}}
    assert len(drift.units(output)) == 3


def test_switch_facts_are_read_from_ovs() -> None:
    settings = (
        '{"data":[[["map",[["ovn-remote","tcp:10.213.60.11:6642"]]],["map",[]]]],'
        '"headings":["external_ids","other_config"]}\n'
    )
    bridges = '{"data":[["br-lab","netdev"]],"headings":["name","datapath_type"]}\n'
    assert drift.switch_facts(settings, bridges, "ptcp:6640:127.0.0.1\n", {"br-lab": "lab0\npatch-1\n"}) == {
        "manager ptcp:6640:127.0.0.1": {},
        "external_ids:ovn-remote": {"value": "tcp:10.213.60.11:6642"},
        "bridge br-lab": {"datapath": "netdev"},
        "port lab0 of br-lab": {},
        "port patch-1 of br-lab": {},
    }


def test_note_is_private_and_belongs_to_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "novalab" / "left.json"
    monkeypatch.setattr(drift, "NOTE", str(note))
    assert drift.read_note("t0") is None
    drift.write_note("t0", WAS)
    assert note.stat().st_mode & 0o777 == 0o600
    assert drift.read_note("t0") == WAS
    assert drift.read_note("t1") is None
    assert [path.name for path in note.parent.iterdir()] == ["left.json"]
    note.write_text(json.dumps([]), encoding="utf-8")
    assert drift.read_note("t0") is None


def test_fingerprints_of_objects_hide_what_they_hold() -> None:
    """Of all rows of an object, in any order; what they hold is not in them."""
    rows = [{"label": "nova", "password": "hunter2"}, {"label": "nova", "password": "x"}, {"label": "bob", "p": None}]
    found = cloud_objects.fingerprints("user", rows)
    assert set(found) == {"user nova", "user bob"}
    assert found == cloud_objects.fingerprints("user", reversed(rows))
    assert "hunter2" not in str(found)
    assert found["user nova"] != cloud_objects.fingerprints("user", rows[:1])["user nova"]

# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is read from C(systemctl show)."""

from __future__ import annotations

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import systemd
from ansible_collections.novalab.openstack.plugins.module_utils.systemd import Unit

MOMENT = 1795529563.123456
SHOW = """\
NRestarts=0
ExecMainStartTimestamp=Tue 2026-11-24 14:12:43.123456 UTC
Id=nova-api.service
LoadState=loaded
ActiveState=active
SubState=running
Result=success
UnitFileState=enabled
ActiveEnterTimestamp=Tue 2026-11-24 14:12:44.123456 UTC
NeedDaemonReload=yes

Id=libvirtd.socket
LoadState=loaded
ActiveState=active
SubState=listening
UnitFileState=disabled
ActiveEnterTimestamp=Tue 2026-11-24 14:12:43.123456 UTC
NeedDaemonReload=no

NRestarts=7
ExecMainStartTimestamp=n/a
Id=nova-compute.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
Result=exit-code
ActiveEnterTimestamp=Tue 2026-11-24 14:12:40.123456 UTC
ActiveExitTimestamp=Tue 2026-11-24 14:12:43.123456 UTC
StateChangeTimestamp=Tue 2026-11-24 14:12:50.000000 UTC

Id=none.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
"""
NAMES = ["nova-api", "libvirtd.socket", "nova-compute", "none"]


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Tue 2026-11-24 14:12:43.123456 UTC", MOMENT),
        ("Thu 1970-01-01 00:00:01.500000 UTC", 1.5),
        ("n/a", 0.0),
        ("", 0.0),
    ],
)
def test_moment_printed_by_systemctl_is_read(text: str, seconds: float) -> None:
    assert systemd.moment(text) == pytest.approx(seconds, abs=1e-6)


def test_units_of_systemctl_show() -> None:
    api, socket, compute, none = systemd.parse(SHOW, NAMES)
    assert (api.enabled, api.started, api.since, api.stale_definition) == ("enabled", MOMENT, MOMENT + 1, True)
    assert (socket.active, socket.started) == ("active", MOMENT)  # it has no process
    assert (compute.restarts, compute.result) == (7, "exit-code")
    assert compute.since == MOMENT  # since it last ran, not since the last attempt
    assert none == Unit("none", "not-found", "inactive", "dead")
    assert [str(unit) for unit in (api, compute, none)] == [
        "active (running)",
        "activating (auto-restart), started again 7 times",
        "not installed",
    ]


def test_an_answer_for_other_units_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        systemd.parse(SHOW, NAMES[:2])


def test_the_command_asks_for_full_names() -> None:
    assert systemd.show(["nova-api", "libvirtd.socket"])[-2:] == ["nova-api.service", "libvirtd.socket"]

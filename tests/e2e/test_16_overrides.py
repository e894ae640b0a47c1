"""The user's own options on a running lab: they come, show in the plan, and leave with their file."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.lab import LiveLab

FILTERS = "ComputeFilter,ImagePropertiesFilter,NumInstancesFilter"
OVERRIDE = f"[filter_scheduler]\nenabled_filters = {FILTERS}\nram_weight_multiplier = -1.0\n"
# As nova-scheduler reads its file.
ASK = (
    "import nova.conf; from nova import config; "
    "config.parse_args(['x', '--config-file=/etc/nova/nova.conf'], configure_db=False, init_rpc=False); "
    "found = nova.conf.CONF.filter_scheduler; print(','.join(found.enabled_filters), found.ram_weight_multiplier)"
)
UNITS = ("nova-scheduler", "nova-conductor", "keystone", "placement-api")


@pytest.fixture(scope="module", autouse=True)
def _overrides(lab: LiveLab) -> Iterator[None]:
    yield
    shutil.rmtree(lab.directory / "overrides", ignore_errors=True)
    lab.up()


def read(lab: LiveLab) -> str:
    """The options as nova-scheduler reads them from its file."""
    return lab.on("controller", f'sudo -u nova python3 -c "{ASK}"').strip().splitlines()[-1]


def started(lab: LiveLab) -> dict[str, str]:
    """When services began, by unit."""
    shown = lab.on("controller", f"systemctl show -p Id -p ActiveEnterTimestampMonotonic {' '.join(UNITS)}")
    blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in shown.strip().split("\n\n")]
    return {block["Id"].removesuffix(".service"): block["ActiveEnterTimestampMonotonic"] for block in blocks}


def test_option_of_override_reaches_the_running_scheduler(lab: LiveLab) -> None:
    before, default = started(lab), read(lab)
    (lab.directory / "overrides").mkdir()
    (lab.directory / "overrides" / "nova.conf").write_text(OVERRIDE, encoding="utf-8")
    plan = lab.labctl("plan").stdout
    assert "~ overrides/nova.conf: filter_scheduler/enabled_filters set" in plan
    assert "nova-scheduler" in plan
    lab.up()
    assert read(lab) == f"{FILTERS} -1.0"
    after = started(lab)
    assert {unit for unit in UNITS if after[unit] != before[unit]} == {"nova-scheduler", "nova-conductor"}
    assert lab.up()["unchanged"]
    (lab.directory / "overrides" / "nova.conf").unlink()
    assert "back to what the role writes" in lab.labctl("plan").stdout
    lab.up()
    assert read(lab) == default


def test_option_that_nova_does_not_know_is_refused_with_its_line(lab: LiveLab) -> None:
    path = lab.directory / "overrides" / "nova.conf"
    path.write_text("[filter_scheduler]\nenabled_filter = ComputeFilter\n", encoding="utf-8")
    before = lab.on("controller", "stat -c %Y /etc/nova/nova.conf")
    done = lab.labctl("up", check=False)
    assert done.returncode == 2
    assert f"{path}, line 2, filter_scheduler/enabled_filter: found the option enabled_filter" in done.stderr
    assert "did you mean enabled_filters?" in done.stderr
    assert lab.on("controller", "stat -c %Y /etc/nova/nova.conf") == before

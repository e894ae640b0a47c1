"""The lab held still."""

import json
import time
from datetime import UTC, datetime

from tests.e2e.lab import FOUR_ROWS, LiveLab

HELD = 15  # seconds, more than the ten between two reports of a service
REPORTS = (
    "mariadb -N nova -e \"SELECT CONCAT(\\`binary\\`, ' ', host, ' ', UNIX_TIMESTAMP(updated_at)) FROM services"
    ' WHERE deleted = 0 AND updated_at IS NOT NULL"'
)


def reports(lab: LiveLab) -> dict[tuple[str, str], float]:
    """When each service of Nova reported last, in seconds since the epoch, as the cell's database has it (in UTC)."""
    rows = (line.split() for line in lab.on("controller", REPORTS).splitlines())
    return {(binary, host): float(stamp) for binary, host, stamp in rows}


def wait_for_reports(lab: LiveLab, since: datetime, seconds: int = 20) -> None:
    """Wait until all four services have reported since then."""
    end = time.monotonic() + seconds
    while True:
        fresh = {row for row, stamp in reports(lab).items() if stamp >= int(since.timestamp())}
        if fresh == FOUR_ROWS:
            return
        assert time.monotonic() < end, f"have reported: {fresh}"
        time.sleep(1)


def test_pause_and_resume(lab: LiveLab) -> None:
    lab.labctl("pause")
    held = datetime.now(UTC)
    status = json.loads(lab.labctl("status", "--json").stdout)
    assert {node["state"] for node in status["nodes"]} == {"paused"}
    done = lab.labctl("verify", check=False)
    assert (done.returncode, "Run `labctl resume`" in done.stderr) == (1, True), done.stderr
    time.sleep(HELD)
    resumed = datetime.now(UTC)
    lab.labctl("resume")
    wait_for_reports(lab, resumed)
    assert (resumed - held).total_seconds() >= HELD
    assert "No node was held" in lab.labctl("resume").stdout


def test_up_resumes(lab: LiveLab) -> None:
    lab.labctl("pause")
    assert {counts["changed"] for counts in lab.up()["ansible"]["nodes"].values()} == {0}
    assert lab.rows() == FOUR_ROWS

"""One lab for all tests of this folder, which use it in the order of their files and names."""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.e2e import elsewhere
from tests.e2e.lab import LiveLab


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The minutes of each file, which docs/testing.md has."""
    seconds: dict[str, float] = {}
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if isinstance(report, pytest.TestReport):
            name = report.location[0]
            seconds[name] = seconds.get(name, 0.0) + report.duration
    terminalreporter.write_sep("=", "minutes by file")
    for name in sorted(seconds):
        terminalreporter.write_line(f"{seconds[name] / 60:5.1f} {name}")


@pytest.fixture(scope="session")
def lab() -> Iterator[LiveLab]:
    """A lab as `labctl up` makes it; with NOVALAB_KEEP set it stays, and the next run takes it as it is."""
    elsewhere.clear()  # it has the same name and network
    live = LiveLab()
    keep = bool(os.environ.get("NOVALAB_KEEP"))
    if not (keep and (live.directory / "hosts.ini").exists()):
        live.prepare()
    live.up()
    yield live
    if not keep:
        live.labctl("destroy")
        shutil.rmtree(live.directory)

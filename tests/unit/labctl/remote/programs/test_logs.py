"""The program that reads a node's logs, run here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from labctl.remote.programs import logs as there

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC).timestamp()
KNOWN = ["nova-api", "nova-api-metadata", "nova-scheduler", "ovn-ovsdb-server-nb", "rabbitmq-server", "keystone"]


@pytest.mark.parametrize(
    ("line", "moment", "text"),
    [
        ("2026-11-25 12:00:00.500 12 INFO nova [-] x", NOON + 5 * 3600 + 0.5, "12 INFO nova [-] x"),  # local time
        ("2026-11-25T12:00:00.500Z|00016|memory|INFO|x", NOON + 0.5, "00016|memory|INFO|x"),
        ("2026-11-25 12:00:00.500000+00:00 [info] <0.1.0> x", NOON + 0.5, "[info] <0.1.0> x"),
        (
            "[pid: 1] () [Wed Nov 25 12:00:00 2026] GET /",
            NOON + 5 * 3600,
            "[pid: 1] () [Wed Nov 25 12:00:00 2026] GET /",
        ),
        ("Traceback", None, "Traceback"),
        ("2026-13-45 99:00:00 x", None, "2026-13-45 99:00:00 x"),
    ],
)
def test_stamp_of_a_line_is_read_in_every_form(elsewhere: None, line: str, moment: float | None, text: str) -> None:
    assert there.stamped(line) == (moment, text)


@pytest.mark.parametrize(
    ("path", "unit"),
    [
        ("/var/log/nova/nova-api-wsgi.log", "nova-api"),
        ("/var/log/nova/nova-api-metadata.log", "nova-api-metadata"),
        ("/var/log/nova/nova-manage.log", "nova-manage"),
        ("/var/log/ovn/ovsdb-server-nb.log", "ovn-ovsdb-server-nb"),
        ("/var/log/rabbitmq/rabbitmq-server.error.log", "rabbitmq-server"),
    ],
)
def test_unit_of_a_log_file_is_found(path: str, unit: str) -> None:
    assert there.unit_of(path, KNOWN) == unit


def oslo(second: int, text: str) -> str:
    return f"2026-11-25T12:{second // 60:02}:{second % 60:02}.000Z {text}\n"


def test_file_gives_complete_lines_with_times(tmp_path: Path) -> None:
    path = tmp_path / "nova-api.log"
    path.write_text("before\n" + oslo(1, "a") + "Traceback\n" + oslo(2, "b") + "half a li")
    log = there.LogFile(str(path), "nova-api")
    found = log.past(None, None)
    assert [(moment - NOON, text) for moment, _, _, text in found] == [
        (1, "before"),
        (1, "a"),
        (1, "Traceback"),
        (2, "b"),
    ]
    with path.open("a") as stream:
        stream.write("ne\n" + oslo(3, "c"))
    assert [(moment - NOON, text) for moment, _, _, text in log.more()] == [(2, "half a line"), (3, "c")]
    assert log.more() == []
    path.rename(tmp_path / "nova-api.log.1")
    assert log.more() == []
    path.write_text(oslo(4, "d"))
    assert [text for *_, text in log.more()] == ["d"]


def test_a_long_file_is_read_from_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(there, "BLOCK", 64)
    path = tmp_path / "a.log"
    path.write_text("".join(oslo(second, str(second)) for second in range(600)))
    log = there.LogFile(str(path), "a")
    assert [text for *_, text in log.past(None, 2)] == ["598", "599"]
    assert [text for *_, text in log.past(NOON + 500, None)] == [str(second) for second in range(500, 600)]
    assert [text for *_, text in log.past(NOON + 500, 1)] == ["599"]
    assert len(log.past(None, None)) == 600


def test_a_time_without_fractions_does_not_change_the_order(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(oslo(5, "a").replace(".000Z", ".900Z") + oslo(5, "b") + oslo(1, "after the clock was set back"))
    moments = [round(moment - NOON, 1) for moment, *_ in there.LogFile(str(path), "a").past(None, None)]
    assert moments == [5.9, 5.9, 1]


def test_journal_entry_gives_unit_and_text() -> None:
    entry = {
        "__REALTIME_TIMESTAMP": "1500000",
        "__CURSOR": "c",
        "_SYSTEMD_UNIT": "init.scope",
        "UNIT": "nova-api.service",
    }
    assert there.journal_entry(json.dumps({**entry, "MESSAGE": "Started"})) == (
        (1.5, "nova-api", "journal", "Started"),
        "c",
    )
    assert there.journal_entry(json.dumps({**entry, "MESSAGE": list(b"a\xff")}))[0][3] == "a\ufffd"

"""docs/doctor.md says what the doctor does."""

from __future__ import annotations

import re

from labctl.diagnostics.doctor import runner
from tools import doctor_table

TEXT = doctor_table.PAGE.read_text(encoding="utf-8")
ENTRY = {
    "fault": "a | b",
    "check": "unit-down",
    "severity": "error",
    "finding": "a_unit <is> *down*",
    "evidence": ["first", "second", "third", "fourth"],
    "remedy": "do\nthis",
}


def test_checks_are_all_in_the_table() -> None:
    assert doctor_table.put(TEXT, "checks", doctor_table.checks()) == TEXT, "run: python -m tools.doctor_table"


def test_many_faults_are_in_the_table_under_checks_that_exist() -> None:
    told = re.findall(r" \[([a-z-]+)\] \|", TEXT.partition("faults: made by")[2])
    assert len(told) >= 15
    assert set(told) <= {check.id for check in runner.checks()}


def test_row_of_a_fault_is_escaped_and_stays() -> None:
    row = doctor_table.faults([ENTRY]).splitlines()[-1]
    assert row == (r"| a \| b | error: a\_unit \<is\> \*down\* [unit-down] | first<br>third<br>fourth | do this |")
    page = doctor_table.page(TEXT, [ENTRY])
    assert doctor_table.page(page, [ENTRY]) == page
    assert row in page

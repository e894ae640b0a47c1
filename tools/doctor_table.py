"""The generated parts of docs/doctor.md: all checks, and what the doctor has said of faults that a test made.

    python -m tools.doctor_table [RECORD ...]

RECORD is what tests/e2e/test_13_doctor.py writes into the file that NOVALAB_DOCTOR_RECORD names. Without one, the
faults stay as they are in the file.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from labctl.diagnostics.doctor import runner

PAGE = Path(__file__).resolve().parent.parent / "docs" / "doctor.md"
_LAST = 2  # lines of evidence that are shown, beside the first
_LONGEST = 160  # characters of a line


def checks() -> str:
    """A row for each check, by group."""
    rows = ["| check | looks whether | about |", "| --- | --- | --- |"]
    rows += [f"| `{check.id}` | {_cell(check.looks_at)} | {check.group} |" for check in runner.checks()]
    return "\n".join(rows)


def faults(record: list[dict[str, Any]]) -> str:
    """A row for each fault that was made."""
    rows = ["| fault | finding | evidence | what to do |", "| --- | --- | --- | --- |"]
    for entry in record:
        finding = f"{entry['severity']}: {entry['finding']} [{entry['check']}]"
        evidence = "<br>".join(_cell(line) for line in (entry["evidence"][0], *entry["evidence"][1:][-_LAST:]))
        remedy = _cell(" ".join(entry["remedy"].split()))
        rows.append(f"| {_cell(entry['fault'])} | {_cell(finding)} | {evidence} | {remedy} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    """A text as a cell of a table."""
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
    return re.sub(r"([|*_<>\\`])", r"\\\1", short)


def put(page: str, name: str, table: str) -> str:
    """The page with a table between the marks of that name."""
    begin, end = f"<!-- {name}: made by tools/doctor_table.py -->", f"<!-- end of {name} -->"
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    if not rest or not tail:
        raise SystemExit(f"{PAGE} has no marks for {name}")
    return f"{head}{begin}\n\n{table}\n\n{end}{tail}"


def page(text: str, record: list[dict[str, Any]]) -> str:
    """The page anew."""
    text = put(text, "checks", checks())
    return put(text, "faults", faults(record)) if record else text


def main(files: list[str]) -> None:
    """Write the page; of a fault that is in several records, the last counts."""
    found = {entry["fault"]: entry for file in files for entry in json.loads(Path(file).read_text(encoding="utf-8"))}
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), list(found.values())), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

"""The table of ports in the documentation."""

from __future__ import annotations

from tools import port_table


def test_table_in_the_documentation_is_up_to_date() -> None:
    text = port_table.PAGE.read_text(encoding="utf-8")
    assert port_table.page(text) == text, "run: make docs"
    assert "| controller | 3306/tcp | `mariadb` | programs on the controller |" in text


def test_page_gets_its_table() -> None:
    start, end = port_table.MARKS
    assert port_table.page(f"a\n{start}old\n{end}b\n") == f"a\n{start}{port_table.table()}{end}b\n"

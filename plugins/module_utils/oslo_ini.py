# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""INI files as oslo.config reads them (oslo_config/iniparser.py), and how one is merged into another.

configparser would lose what such files may hold: a key several times (MultiStrOpt), and the comments of the file into
which the other is merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """An option as a file sets it. lines are its own and those that continue it; number is the first one's, from 1."""

    section: str
    key: str
    lines: tuple[str, ...]
    number: int

    @property
    def name(self) -> tuple[str, str]:
        """Section and key as oslo.config compares them: hyphens in a key count as underscores."""
        return self.section, self.key.replace("-", "_")

    @property
    def value(self) -> str:
        """The value, in one line."""
        head = self.lines[0]
        first = head[min(place for mark in "=:" if (place := head.find(mark)) >= 0) + 1 :]
        return " ".join([first.strip(), *(line.strip() for line in self.lines[1:])]).strip()


class IniSyntaxError(ValueError):
    """A line that oslo.config cannot read. number counts from 1."""

    def __init__(self, number: int, found: str, expected: str) -> None:
        super().__init__(f"line {number}: found {found}, expected {expected}")
        self.number = number
        self.found = found
        self.expected = expected


def options(text: str) -> list[Option]:
    """The options of a file, in its order. Raises IniSyntaxError."""
    return [item for item in _read(text.splitlines()) if isinstance(item, Option)]


def has_sections(text: str) -> bool:
    """Whether a text looks like such a file at all."""
    return any(line.startswith("[") for line in text.splitlines())


def merged(text: str, overrides: Iterable[tuple[str, str]]) -> str:
    """A file into which others are merged, later ones last: each of their options replaces all of that name.

    overrides are names, which a comment tells, and texts. Raises IniSyntaxError for those, as for the file itself.
    """
    for source, more in overrides:
        text = _merge(text, source, options(more))
    return text


def _merge(text: str, source: str, wanted: list[Option]) -> str:
    lines = text.splitlines()
    replaced = {option.name for option in wanted}
    kept: list[str] = []
    ends: dict[str, int] = {}  # where a section's last line is in kept
    section = "DEFAULT"
    for item in _read(lines):
        if isinstance(item, Option):
            if item.name in replaced:
                continue
            kept += item.lines
        else:
            kept.append(item)
            if item.startswith("["):
                section = item[1 : item.index("]")]
        if kept and kept[-1].strip():
            ends[section] = len(kept)
    new: dict[str, list[str]] = {}
    for option in wanted:
        new.setdefault(option.section, [f"# From {source}"]).extend(option.lines)
    for name, added in sorted(new.items(), key=lambda item: -ends.get(item[0], 0)):
        if name in ends:
            kept[ends[name] : ends[name]] = added
        else:
            kept += ["", f"[{name}]", *added]
    return "\n".join(kept) + "\n"


def _read(lines: list[str]) -> Iterator[Option | str]:
    """Options, and every other line as it is."""
    section, current = "", None
    for number, line in enumerate(lines, start=1):
        if current is not None and line[:1] in (" ", "\t") and line.strip():
            current = Option(current.section, current.key, (*current.lines, line), current.number)
            continue
        if current is not None:
            yield current
            current = None
        if not line.strip() or line[0] in "#;":
            yield line
        elif line[0] == "[":
            section = _section(line, number)
            yield line
        else:
            current = _option(line, number, section)
    if current is not None:
        yield current


def _section(line: str, number: int) -> str:
    name = line[1:].partition("]")[0].strip()
    if "]" not in line or not name:
        raise IniSyntaxError(number, repr(line.strip()), "a section such as [DEFAULT]")
    return name


def _option(line: str, number: int, section: str) -> Option:
    if line[0] in " \t":
        raise IniSyntaxError(number, f"{line.strip()[:40]!r} after spaces", "an option that this line continues")
    places = [place for mark in "=:" if (place := line.find(mark)) >= 0]
    key = line[: min(places)].strip() if places else ""
    if not key:
        raise IniSyntaxError(number, repr(line.partition("=")[0].strip()[:40]), "OPTION = VALUE")
    if not section:
        raise IniSyntaxError(number, f"the option {key} before any section", "a section such as [DEFAULT] first")
    return Option(section, key, (line,), number)

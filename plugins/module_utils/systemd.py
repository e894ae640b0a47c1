# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What systemd says of its units (C(systemctl show)). Programs of labctl's that run on nodes use it too."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "NRestarts", "NeedDaemonReload"),
    *("ExecMainStartTimestamp", "ActiveEnterTimestamp", "ActiveExitTimestamp", "StateChangeTimestamp"),
)


@dataclass(frozen=True)
class Unit:
    """A unit. Times are in seconds since the epoch, 0 for none.

    C(started) is when its main process started, or the unit when it has none. C(since) is how long it is what it is: a
    unit that is started again and again counts from when it was last active, not from its last attempt.
    """

    name: str
    load: str
    active: str
    sub: str
    result: str = ""
    enabled: str = ""
    restarts: int = 0
    started: float = 0.0
    since: float = 0.0
    stale_definition: bool = False

    @property
    def running(self) -> bool:
        """Whether it runs, or is about to; between two attempts (auto-restart) it has failed."""
        return self.active in ("active", "reloading") or (self.active == "activating" and self.sub != "auto-restart")

    @property
    def moving(self) -> bool:
        """Whether waiting may help: it starts, or stops for a restart that nobody has waited for."""
        return self.active in ("activating", "reloading", "deactivating") and self.sub != "auto-restart"

    def __str__(self) -> str:
        if self.load == "not-found":
            return "not installed"
        again = f", started again {self.restarts} times" if self.restarts and self.active != "active" else ""
        return f"{self.active} ({self.sub}){again}"


def full_name(unit: str) -> str:
    """The name with its kind; a service is implied."""
    return unit if "." in unit else f"{unit}.service"


def show(units: Iterable[str]) -> list[str]:
    """The command whose output parse() reads."""
    return ["systemctl", "show", "--timestamp=us+utc", "-p", ",".join(PROPERTIES), *map(full_name, units)]


def parse(output: str, units: list[str]) -> list[Unit]:
    """The units of one show(), which keeps the order asked for. ValueError when it is not about as many."""
    return [_unit(name, values) for name, values in zip(units, blocks(output), strict=True)]


def blocks(output: str) -> Iterator[dict[str, str]]:
    """The properties of each unit, which C(systemctl show) separates by an empty line."""
    for block in filter(None, output.strip().split("\n\n")):
        yield dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


def moment(text: str) -> float:
    """Seconds since the epoch from C(Tue 2026-11-24 14:12:43.123456 UTC); 0 for C(n/a) and for nothing."""
    try:
        parsed = datetime.datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S.%f UTC")
    except ValueError:
        return 0.0
    return parsed.replace(tzinfo=datetime.UTC).timestamp()


def _unit(name: str, values: dict[str, str]) -> Unit:
    times = {key: moment(values.get(f"{key}Timestamp", "")) for key in ("ExecMainStart", "ActiveEnter", "ActiveExit")}
    active = values.get("ActiveState", "")
    last = times["ActiveEnter" if active == "active" else "ActiveExit"]
    return Unit(
        name=name,
        load=values.get("LoadState", ""),
        active=active,
        sub=values.get("SubState", ""),
        result=values.get("Result", ""),
        enabled=values.get("UnitFileState", ""),
        restarts=int(values.get("NRestarts") or 0),
        started=times["ExecMainStart"] or times["ActiveEnter"],
        since=last or moment(values.get("StateChangeTimestamp", "")),
        stale_definition=values.get("NeedDaemonReload") == "yes",
    )

"""On a node: the lines of the journal and of the services' log files, merged by time, and new ones if wanted.

Prints one JSON array for each line: time in seconds since the epoch, unit, source, text. A line without a time of its
own (of a traceback, say) has that of the line before it.
"""

import glob
import heapq
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

Entry = tuple[float, str, str, str]

# oslo.log, OVN and Open vSwitch, RabbitMQ; without an offset it is the node's own time.
STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?\d*(Z|[+-]\d\d:\d\d)?[| ]?")
# uWSGI, somewhere in the line.
WEB_STAMP = re.compile(r"\[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\]")
BACKWARDS = 2.0  # seconds that a line may seem to be older than the one before it: uWSGI's times have no fractions
BLOCK = 65536  # bytes
TICK = 0.25  # seconds between two readings of the files
FIELDS = "MESSAGE,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER"


def stamped(line: str) -> tuple[float | None, str]:
    """The time of a line of a log, None if it has none, and the line without it."""
    found = STAMP.match(line)
    try:
        if found:
            day, clock, fraction, offset = found.groups()
            moment = datetime.fromisoformat(f"{day}T{clock}.{(fraction or '0').ljust(6, '0')}{offset or ''}")
            return moment.timestamp(), line[found.end() :]
        if found := WEB_STAMP.search(line):
            return time.mktime(time.strptime(found[1])), line
    except ValueError:
        pass
    return None, line


class LogFile:
    """A log file: its last lines, then those that are added, also after it has been rotated."""

    def __init__(self, path: str, unit: str) -> None:
        self.path = path
        self.unit = unit
        self.inode = 0
        self.offset = 0
        self.rest = b""
        self.last: float | None = None

    def entries(self, lines: list[str], otherwise: float) -> list[Entry]:
        """Lines with their times; otherwise is the time of those before the first line that has one."""
        found: list[Entry] = []
        if self.last is None:
            self.last = next((moment for moment, _ in map(stamped, lines) if moment is not None), otherwise)
        for line in lines:
            moment, text = stamped(line)
            if moment is not None and not 0 < self.last - moment < BACKWARDS:
                self.last = moment
            found.append((self.last, self.unit, self.path, text))
        return found

    def past(self, since: float | None, lines: int | None) -> list[Entry]:
        """The last lines, or those since a time, or both; the file is read backwards as far as needed."""
        with open(self.path, "rb") as stream:
            status = os.fstat(stream.fileno())
            self.inode, size, block = status.st_ino, status.st_size, BLOCK
            while True:
                start = max(0, size - block)
                stream.seek(start)
                data = stream.read(size - start)
                complete, _, unfinished = data.rpartition(b"\n")
                if start:
                    complete = complete.partition(b"\n")[2]
                self.last = None
                rows = complete.decode(errors="replace").split("\n") if complete else []
                found = self.entries(rows, status.st_mtime)
                old = since is not None and found and found[0][0] < since
                if not start or old or (lines is not None and len(found) > lines):
                    break
                block *= 8
        self.offset = size - len(unfinished)
        if since is not None:
            found = [entry for entry in found if entry[0] >= since]
        return found if lines is None else found[-lines:]

    def more(self) -> list[Entry]:
        """The lines that have been added since the last call."""
        try:
            status = os.stat(self.path)
            if status.st_ino != self.inode or status.st_size < self.offset:
                self.inode, self.offset, self.rest = status.st_ino, 0, b""
            if status.st_size == self.offset:
                return []
            with open(self.path, "rb") as stream:
                stream.seek(self.offset)
                data = self.rest + stream.read()
                self.offset = stream.tell()
        except OSError:
            return []
        complete, newline, rest = data.rpartition(b"\n")
        self.rest = rest if newline else data
        return self.entries(complete.decode(errors="replace").split("\n"), time.time()) if newline else []


def unit_of(path: str, known: list[str]) -> str:
    """The unit of a log file: nova-api for nova-api-wsgi.log, ovn-ovsdb-server-nb for ovsdb-server-nb.log."""
    stem = os.path.basename(path).partition(".")[0]
    related = [unit for unit in known if stem.startswith(unit) or unit.endswith(f"-{stem}")]
    return max(related, key=len, default=stem)


def files(arguments: dict[str, Any]) -> dict[str, str]:
    """The unit of each wanted log file; of the directory named component, all files are wanted."""
    found = {}
    for directory in arguments["directories"]:
        for path in sorted(glob.glob(f"{glob.escape(directory)}/*.log")):
            unit = unit_of(path, arguments["known"])
            inside = arguments["component"] == os.path.basename(directory)
            if arguments["units"] is None or unit in arguments["units"] or inside:
                found[path] = unit
    return found


def journal_command(arguments: dict[str, Any], *more: str) -> list[str]:
    """journalctl for the wanted units, or for the complete journal."""
    command = ["journalctl", "--no-pager", "--quiet", "--output=json", f"--output-fields={FIELDS}", *more]
    if arguments["everything"]:
        return command
    units = arguments["known"] if arguments["units"] is None else arguments["units"]
    return [*command, *(f"--unit={unit}" for unit in units)]


def journal_entry(line: str | bytes) -> tuple[Entry, str]:
    """A line of the journal, and its cursor."""
    values = json.loads(line)
    message = values.get("MESSAGE") or ""
    if isinstance(message, list):  # bytes that are not UTF-8
        message = bytes(message).decode(errors="replace")
    # Messages of systemd about a unit name it in another field than messages of the unit.
    unit = values.get("UNIT") or values.get("_SYSTEMD_UNIT") or values.get("SYSLOG_IDENTIFIER") or "kernel"
    entry = (int(values["__REALTIME_TIMESTAMP"]) / 1e6, unit.removesuffix(".service"), "journal", str(message))
    return entry, values["__CURSOR"]


def past_journal(arguments: dict[str, Any]) -> tuple[list[Entry], str | None]:
    """The last lines of the journal, and the cursor of the last one."""
    more = [] if arguments["since"] is None else [f"--since=@{arguments['since']:.6f}"]
    more += [] if arguments["lines"] is None else [f"--lines={arguments['lines']}"]
    done = subprocess.run(journal_command(arguments, *more), capture_output=True, stdin=subprocess.DEVNULL, check=False)
    found = [journal_entry(line) for line in done.stdout.splitlines() if line]
    return [entry for entry, _ in found], found[-1][1] if found else None


def show(entries: list[Entry]) -> None:
    """Print entries, each line of a text by itself."""
    for moment, unit, source, text in entries:
        for line in text.split("\n"):
            sys.stdout.write(json.dumps([moment, unit, source, line]) + "\n")
    sys.stdout.flush()


def follow(arguments: dict[str, Any], logs: dict[str, LogFile], cursor: str | None, start: float) -> None:
    """Print new entries until standard input ends, as it does when nobody listens."""
    where = f"--after-cursor={cursor}" if cursor else f"--since=@{start:.6f}"
    command = journal_command(arguments, "--follow", "--lines=all", where)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as journal:
        assert journal.stdout is not None
        try:
            for entries in arriving(arguments, logs, journal.stdout.fileno()):
                show(entries)
        finally:
            journal.kill()


def arriving(arguments: dict[str, Any], logs: dict[str, LogFile], journal: int) -> Iterator[list[Entry]]:
    """The new entries of each tick, in order of time."""
    rest = b""
    open_inputs = [0, journal]
    while True:
        ready = select.select(open_inputs, [], [], TICK)[0]
        if 0 in ready and not os.read(0, 4096):
            return
        entries: list[Entry] = []
        if journal in ready:
            data = os.read(journal, 1 << 20)
            if not data:
                open_inputs.remove(journal)
            *lines, rest = (rest + data).split(b"\n")
            entries += [journal_entry(line)[0] for line in lines if line]
            time.sleep(TICK / 5)  # a unit that fails writes many lines at once
        for path, unit in files(arguments).items():
            entries += logs.setdefault(path, LogFile(path, unit)).more()
        yield sorted(entries, key=lambda entry: entry[0])


def main(arguments: dict[str, Any]) -> None:
    """known are the units of the node; units those that are wanted, null for all; lines and since may be null."""
    start = time.time()
    logs = {path: LogFile(path, unit) for path, unit in files(arguments).items()}
    journal, cursor = past_journal(arguments)
    parts = [log.past(arguments["since"], arguments["lines"]) for log in logs.values()]
    merged = list(heapq.merge(journal, *parts, key=lambda entry: entry[0]))
    show(merged if arguments["lines"] is None else merged[-arguments["lines"] :])
    if arguments["follow"]:
        follow(arguments, logs, cursor, start)

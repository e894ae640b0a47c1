"""The logs of a lab: journals and the services' own files, of some nodes or services or of all, in order of time."""

import json
import queue
import re
import threading
import time
from collections import defaultdict
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from subprocess import Popen
from typing import Any

from labctl.ansible import services
from labctl.errors import BadInput, LabError
from labctl.lab.model import Lab, Node
from labctl.lifecycle.context import LabContext
from labctl.remote import nodes, programs, ssh
from labctl.remote.nodes import ask

_TIMEOUT = 60.0  # seconds that a node has for its lines
_TOGETHER = 0.6  # seconds in which lines of different nodes are put into order
_SPANS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Line:
    """A line of a log. moment is in seconds since the epoch; source is the path of a file, or "journal"."""

    moment: float
    node: str
    unit: str
    source: str
    text: str


@dataclass(frozen=True)
class Wanted:
    """Which lines: of these nodes; of these units, None for all, and of all files of a component's directory."""

    nodes: tuple[Node, ...]
    units: tuple[str, ...] | None = None
    component: str | None = None
    since: float | None = None
    lines: int | None = None
    everything: bool = False


def select(lab: Lab, name: str | None) -> Wanted:
    """The lines of a node, a unit, or a component such as nova. Raises BadInput with the names that can be used."""
    if name is None:
        return Wanted(lab.nodes)
    nodes = {node.name: node for node in lab.nodes}
    if name in nodes:
        return Wanted((nodes[name],))
    units = {node.name: services.units(lab, node) for node in lab.nodes}
    unit = name.removesuffix(".service")
    if found := tuple(node for node in lab.nodes if unit in units[node.name]):
        return Wanted(found, units=(unit,))
    components = {node.name: _components(lab, node) for node in lab.nodes}
    if found := tuple(node for node in lab.nodes if name in components[node.name]):
        own = {unit for node in found for unit in components[node.name][name]}
        return Wanted(found, units=tuple(sorted(own)), component=name)
    known = sorted({name for found in (*units.values(), *components.values()) for name in found})
    raise BadInput(
        f"There is no node or service {name!r} in lab {lab.name}",
        f"Nodes: {', '.join(nodes)}\nServices: {', '.join(known)}",
    )


def _components(lab: Lab, node: Node) -> dict[str, set[str]]:
    """The directories of logs by name, each with the units that belong to it."""
    known = services.units(lab, node)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in services.log_files(lab, node):
        stem, component = path.name.partition(".")[0], path.parent.name
        found[component] |= {u for u in known if u == stem or u.endswith(f"-{stem}") or u.startswith(f"{component}-")}
    return found


def moment(words: str, now: float) -> float:
    """The time that --since means, in seconds since the epoch: 30s, 10m, 2h, 1d ago, or a time in UTC."""
    words = words.strip()
    if span := re.fullmatch(r"(\d+)\s*([smhd])", words):
        return now - timedelta(**{_SPANS[span[2]]: int(span[1])}).total_seconds()
    today = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}T" if re.match(r"\d\d:\d\d", words) else ""
    try:
        value = datetime.fromisoformat(today + words)
    except ValueError as error:
        raise BadInput(
            f"--since {words!r}: expected 30s, 10m, 2h, 1d, or a time such as 21:30 or 2026-11-25T21:30:00 (UTC)"
        ) from error
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def read(context: LabContext, wanted: Wanted) -> tuple[list[Line], dict[str, str]]:
    """The lines in order, and the problems of nodes without lines. Raises LabError if no node can be asked."""
    lab = context.lab
    running, problems = _running(context, wanted)
    answers = ask(
        lab, context.paths, running, "logs", lambda node: _arguments(lab, node, wanted, follow=False), timeout=_TIMEOUT
    )
    problems |= {name: answer.problem for name, answer in answers.items() if not answer.ok}
    found = [line for name, answer in answers.items() for line in _lines(name, answer.output.splitlines())]
    found.sort(key=lambda line: line.moment)
    return (found if wanted.lines is None else found[-wanted.lines :]), problems


def follow(context: LabContext, wanted: Wanted, problems: dict[str, str]) -> Generator[Line]:
    """Lines as they come, for ever; a node from which none come, or no more, is added to problems.

    Ends when no node is left. Raises LabError if no node can be asked.
    """
    lab = context.lab
    running, resting = _running(context, wanted)
    problems |= resting
    reach = nodes.hosts(lab, context.paths, [node.name for node in running])
    lines: queue.Queue[Line | str] = queue.Queue()
    processes: dict[str, Popen[str]] = {}
    try:
        for node in running:
            program = programs.program("logs", _arguments(lab, node, wanted, follow=True))
            processes[node.name] = ssh.stream(reach[node.name], program)
            threading.Thread(target=_pump, args=(node.name, processes[node.name], lines), daemon=True).start()
        left = set(processes)
        while left:
            batch = [lines.get()]
            time.sleep(_TOGETHER)
            while not lines.empty():
                batch.append(lines.get())
            yield from sorted((line for line in batch if isinstance(line, Line)), key=lambda line: line.moment)
            for name in (item for item in batch if isinstance(item, str)):
                problems[name] = _why(processes[name])
                left.discard(name)
    finally:
        for process in processes.values():
            if process.stdin is not None:
                process.stdin.close()
            process.kill()
            process.wait()


def _running(context: LabContext, wanted: Wanted) -> tuple[list[Node], dict[str, str]]:
    """The nodes that can be asked, and why the others cannot."""
    states = context.provider.states()
    running = [node for node in wanted.nodes if states[node.name].running]
    others = {node.name: states[node.name] for node in wanted.nodes if node not in running}
    problems = {name: state.problem or f"is {state.state.replace('_', ' ')}" for name, state in others.items()}
    if not running:
        said = "; ".join(f"{name} {problem}" for name, problem in problems.items())
        raise LabError(f"No node can be asked for its logs: {said}", "`labctl up` starts the nodes.")
    return running, problems


def _arguments(lab: Lab, node: Node, wanted: Wanted, *, follow: bool) -> dict[str, Any]:
    return {
        "known": services.units(lab, node),
        "directories": services.log_directories(lab, node),
        "follow": follow,
        **{name: getattr(wanted, name) for name in ("units", "component", "since", "lines", "everything")},
    }


def _lines(node: str, rows: Iterable[str]) -> Generator[Line]:
    for moment, unit, source, words in map(json.loads, rows):
        yield Line(float(moment), node, unit, source, words)


def _pump(node: str, process: Popen[str], lines: queue.Queue[Line | str]) -> None:
    """Put every line of a node into the queue, and its name after the last."""
    for line in _lines(node, process.stdout or ()):
        lines.put(line)
    lines.put(node)


def _why(process: Popen[str]) -> str:
    said = process.stderr.read().strip() if process.stderr else ""
    return f"sends no more lines: {said or f'its program ended with status {process.wait()}'}"

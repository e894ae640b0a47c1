"""Where the time goes, as a picture: labctl's steps, and below them a lane for each node with its tasks as bars."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.profile import covered
from bench.results import Result, Sample, Task
from labctl.errors import BadInput

_WIDTH, _LEFT, _RIGHT = 1200, 100, 20
_ROW, _BAR, _GAP = 24, 18, 10
_TOP = 60
_LISTED = 16
_LONGEST = 64  # characters of a title in the list
_SHORTEST = 0.4  # pixels, below which a bar cannot be seen
# Neighbours in this order differ in hue, and are told apart in grey by their lightness too.
_COLOURS = (
    *("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5", "#9c6b4e", "#9498a0"),
    *("#1b7f79", "#c4a000", "#b3375f", "#5b8c00", "#7a5195", "#e07b39"),
)
_NODES = ("localhost", "controller")  # come first; computes follow by name


@dataclass(frozen=True)
class _Scale:
    """Seconds to pixels."""

    seconds: float

    def x(self, at: float) -> float:
        return round(_LEFT + at / self.seconds * (_WIDTH - _LEFT - _RIGHT), 1)

    def width(self, length: float) -> float:
        return round(max(_SHORTEST, length / self.seconds * (_WIDTH - _LEFT - _RIGHT)), 1)


def svg(result: Result, sample: Sample) -> str:
    """The picture of a sample. Raises BadInput when its tasks were not kept."""
    if not sample.tasks or sample.seconds is None:
        raise BadInput(f"{result.name} has no tasks of {sample.networking} {sample.case}")
    scale = _Scale(sample.seconds)
    colours = _colours(sample.tasks)
    numbers = {task: number for number, task in enumerate(_slowest(sample.tasks), 1)}
    body: list[str] = []
    y: float = _TOP
    body += _lane("labctl", y, 1)
    for phase in sample.phases:
        body += _bar(
            scale, y, phase.start, phase.seconds, "#d0d4da", f"{phase.name}: {phase.seconds:.1f} s", phase.name
        )
    y += _ROW + _GAP
    for node in _nodes(sample.tasks):
        rows = _rows([task for task in sample.tasks if task.node == node])
        body += _lane(node, y, len(rows))
        for row in rows:
            for task in row:
                label = str(numbers.get(task, ""))
                what = f"{task.title}: {task.seconds:.1f} s ({task.status})"
                body += _bar(scale, y, task.start, task.seconds, colours[task.role], what, label)
            y += _ROW
        y += _GAP
    axis = _axis(scale, y)
    y += 40
    legend, y = _legend(sample.tasks, colours, y)
    listed, y = _list(numbers, y)
    return "\n".join([*_head(result, sample, y), *axis, *body, *legend, *listed, "</svg>"]) + "\n"


def _head(result: Result, sample: Sample, height: float) -> list[str]:
    machine = result.machine
    title = f"{sample.case}, networking: {sample.networking}, {sample.seconds or 0:.0f} s"
    where = f"{result.date[:10]}, {machine.processor}, {machine.cores} cores, commit {result.commit[:12]}"
    if sample.loud:
        where += "; others used the machine"
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}"',
        ' font-family="sans-serif" font-size="12">',
        f"<title>Where the time goes: {escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height:g}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="22" font-size="16" font-weight="bold">Where the time goes: {escape(title)}</text>',
        f'<text x="{_LEFT}" y="42" fill="#555">{escape(where)}</text>',
    ]


def _lane(name: str, y: float, rows: int) -> list[str]:
    middle = y + (rows * _ROW - _ROW + _BAR) / 2 + 4
    return [
        f'<rect x="{_LEFT}" y="{y - 3}" width="{_WIDTH - _LEFT - _RIGHT}" height="{rows * _ROW}" fill="#f4f5f7"/>',
        f'<text x="{_LEFT - 8}" y="{middle:g}" text-anchor="end" font-weight="bold">{escape(name)}</text>',
    ]


def _bar(scale: _Scale, y: float, start: float, seconds: float, colour: str, what: str, label: str) -> list[str]:
    """A bar with what it is as its tooltip, and with a label where that fits."""
    x, width = scale.x(start), scale.width(seconds)
    lines = [
        f'<rect x="{x:g}" y="{y}" width="{width:g}" height="{_BAR}" fill="{colour}" stroke="#fff" stroke-width="0.3">'
        f"<title>{escape(what)}</title></rect>"
    ]
    if label and width >= 7 * len(label) + 2:
        lines.append(f'<text x="{x + width / 2:g}" y="{y + 13}" text-anchor="middle">{escape(label)}</text>')
    return lines


def _axis(scale: _Scale, bottom: float) -> list[str]:
    step = next(step for step in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3600) if scale.seconds / step <= 15)
    lines = []
    for at in range(0, int(scale.seconds) + 1, step):
        x = scale.x(at)
        lines.append(f'<line x1="{x:g}" x2="{x:g}" y1="{_TOP - 6}" y2="{bottom}" stroke="#ccc" stroke-width="0.5"/>')
        lines.append(f'<text x="{x:g}" y="{bottom + 14}" text-anchor="middle" fill="#555">{at} s</text>')
    return lines


def _legend(tasks: Iterable[Task], colours: dict[str, str], y: float) -> tuple[list[str], float]:
    """Each role's colour, and for how long any of its tasks ran on any node."""
    spans: dict[str, list[tuple[float, float]]] = {role: [] for role in colours}
    for task in tasks:
        spans[task.role].append((task.start, task.start + task.seconds))
    lines, column = [], 0
    for role, colour in colours.items():
        x = _LEFT + column * 216
        lines.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>')
        text = f"{role or 'playbooks'} {covered(spans[role]):.1f} s"
        lines.append(f'<text x="{x + 18}" y="{y + 11}">{escape(text)}</text>')
        column += 1
        if column == 5:
            column, y = 0, y + 20
    return lines, y + (30 if column else 10)


def _list(numbers: dict[Task, int], y: float) -> tuple[list[str], float]:
    """The numbered bars in words, in two columns."""
    lines = []
    half = (len(numbers) + 1) // 2
    for task, number in numbers.items():
        x = _LEFT + (number > half) * (_WIDTH - _LEFT - _RIGHT) // 2
        row = y + ((number - 1) % half) * 18 + 12
        title = task.title if len(task.title) <= _LONGEST else task.title[: _LONGEST - 3] + "..."
        text = f"{task.seconds:.1f} s  {title} ({task.node})"
        lines.append(f'<text x="{x}" y="{row:g}" font-weight="bold">{number}</text>')
        lines.append(f'<text x="{x + 24}" y="{row:g}">{escape(text)}</text>')
    return lines, y + half * 18 + 20


def _slowest(tasks: Sequence[Task]) -> list[Task]:
    """The slowest tasks, of a task that several nodes do the slowest one, numbered in the order of time."""
    slowest: dict[str, Task] = {}
    for task in tasks:
        if task.title not in slowest or task.seconds > slowest[task.title].seconds:
            slowest[task.title] = task
    return sorted(sorted(slowest.values(), key=lambda t: -t.seconds)[:_LISTED], key=lambda task: task.start)


def _nodes(tasks: Iterable[Task]) -> list[str]:
    names = {task.node for task in tasks}
    return [*(name for name in _NODES if name in names), *sorted(names.difference(_NODES))]


def _rows(tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks in as few rows as need be for none to overlap another."""
    rows: list[list[Task]] = []
    for task in sorted(tasks, key=lambda task: task.start):
        row = next((row for row in rows if row[-1].start + row[-1].seconds <= task.start + 0.02), None)
        if row is None:
            rows.append([task])
        else:
            row.append(task)
    return rows


def _colours(tasks: Iterable[Task]) -> dict[str, str]:
    """A colour for each role, in the order in which they begin; with many roles colours come again."""
    roles = dict.fromkeys(task.role for task in tasks)
    return {role: _COLOURS[number % len(_COLOURS)] for number, role in enumerate(roles)}

"""What takes longest: tasks by the time they hold up the run."""

from collections.abc import Iterable, Sequence

from bench.results import Task
from labctl.ui.text import table


def slowest(tasks: Iterable[Task], count: int) -> list[tuple[str, float, dict[str, float]]]:
    """The slowest tasks: title, seconds from its first start to its last end, seconds on each node.

    A task that comes several times is counted several times: the spans and the nodes' times are sums.
    """
    spans: dict[str, list[tuple[float, float]]] = {}
    nodes: dict[str, dict[str, float]] = {}
    for task in tasks:
        spans.setdefault(task.title, []).append((task.start, task.start + task.seconds))
        of_task = nodes.setdefault(task.title, {})
        of_task[task.node] = of_task.get(task.node, 0.0) + task.seconds
    rows = [(title, covered(spans[title]), nodes[title]) for title in spans]
    return sorted(rows, key=lambda row: -row[1])[:count]


def roles(tasks: Iterable[Task]) -> list[tuple[str, float, int]]:
    """Each role's time, as long as any of its tasks runs on any node, and how many tasks (on all nodes) it has."""
    spans: dict[str, list[tuple[float, float]]] = {}
    for task in tasks:
        spans.setdefault(task.role or "(no role)", []).append((task.start, task.start + task.seconds))
    return sorted(((role, covered(of), len(of)) for role, of in spans.items()), key=lambda row: -row[1])


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """How many seconds lie in at least one of some spans."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def text(tasks: Sequence[Task], count: int) -> str:
    """Both as tables, and how much of the run Ansible spends between tasks."""
    begin = min((task.start for task in tasks), default=0.0)
    end = max((task.start + task.seconds for task in tasks), default=0.0)
    inside = covered((task.start, task.start + task.seconds) for task in tasks)
    by_role = [(f"{seconds:.1f} s", role, str(number)) for role, seconds, number in roles(tasks)]
    by_task = [
        (f"{seconds:.1f} s", title, ", ".join(f"{node} {part:.1f}" for node, part in sorted(of.items())))
        for title, seconds, of in slowest(tasks, count)
    ]
    return "\n\n".join(
        [
            table([("Time", "Role", "Tasks"), *by_role]),
            table([("Time", "Task", "Seconds on each node"), *by_task]),
            f"From the first task to the last {end - begin:.1f} s; in {end - begin - inside:.1f} s of it no task ran.",
        ]
    )

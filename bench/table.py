"""The table of figures in the README, between two markers."""

from pathlib import Path

from bench.figures import Figure, figures, yardsticks
from bench.results import CHECKOUT, Networking, Result
from labctl.errors import BadInput

README = CHECKOUT / "README.md"
BEGIN = "<!-- Figures: written by `python -m bench table`; changes here are lost. -->"
END = "<!-- End of the figures. -->"
_HEADINGS: dict[Networking, str] = {"none": "`networking: none`", "neutron": "default lab (with Neutron)"}


def markdown(result: Result) -> str:
    """The table, and on what machine and when it was measured."""
    columns = {networking: figures(result, networking) for networking in _HEADINGS}
    columns = {networking: rows for networking, rows in columns.items() if rows}
    runs = _runs(result)
    rows: dict[str, str] = {figure.title: figure.budget for of in columns.values() for figure in of}
    head = ["what", "at most", *(part for name in columns for part in (_HEADINGS[name], "kept"))]
    lines = [head, ["---"] * len(head)]
    for title, budget in rows.items():
        cells = [title, budget]
        for of in columns.values():
            figure = next((figure for figure in of if figure.title == title), None)
            cells += ["", ""] if figure is None else [_time(figure, runs), _kept(figure)]
        lines.append(cells)
    table = [" ".join(f"| {' | '.join(line)} |".split()) for line in lines]
    return "\n".join([*table, "", *_origin(result)])


def _runs(result: Result) -> int:
    return max((sample.run for sample in result.samples), default=0)


def _time(figure: Figure, runs: int) -> str:
    if not figure.count:
        return "failed"
    digits = 2 if figure.median < 5 else 1
    text = f"{figure.median:.{digits}f} s"
    if figure.count > 1:
        text += f" ({figure.least:.{digits}f} to {figure.most:.{digits}f})"
    if figure.count < runs:  # the result was taken in parts
        text += f", {figure.count} run{'s' if figure.count > 1 else ''}"
    if figure.ratio is not None:
        text += f", {figure.ratio:.2f} x"
    if figure.loud:
        text += " \\*"
    return text + (f"; {figure.failed} failed" if figure.failed else "")


def _kept(figure: Figure) -> str:
    return "" if figure.met is None else "yes" if figure.met else "no"


def _origin(result: Result) -> list[str]:
    """Where the figures come from, a line for each thing that is said."""
    machine = result.machine
    runs = _runs(result)
    loud = any(sample.loud for sample in result.samples)
    lines = [
        f"Medians of {runs} runs (least to most), where no other number is given." if runs > 1 else "One run.",
        f"Measured on {result.date[:10]} at {result.commit[:12]}{' with changes' if result.dirty else ''}:",
        f"{machine.processor}, {machine.cores} cores, {machine.memory:g} GiB, {machine.system},",
        f"kernel {machine.kernel}, {machine.engine}, ansible-core {machine.ansible}, load before {result.load:g}.",
    ]
    if of := yardsticks(result):
        times = " and ".join(f"{seconds:.0f} s {case}" for case, seconds in of.items())
        lines += [
            f"x: how many times as long as bare commands that build the lab without Neutron, {times},",
            "take in the same run on the same machine: cold to their cold, everything else to their warm.",
        ]
    if loud:
        lines.append("\\* Others used the machine when some of these began: they are longer than on a quiet one.")
    return lines


def insert(text: str, table: str) -> str:
    """A README with the table between its markers. Raises BadInput when they are not there."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BadInput("The README lacks a marker of the figures", f"Put two lines where they belong:\n{BEGIN}\n{END}")
    return f"{head}{BEGIN}\n\n{table}\n\n{END}{tail}"


def write(result: Result, readme: Path = README) -> None:
    """Put the table into the README."""
    readme.write_text(insert(readme.read_text(encoding="utf-8"), markdown(result)), encoding="utf-8")

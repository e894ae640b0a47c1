"""The command line: python -m bench."""

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from bench import cases, compare, events, machine, profile, results, table, waterfall
from bench.lab import BenchLab
from bench.results import Networking, Result, Sample, Task
from bench.rounds import Rounds
from bench.storage import Storage
from bench.yardstick import Yardstick
from labctl.errors import BadInput, LabError
from labctl.lab.paths import LabPaths
from labctl.providers import engine

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="How long a lab takes: measured, kept for each commit, compared. See docs/bench.md.",
)
# Always the same, so that what a killed run has left is found and removed.
FOLDER = Path("/var/tmp/novalab-bench")  # noqa: S108 (made by its owner, and held)
NAME = "bench"
NETWORK = "10.213.78.0/24"
PICTURE = results.CHECKOUT / "docs" / "waterfall.svg"
# What a change of makes another lab of the same commit.
MEASURED = (
    *(
        "Makefile",
        "Vagrantfile",
        "ansible.cfg",
        "group_vars",
        "hosts.ini.j2",
        "images",
        "labctl",
        "playbooks",
        "plugins",
    ),
    *("pyproject.toml", "roles", "site.yaml", "uv.lock"),
)

Folder = Annotated[Path, typer.Option("--folder", help="Where the bench has its lab, images and caches.")]
Which = Annotated[
    str | None, typer.Argument(metavar="RESULT", help="A file of results or a commit; by default the newest result.")
]


@app.command()
def run(
    case: Annotated[
        list[str] | None, typer.Option(help=f"Measure this only, may be repeated: {', '.join(cases.NAMES)}.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="How many rounds through the cases.")] = 5,
    networking: Annotated[
        Literal["none", "neutron", "both"], typer.Option(help="With Neutron, without, or both in turn.")
    ] = "both",
    yardstick: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="What to compare with; gets the argument cold or warm.")
    ] = None,
    settle: Annotated[float, typer.Option(min=0, help="Seconds at most to wait for a quiet machine each time.")] = 20,
    output: Annotated[Path, typer.Option(help="The folder for the results.")] = results.RESULTS,
    go_on: Annotated[
        Path | None,
        typer.Option("--go-on", metavar="RESULT", help="Add to this result, of the same commit and machine."),
    ] = None,
    folder: Folder = FOLDER,
    network: Annotated[str, typer.Option(help="The network of the lab's nodes.")] = NETWORK,
) -> None:
    """Measure on this machine, in a lab of its own, and keep the result.

    \b
      python -m bench run                                         everything, five times: hours
      python -m bench run --case warm --networking none --runs 1
      python -m bench run --yardstick "bare-commands --nodes 3"
    """
    names = _names(case)
    commit, dirty = results.git("rev-parse", "HEAD"), bool(results.git("status", "--porcelain", "--", *MEASURED))
    if not commit:
        raise BadInput(f"{results.CHECKOUT} is no git checkout", "Results are kept by commit: clone novalab with git.")
    if dirty and "cold" in names:
        raise BadInput(
            "A cold run takes a fresh clone of the commit, and files here differ from it", "Commit or stash them first."
        )
    lab = BenchLab(folder, NAME, network)
    networkings: tuple[Networking, ...] = ("none", "neutron") if networking == "both" else (networking,)
    with lab.held():
        podman, ours, theirs = _engines(lab)
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        result = Result(
            commit=commit,
            dirty=dirty,
            date=now,
            machine=machine.describe(podman),
            load=machine.load(),
            yardstick=yardstick is not None,
        )
        if go_on is not None:
            result, output = results.continued(results.read(go_on), result), go_on.parent
        rounds = Rounds(
            lab,
            ours,
            compared=Yardstick(yardstick, theirs) if yardstick else None,
            settle=settle,
            report=typer.echo,
            keep=results.Growing(result, output).add,
        )
        rounds.go(names, networkings, runs, after=results.runs(result, names, networkings))
    typer.echo(f"Result: {output / result.name}")
    if rounds.failed:
        raise LabError(f"{rounds.failed} measurements failed, see above")


def _names(wanted: list[str] | None) -> list[str]:
    if unknown := [name for name in wanted or () if name not in cases.NAMES]:
        raise BadInput(f"There is no case {', '.join(unknown)}", f"Cases: {', '.join(cases.NAMES)}.")
    return wanted or list(cases.NAMES)


def _engines(lab: BenchLab) -> tuple[engine.Engine, Storage | None, Storage | None]:
    """The engine that labctl will choose, with storages for the lab and for the yardstick when that is Podman."""
    found = engine.find("auto", lab.paths_of_bench)
    if found.kind != "podman":
        return found, None, None
    runtime = Path("/run")
    theirs = Storage(lab.folder / "yardstick", runtime / f"novalab-{NAME}-yardstick", lab.paths_of_bench)
    ours = Storage(
        lab.folder / "images", runtime / f"novalab-{NAME}", lab.paths_of_bench
    )  # the last one leads children
    return ours.podman, ours, theirs


@app.command()
def clean(folder: Folder = FOLDER, network: Annotated[str, typer.Option(hidden=True)] = NETWORK) -> None:
    """Remove the bench's lab, its images, caches and storages. Results stay."""
    if not folder.is_dir():
        raise BadInput(f"There is no bench in {folder}")
    lab = BenchLab(folder, NAME, network)
    with lab.held():
        _, ours, theirs = _engines(lab)
        Rounds(lab, ours, compared=None, settle=0, report=typer.echo, keep=lambda _: None).clear()
        for storage in (ours, theirs):
            if storage is not None:
                storage.remove_containers()
                storage.empty()
        lab.empty_cache()
    typer.echo(f"The lab, images and caches in {folder} are gone.")


@app.command("profile")
def profile_(
    which: Which = None,
    case: Annotated[str, typer.Option(help="The case, of which the median run is taken.")] = "warm",
    networking: Annotated[Literal["none", "neutron"], typer.Option(help="Which of the two.")] = "none",
    directory: Annotated[
        Path | None, typer.Option("-C", "--directory", help="The last playbook of a lab instead, whoever ran it.")
    ] = None,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many tasks.")] = 20,
) -> None:
    """The slowest roles and tasks of the newest result, or of the last `labctl up` of any lab.

    \b
      python -m bench profile
      python -m bench profile -C ~/lab
    """
    found = _last_of(LabPaths(directory)) if directory else _sample(results.find(which), networking, case).tasks
    typer.echo(profile.text(found, count))


@app.command("compare")
def compare_(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A file of results, or a commit that has one.")],
    after: Which = None,
) -> None:
    """What has become faster or slower between two results, by case, step and task.

    \b
      python -m bench compare HEAD~3
    """
    typer.echo(compare.text(results.find(before), results.find(after)))


@app.command("table")
def table_(which: Which = None) -> None:
    """Write the figures into README.md, between their markers."""
    result = results.find(which)
    table.write(result)
    typer.echo(f"{table.README} has the figures of {result.name}.")


@app.command()
def plot(
    which: Which = None,
    case: Annotated[str, typer.Option(help="The case, of which the median run is taken.")] = "warm",
    networking: Annotated[Literal["none", "neutron"], typer.Option(help="Which of the two.")] = "none",
    output: Annotated[Path, typer.Option(help="The file.")] = PICTURE,
) -> None:
    """Draw where the time goes: a lane for each node, tasks as bars."""
    result = results.find(which)
    output.write_text(waterfall.svg(result, _sample(result, networking, case)), encoding="utf-8")
    typer.echo(f"{output} shows {networking} {case} of {result.name}.")


def _last_of(paths: LabPaths) -> tuple[Task, ...]:
    runs = events.runs(paths.runner)
    if not runs:
        raise BadInput(f"No playbook has run in {paths.directory} yet", "Run `labctl up` there.")
    return tuple(events.tasks(runs[-1:], events.start(runs[-1])))


def _sample(result: Result, networking: Networking, case: str) -> Sample:
    """The sample of a case whose tasks were kept."""
    sample = next((s for s in result.samples if (s.networking, s.case) == (networking, case) and s.tasks), None)
    if sample is None:
        there = {f"{s.networking} {s.case}" for s in result.samples if s.tasks}
        raise BadInput(
            f"{result.name} has no tasks of {networking} {case} (there: {', '.join(sorted(there)) or 'none'})",
            "Choose with --case and --networking.",
        )
    return sample


def main() -> None:
    """Run the command line; the process ends with its exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(prog_name="bench")
    except LabError as error:
        sys.stderr.write(f"bench: {error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()

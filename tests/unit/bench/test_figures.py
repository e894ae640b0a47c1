"""Figures, and the table that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import cases, figures, results, table
from bench.results import Phase
from labctl.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.results import Result, Sample


def yardstick(make: Callable[..., Sample], cold: float, warm: float) -> list[Sample]:
    return [make(seconds, case=case, by="yardstick") for case, seconds in (("cold", cold), ("warm", warm))]


def test_figure_has_median_spread_and_budget(
    make_sample: Callable[..., Sample], make_result: Callable[..., Result]
) -> None:
    samples = [make_sample(seconds) for seconds in (80.0, 74.0, 70.0, None)]
    (row,) = figures.figures(make_result(*samples, make_sample(20.0, networking="neutron")), "none")
    assert (row.median, row.least, row.most, row.count, row.failed) == (74.0, 70.0, 80.0, 3, 1)
    assert (row.budget, row.met, row.ratio) == ("75 s", True, None)


@pytest.mark.parametrize(("seconds", "met"), [(75.0, True), (75.1, False), (None, False)])
def test_a_budget_is_kept_up_to_its_very_value(
    make_sample: Callable[..., Sample], make_result: Callable[..., Result], seconds: float | None, met: bool
) -> None:
    (row,) = figures.figures(make_result(make_sample(seconds)), "none")
    assert row.met is met


def test_every_budget_is_that_of_a_case() -> None:
    assert set(figures.BUDGETS) < {case.name for case in cases.CASES}


def test_cold_is_compared_without_its_environment(
    make_sample: Callable[..., Sample], make_result: Callable[..., Result]
) -> None:
    phases = [
        Phase(name=name, start=0.0, seconds=seconds)
        for name, seconds in (("Python environment", 40.0), ("Host packages", 10.0), ("Nodes", 9.0))
    ]
    cold = make_sample(350.0, case="cold", phases=phases)
    whole, lab = figures.figures(make_result(cold, *yardstick(make_sample, 200.0, 30.0)), "none")
    assert (whole.median, whole.budget, whole.met, whole.ratio) == (350.0, "", None, None)
    assert (lab.median, lab.met, lab.ratio) == (300.0, True, 1.5)
    _, alone = figures.figures(make_result(cold), "none")
    assert (alone.met, alone.ratio) == (None, None)


def test_ten_computes_count_each(make_sample: Callable[..., Sample], make_result: Callable[..., Result]) -> None:
    (row,) = figures.figures(make_result(make_sample(120.0, case="add-ten")), "none")
    assert row.median == 12.0


def test_table_of_a_result_has_every_case(
    make_sample: Callable[..., Sample], make_result: Callable[..., Result]
) -> None:
    samples = [
        *(make_sample(seconds, run=run, loud=run == 2) for run, seconds in enumerate((60.0, 62.5), 1)),
        make_sample(0.254, case="help"),
        make_sample(90.0, networking="neutron"),
        make_sample(None, case="resume", networking="neutron"),
        *yardstick(make_sample, 183.0, 30.0),
    ]
    text = table.markdown(make_result(*samples))
    assert text.splitlines()[:7] == [
        "| what | at most | `networking: none` | kept | default lab (with Neutron) | kept |",
        "| --- | --- | --- | --- | --- | --- |",
        "| `labctl up`, images there | 75 s | 61.2 s (60.0 to 62.5), 2.04 x \\* | yes | 90.0 s, 1 run, 3.00 x | no |",
        "| `labctl --help` | 0.3 s | 0.25 s, 1 run, 0.01 x | yes | | |",
        "| `labctl resume` after `labctl pause` | 2 s | | | failed | no |",
        "",
        "Medians of 2 runs (least to most), where no other number is given.",
    ]
    for words in ("2026-11-25 at 0123456789ab", "Xeon, 2 cores, 15.6 GiB", "183 s cold and 30 s warm", "\\* Others"):
        assert words in text


def test_a_kind_of_networking_that_was_not_measured_has_no_column(
    make_sample: Callable[..., Sample], make_result: Callable[..., Result]
) -> None:
    text = table.markdown(make_result(make_sample(60.0)))
    assert "Neutron" not in text
    assert "\\*" not in text
    assert "yardstick" not in text


def test_the_table_is_put_between_its_markers(
    tmp_path: Path, make_sample: Callable[..., Sample], make_result: Callable[..., Result]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"# novalab\n\n{table.BEGIN}\nold\n{table.END}\n\nMore.\n", encoding="utf-8")
    result = make_result(make_sample(60.0))
    for _ in range(2):
        table.write(result, readme)
        text = readme.read_text(encoding="utf-8")
        assert text == f"# novalab\n\n{table.BEGIN}\n\n{table.markdown(result)}\n\n{table.END}\n\nMore.\n"


@pytest.mark.parametrize("text", ["", table.BEGIN, table.END, f"{table.END}\n{table.BEGIN}"])
def test_a_readme_without_markers_stays_as_it_is(text: str) -> None:
    with pytest.raises(BadInput, match="lacks a marker"):
        table.insert(text, "| x |")


def test_the_readme_has_the_figures_of_a_result_or_none() -> None:
    text = table.README.read_text(encoding="utf-8")
    inside = text.partition(table.BEGIN)[2].partition(table.END)[0].strip()
    known = {table.markdown(results.read(path)) for path in results.RESULTS.glob("*.json")}
    assert inside in {"", *known}, "run: python -m bench table"
    assert table.insert(text, inside)

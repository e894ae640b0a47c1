"""The verb, on a machine without an engine."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from labctl.cli import main

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths


@pytest.mark.parametrize(("more", "status"), [([], 1), (["--json"], 1)])
def test_doctor_without_an_engine_reports_it(
    paths: LabPaths,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    status: int,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", ["labctl", "-C", str(paths.directory), "doctor", *more])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == status
    output = capsys.readouterr().out
    if more:
        document = json.loads(output)
        assert document["state"] == "not made"
        assert {"engine", "programs"} <= {finding["check"] for finding in document["findings"]}
    else:
        assert "error: no container engine works  [engine]\n    podman: not installed\n" in output
        assert output.endswith("there is no lab here yet, so only this machine was examined.\n")
    assert list(paths.directory.iterdir()) == []


def test_doctor_strict_with_a_warning_fails(
    paths: LabPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning is an exit status on request."""
    from labctl.diagnostics.doctor import runner
    from labctl.diagnostics.doctor.finding import Finding, Severity

    finding = Finding("a", ("e",), "r", Severity.WARNING)
    report = runner.Report("running", runner.checks(), (runner.Diagnosis(runner.checks()[0], finding),), 0.1)
    monkeypatch.setattr(runner, "examine", lambda *_: report)
    for more, status in (([], 0), (["--strict"], 1)):
        monkeypatch.setattr(sys, "argv", ["labctl", "-C", str(paths.directory), "doctor", *more])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code == status
    assert "0 errors, 1 warnings" in capsys.readouterr().out

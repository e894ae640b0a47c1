"""When `labctl up` only compares, and when it runs site.yaml."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from labctl.ansible import inventory, playbook
from labctl.ansible.playbook import Failure, PlaybookFailed, PlaybookResult
from labctl.errors import LabError
from labctl.lab import records
from labctl.lifecycle import up
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.diff import Change, Plan
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths

KEPT = Plan((Change("keep", "controller"),))
DUE = Plan((Change("start", "node controller"),))


@pytest.fixture
def lab(paths: LabPaths, make_lab: Callable[..., Lab]) -> Lab:
    """A lab with the files that labctl makes for it, and an image."""
    paths.make_state()
    paths.hosts_ini.write_text("lab_name=x\n", encoding="utf-8")
    paths.secrets.write_text('{"keystone_admin": "hunter2"}', encoding="utf-8")
    (paths.directory / "x.img").write_bytes(b"x")
    return make_lab(images=[{"name": "x", "path": "x.img"}])


class Runs:
    """What `labctl up` has Ansible do, with a comparison and a site.yaml that may fail."""

    def __init__(self, lab: Lab, paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lab, self.paths = lab, paths
        self.names: list[str] = []
        self.tokens: list[str] = []
        self.failing: dict[str, PlaybookFailed] = {}
        monkeypatch.setattr("labctl.remote.access.of_containers", lambda *_: {})
        monkeypatch.setattr(inventory, "write", lambda *_: False)
        monkeypatch.setattr("labctl.remote.ssh.wait_for_ssh", lambda _: None)
        monkeypatch.setattr(up, "setup", lambda *_, **__: ())
        monkeypatch.setattr(up, "service_list", lambda *_: "rows")
        monkeypatch.setattr(playbook, "run", self.run)

    def run(self, name: str, *, extra_vars: dict[str, str], **_: Any) -> PlaybookResult:  # noqa: ANN401 (as it is)
        self.names.append(name)
        self.tokens.append(extra_vars.get("drift_token", ""))
        if name == "site.yaml":
            assert records.read_software(self.paths) is None
            assert not self.paths.whole.exists()
        if name in self.failing:
            raise self.failing[name]
        return PlaybookResult()

    def up(self, plan: Plan = KEPT, *, full: bool = False) -> up.Outcome:
        self.names.clear()
        self.tokens.clear()
        with Progress(self.paths.logs / "x.log") as progress:
            return up.up(replace(LabContext.of(self.lab, self.paths), progress=progress), plan, full=full)


@pytest.fixture
def runs(lab: Lab, paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(lab, paths, monkeypatch)


COMPARISON = "playbooks/unchanged.yaml"


def test_up_again_compares(runs: Runs) -> None:
    first = runs.up(DUE)
    assert (runs.names, first.unchanged) == (["site.yaml"], False)
    token = runs.tokens[0]
    assert token
    second = runs.up()
    assert (runs.names, runs.tokens, second.unchanged, second.services) == ([COMPARISON], [token], True, "rows")
    assert records.read_software(runs.paths) is not None
    assert (runs.up(), runs.names)[1] == [COMPARISON]


@pytest.mark.parametrize("how", [{"plan": DUE}, {"full": True}], ids=["due", "asked for"])
def test_up_with_changes_due_does_not_compare(runs: Runs, how: dict[str, Any]) -> None:
    runs.up(DUE)
    before = runs.tokens[0]
    runs.up(**how)
    assert runs.names == ["site.yaml"]
    assert runs.tokens[0] not in ("", before)


def test_up_after_a_difference_runs_everything(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.up(DUE)
    failures = [
        Failure("compute1", "Look", "/etc/x: is gone\nunit y: is gone"),
        Failure("compute2", "Look", "/z: is new"),
    ]
    runs.failing[COMPARISON] = PlaybookFailed(COMPARISON, failures, [])
    outcome = runs.up()
    assert runs.names == [COMPARISON, "site.yaml"]
    assert not outcome.unchanged
    assert outcome.differences == ("compute1: /etc/x: is gone", "compute1: unit y: is gone", "compute2: /z: is new")
    assert "  compute1: /etc/x: is gone\n" in capsys.readouterr().out
    del runs.failing[COMPARISON]
    assert runs.up().unchanged


def test_up_after_a_failed_run_does_not_compare(runs: Runs) -> None:
    runs.up(DUE)
    for failing in ("site.yaml", COMPARISON):
        runs.failing[failing] = PlaybookFailed(failing, [], ["something"])
    with pytest.raises(LabError):
        runs.up()
    runs.failing.clear()
    runs.up()
    assert runs.names == ["site.yaml"]


def test_up_after_a_partial_run_does_not_compare(runs: Runs) -> None:
    """Computes that come are installed alone; who comes next looks at everything once."""
    runs.up(DUE)
    runs.up(Plan((Change("create", "node compute3", "", ("compute3",), local=True),)))
    assert (runs.names, runs.tokens) == (["site.yaml"], [""])
    assert (runs.up(), runs.names)[1] == ["site.yaml"]


def test_token_is_passed_to_a_full_run_only(
    lab: Lab, paths: LabPaths, context: Callable[..., LabContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, object]] = []
    monkeypatch.setattr(playbook, "run", lambda *_, extra_vars, **__: given.append(extra_vars))
    local = Plan((Change("create", "node compute3", "", ("compute3",), local=True),))
    with Progress(paths.directory / "x.log") as progress:
        up._software(context(lab, progress), DUE, "t0")
        up._software(context(lab, progress), local, "t0")
    assert given == [{"drift_token": "t0"}, {"site_new_computes": ["compute3"]}]

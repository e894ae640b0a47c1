"""When the nodes of a lab that comes back are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.errors import LabError
from labctl.lifecycle import readiness
from labctl.remote.ssh import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lifecycle.context import LabContext


def test_reports_are_of_all_services(
    make_lab: Callable[..., Lab], context: Callable[..., LabContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def ask(
        _: object,
        __: object,
        nodes: list[object],
        name: str,
        arguments: Callable[..., dict[str, object]],
        **___: object,
    ) -> dict[str, Answer]:
        asked.append({**arguments(nodes[0]), "program": name})
        return {"controller": Answer("", "" if len(asked) == 1 else "nova-compute on compute2 has not reported")}

    monkeypatch.setattr("labctl.lifecycle.readiness.ask", ask)
    lab = make_lab(networking="none")
    readiness.wait_for_conductor(context(lab))
    with pytest.raises(LabError, match="since the restore: nova-compute on compute2 has not"):
        readiness.wait_for_all(context(lab), 7.5)
    assert asked[0]["services"] == {}
    assert asked[1] == {
        "services": {
            "controller": ["nova-conductor", "nova-scheduler"],
            "compute1": ["nova-compute"],
            "compute2": ["nova-compute"],
        },
        "since": 7.5,
        "timeout": 120,
        "network": False,
        "program": "reports",
    }

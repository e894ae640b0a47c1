"""Samples and results without a machine behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench.results import Machine, Result, Sample, Task

if TYPE_CHECKING:
    from collections.abc import Callable

MACHINE = Machine(
    processor="Xeon",
    cores=2,
    memory=15.6,
    kernel="6.1.0",
    system="Debian GNU/Linux 12 (bookworm)",
    engine="podman 4.3.1",
    python="3.11.2",
    ansible="2.19.4",
)


@pytest.fixture
def make_sample() -> Callable[..., Sample]:
    """A sample of a warm run without Neutron on a quiet machine."""

    def make(seconds: float | None = 60.0, **values: Any) -> Sample:  # noqa: ANN401 (a sample has many kinds)
        usual: dict[str, Any] = {
            "case": "warm",
            "networking": "none",
            "by": "novalab",
            "run": 1,
            "date": "2026-11-25T22:00:00Z",
            "load": 0.1,
            "busy": 0.02,
            "loud": False,
        }
        return Sample(**{**usual, "seconds": seconds, **values})

    return make


@pytest.fixture
def make_task() -> Callable[..., Task]:
    """A task on the controller."""

    def make(name: str, start: float, seconds: float, **values: Any) -> Task:  # noqa: ANN401 (as above)
        usual: dict[str, Any] = {"node": "controller", "role": "keystone", "status": "ok"}
        return Task(**{**usual, "name": name, "start": start, "seconds": seconds, **values})

    return make


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """A result with some samples."""

    def make(*samples: Sample, **values: Any) -> Result:  # noqa: ANN401 (as above)
        usual: dict[str, Any] = {
            "commit": "0123456789abcdef" * 2 + "01234567",
            "dirty": False,
            "date": "2026-11-25T21:59:00Z",
            "machine": MACHINE,
            "load": 0.05,
        }
        return Result(**{**usual, "samples": samples, **values})

    return make

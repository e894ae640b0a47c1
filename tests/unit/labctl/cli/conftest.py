"""What the tests of verbs share."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from labctl.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def labctl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run labctl where no container engine and no Vagrant can be found: status, output and errors."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("labctl.providers.host_networks.of_host", list)
    monkeypatch.delenv("LABCTL_DIR", raising=False)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["labctl", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run

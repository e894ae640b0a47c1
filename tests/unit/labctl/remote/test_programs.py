"""The programs for nodes, run here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from labctl.remote import programs

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HARD = "p@:/#%?$'\"\\ x\n"


def run(program: str) -> Any:  # noqa: ANN401 (JSON)
    done = subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_arguments_arrive_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "echo.py").write_text(
        "import json\n\ndef main(arguments):\n    print(json.dumps(arguments))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    arguments = {"names": [HARD, "ü"], "none": None}
    assert run(programs.program("here.echo", arguments)) == arguments

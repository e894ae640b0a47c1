"""The table of verbs, and that their modules are imported when they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import labctl.cli
from labctl.cli.app import VERBS, load_verb

# What the command line is made of beside its verbs.
_SHARED = {"__init__", "app", "common", "main", "shell_completion", "status_text"}


@pytest.mark.parametrize("name", VERBS)
def test_help_of_verb_begins_with_listed_sentence(name: str) -> None:
    first = str(load_verb(name).help).replace("\n", " ")
    assert first.startswith(VERBS[name])


def test_verbs_table_names_every_module() -> None:
    modules = {path.stem for path in Path(labctl.cli.__path__[0]).glob("*.py")} - _SHARED
    assert {name.replace("-", "_") for name in VERBS} == modules


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_no_verb(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom labctl.cli.app import app\n"
        f"try:\n    app({arguments!r})\nexcept SystemExit:\n    pass\n"
        "print([name for name in sys.modules if name.startswith('labctl.lifecycle')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"

"""The hooks of .pre-commit-config.yaml: valid, without downloads, and no other linters than those of `make check`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / ".pre-commit-config.yaml"
TESTS = "unit"  # the part of `make check` that no commit waits for


def test_pre_commit_config_is_valid() -> None:
    program = Path(sys.executable).with_name("pre-commit")
    done = subprocess.run([program, "validate-config", CONFIG], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pre_commit_hooks_are_the_linters_of_make_check() -> None:
    (repository,) = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["repos"]
    assert repository["repo"] == "local"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = re.search(r"^check:.*\n\t.*--output-sync=target (.*)$", makefile, re.MULTILINE)
    assert recipe
    hooks = {hook["entry"].removeprefix("make --no-print-directory ") for hook in repository["hooks"]}
    assert hooks == set(recipe[1].split()) - {TESTS}

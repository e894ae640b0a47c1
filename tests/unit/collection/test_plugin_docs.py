"""The plugins' documentation: complete, readable by ansible-doc, and true of what they return."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.artefact import CHECKOUT

PLUGINS = CHECKOUT / "plugins"
# Ansible's own, which no module documents.
COMMON = {"changed", "diff", "msg", "failed", "exception"}


def documented(kind: str) -> dict[str, dict[str, Any]]:
    """What ansible-doc makes of every plugin of a kind, by the plugin's short name."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-doc"), "--json", "-t", kind, *names(kind)],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ERROR" not in done.stderr
    return {name.rpartition(".")[2]: doc for name, doc in json.loads(done.stdout).items()}


def names(kind: str) -> list[str]:
    folder = {"module": "modules"}.get(kind, kind)
    return [f"novalab.openstack.{path.stem}" for path in sorted((PLUGINS / folder).glob("*.py"))]


@pytest.mark.parametrize("kind", ["module", "filter"])
def test_ansible_doc_shows_every_plugin(kind: str) -> None:
    docs = documented(kind)
    assert sorted(docs) == [name.rpartition(".")[2] for name in names(kind)]
    for name, doc in docs.items():
        assert doc["doc"]["short_description"], name
        assert doc["doc"]["description"], name
        for option, about in doc["doc"]["options"].items():
            assert about["description"], f"{name}: {option}"
        for value, about in doc["return"].items():
            assert about["description"], f"{name}: {value}"
            assert about["type"], f"{name}: {value}"
        (task,) = yaml.safe_load(doc["examples"])[:1]
        assert task["name"], name


def returned(tree: ast.Module) -> set[str]:
    """The names under which a module returns something: arguments of exit_json, fail_json and checks.result."""
    found: set[str] = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        target = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if target in ("exit_json", "fail_json", "result"):
            found |= {keyword.arg for keyword in call.keywords if keyword.arg}
            found |= {"checks"} if target == "result" else set()
    return found


@pytest.mark.parametrize("path", sorted((PLUGINS / "modules").glob("*.py")), ids=lambda path: path.stem)
def test_what_is_returned_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    promised = next(
        yaml.safe_load(ast.literal_eval(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "RETURN"
    )
    found = returned(tree) | literal_results(tree)
    assert found - COMMON == set(promised)


def literal_results(tree: ast.Module) -> set[str]:
    """The keys of dictionaries that hold a result: those with "changed"."""
    dicts = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    keys = [{key.value for key in node.keys if isinstance(key, ast.Constant)} for node in dicts]
    return {str(key) for found in keys if "changed" in found for key in found}

"""Programs for the nodes, each a module that is sent as its text and run by the node's own Python.

They import Python's library, as of Debian 12 (3.11), and modules of labctl and of the collection, which are sent with
them: by `from PACKAGE import MODULE`, at the top. They have a function main that takes a mapping.
"""

import ast
import importlib.util
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

_OURS = ("labctl.", "ansible_collections.novalab.")
# Modules are created from their texts, with the names that they have here and the packages above them.
_LOADER = """
import json, sys, types
def package(name):
    if name and name not in sys.modules:
        parent, _, last = name.rpartition(".")
        package(parent)
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
        if parent: setattr(sys.modules[parent], last, sys.modules[name])
for name, text in json.loads({sources!r}).items():
    parent, _, last = name.rpartition(".")
    package(parent)
    sys.modules[name] = module = types.ModuleType(name)
    setattr(sys.modules[parent], last, module)
    exec(compile(text, name, "exec"), module.__dict__)
module.main(json.loads({arguments!r}))
"""


def program(name: str, arguments: Mapping[str, Any]) -> str:
    """The text of a program that calls main(arguments) of a module; arguments are what JSON can hold.

    The name is that of a module of this package, or the full name of another one.
    """
    sources = _sources(name if "." in name else f"{__name__}.{name}")
    return _LOADER.format(sources=json.dumps(sources), arguments=json.dumps(arguments))


@cache
def _sources(module: str) -> dict[str, str]:
    """The texts of a module and of all that it imports of ours, each after what it imports itself."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(module)
    text: str = spec.loader.get_source(module)  # type: ignore[attr-defined]
    found: dict[str, str] = {}
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith(_OURS):
            for alias in statement.names:
                found |= _sources(f"{statement.module}.{alias.name}")
    return {**found, module: text}

"""Programs for the nodes: each module of this package is one, sent as its text and run by the node's own Python.

They import nothing but Python's library, as of Debian 12 (3.11), and what they share with the collection's modules,
which is sent with them. They have a function main that takes a mapping.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from labctl.lab.paths import assets

_SHARED_PACKAGE = "ansible_collections.novalab.openstack.plugins.module_utils"
_SHARED = {
    "options": ("oslo_ini", "oslo_options"),
    "state": ("systemd",),
}  # what a program needs of it, in the order in which they import each other

# Modules are made from their texts under the names they have here, with the packages above them.
_LOADER = """
import json, sys, types
def package(name):
    if name and name not in sys.modules:
        parent, _, last = name.rpartition(".")
        package(parent)
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
        if parent: setattr(sys.modules[parent], last, sys.modules[name])
for name, text in json.loads({sources!r}):
    parent, _, last = name.rpartition(".")
    package(parent)
    sys.modules[name] = module = types.ModuleType(name)
    setattr(sys.modules[parent], last, module)
    exec(compile(text, name, "exec"), module.__dict__)
module.main(json.loads({arguments!r}))
"""


def program(name: str, arguments: dict[str, Any]) -> str:
    """The text of a program that does main(arguments) of a module of this package; arguments are what JSON can hold."""
    text = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return assemble([(f"{__name__}.{name}", text)], _SHARED.get(name, ()), arguments)


def assemble(modules: Iterable[tuple[str, str]], shared: Iterable[str], arguments: dict[str, Any]) -> str:
    """One text of modules, by name, and of those that they share with the collection. It calls main() of the last."""
    texts = [*((f"{_SHARED_PACKAGE}.{name}", _shared(name)) for name in shared), *modules]
    return _LOADER.format(sources=json.dumps(texts), arguments=json.dumps(arguments))


@cache
def _shared(name: str) -> str:
    return (assets() / "plugins" / "module_utils" / f"{name}.py").read_text(encoding="utf-8")

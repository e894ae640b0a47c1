"""The programs of probes/ as one text that a node's Python runs from its standard input."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from labctl.lab.paths import assets

_PACKAGE = "labctl.diagnostics.doctor.probes"
_SHARED_PACKAGE = "ansible_collections.novalab.openstack.plugins.module_utils"
_SHARED = ("service_database", "nova_manage")  # in the order in which they import each other
_OWN = ("units", "system", "files", "logins", "apis", "compute", "cloud", "main")

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
sys.modules[{main!r}].main({question!r})
"""


def program(question: dict[str, Any]) -> str:
    """The whole program, with its question in it. It holds no secret."""
    return _LOADER.format(sources=_sources(), main=f"{_PACKAGE}.main", question=json.dumps(question))


@cache
def _sources() -> str:
    shared = assets() / "plugins" / "module_utils"
    own = resources.files(_PACKAGE)
    texts = [(f"{_SHARED_PACKAGE}.{name}", (shared / f"{name}.py").read_text(encoding="utf-8")) for name in _SHARED]
    texts += [(f"{_PACKAGE}.{name}", (own / f"{name}.py").read_text(encoding="utf-8")) for name in _OWN]
    return json.dumps(texts)

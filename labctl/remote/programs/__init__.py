"""Programs for the nodes: each module of this package is one, sent as its text and run by the node's own Python.

They import nothing but Python's library, as of Debian 12 (3.11), and have a function main that takes a mapping.
"""

import json
from pathlib import Path
from typing import Any


def program(name: str, arguments: dict[str, Any]) -> str:
    """The text of a program that does main(arguments) of a module of this package; arguments are what JSON can hold."""
    text = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return f"{text}\n\nimport json\n\nmain(json.loads({json.dumps(arguments)!r}))\n"

"""YAML with the line of every value, for messages about mistakes.

ruamel's composer gives the nodes with their lines and their original text, which is lost once `2025.1` has become a
number.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

KeyPath = tuple[str, ...]
_TAG = "tag:yaml.org,2002:"
# Far more than any lab needs. A file may come from somebody else, and must not cost time and memory without end.
MOST_BYTES = 64 << 10
MOST_LEVELS = 20
MOST_VALUES = 5000


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong in a file. line counts from 1; key is the path to the value, () for the file as such."""

    line: int | None
    key: KeyPath
    found: str
    expected: str
    remedy: str | None = None

    def __str__(self) -> str:
        place = [f"line {self.line}"] if self.line else []
        place += [".".join(self.key)] if self.key else []
        text = f"{', '.join(place) or 'the file'}: found {self.found}, expected {self.expected}"
        return text if self.remedy is None else f"{text}\n    {self.remedy}"


@dataclass
class YamlFile:
    """The data of a YAML file. lines and texts are by the path to the value; texts has the scalars as written."""

    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    texts: dict[KeyPath, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, key: KeyPath) -> int | None:
        """The line of a value, or of the nearest one around it that is in the file."""
        while key not in self.lines and key:
            key = key[:-1]
        return self.lines.get(key)


class _RefusedError(Exception):
    """The file cannot be accepted, as the mistake says."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__()
        self.mistake = mistake


def read(path: Path) -> YamlFile:
    """Read a YAML file; a missing one is empty. What cannot be read is a mistake in the result, never an exception.

    So is a file that is larger, deeper or, with its aliases expanded, longer than the limits of this module.
    """
    result = YamlFile()
    try:
        node = YAML().compose(_text(path))
        result.data = None if node is None else _value(node, (), result)
    except FileNotFoundError:
        pass
    except _RefusedError as error:
        result = YamlFile(mistakes=[error.mistake])
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        result.mistakes.append(_unreadable(error, path))
    return result


def _text(path: Path) -> str:
    """The text of a file within the limits on size and depth. Raises _RefusedError for any other."""
    if path.exists() and not path.is_file() and not path.is_dir():  # to open a pipe would wait for its writer
        raise _RefusedError(Mistake(None, (), "a pipe or device", "a file", f"Look at {path}."))
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise _RefusedError(Mistake(None, (), f"more than {MOST_BYTES} bytes", "a smaller file"))
    text = data.decode()
    depth = 0
    # By events, for the composer calls itself for each level.
    for event in YAML().parse(text):
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > MOST_LEVELS:
            raise _RefusedError(
                Mistake(event.start_mark.line + 1, (), f"more than {MOST_LEVELS} levels", "fewer levels")
            )
    return text


def _unreadable(error: Exception, path: Path) -> Mistake:
    """Why a file cannot be read."""
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        byte = f"the byte 0x{error.object[error.start]:02x}"
        return Mistake(line, (), byte, "text in UTF-8", "Save the file as UTF-8.")
    if isinstance(error, OSError):
        found = (error.strerror or str(error)).lower()
        return Mistake(None, (), f"'{found}'", "a file that can be read", f"Look at {path}.")
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        # What it quotes may be a secret that is not quoted in the file: `*name` is an alias, `!name` a tag.
        words = " ".join(part for part in (error.problem, error.context) if part) or "a syntax error"
        found = re.sub(r"""(["'])[^"'\s]{4,}\1""", "(not shown)", words).removeprefix("found ")
        return Mistake(mark.line + 1 if mark else None, (), found, "valid YAML")
    return Mistake(None, (), " ".join(str(error).split()), "valid YAML")


def _value(node: Node, key: KeyPath, result: YamlFile, above: tuple[Node, ...] = ()) -> object:
    line = node.start_mark.line + 1
    if len(result.lines) >= MOST_VALUES:
        found = f"more than {MOST_VALUES} values, with aliases (*) expanded"
        raise _RefusedError(Mistake(result.line(key[:1]), key[:1], found, "fewer values"))
    result.lines.setdefault(key, line)
    if node in above:
        result.mistakes.append(Mistake(line, key, "an alias of a value that contains it", "a value"))
        return None
    if node.tag and not str(node.tag).startswith(_TAG):
        remedy = "Put a text that begins with ! in quotes."
        result.mistakes.append(Mistake(line, key, "a tag (!)", "a plain value", remedy))
        return None
    if isinstance(node, MappingNode):
        return _mapping(node, key, result, (*above, node))
    if isinstance(node, SequenceNode):
        return [_value(item, (*key, str(index)), result, (*above, node)) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)  # noqa: S101 (the composer knows three kinds of nodes)
    result.texts[key] = node.value
    return _scalar(node)


def _mapping(node: MappingNode, key: KeyPath, result: YamlFile, above: tuple[Node, ...]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name_node, value_node in node.value:
        line = name_node.start_mark.line + 1
        if not isinstance(name_node, ScalarNode):
            result.mistakes.append(Mistake(line, key, "a list or mapping as a key", "a word as a key"))
            continue
        name: str = name_node.value
        path = (*key, name)
        if name in values:
            found = f"the key a second time, first in line {result.lines[path]}"
            result.mistakes.append(Mistake(line, path, found, "each key once", "Remove one of the two."))
            continue
        result.lines[path] = line
        values[name] = _value(value_node, path, result, above)
    return values


def _scalar(node: ScalarNode) -> object:
    """A scalar as YAML 1.2 means it; what only looks like a number or a date stays text."""
    text: str = node.value
    readers = {
        "null": lambda: None,
        "bool": lambda: text.lower() == "true",
        "int": lambda: int(text.replace("_", ""), 0),
        "float": lambda: float(text.replace("_", "")),
    }
    try:
        return readers.get(str(node.tag).removeprefix(_TAG), lambda: text)()
    except ValueError:
        return text

"""Files that are meant to hurt: refused with a line, in little time and memory, and nothing is written."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from labctl.lab import yaml_reader
from labctl.lab.yaml_reader import MOST_BYTES, MOST_LEVELS, MOST_VALUES

MEBIBYTE = 1 << 20
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 8)
)
PIECES = ("[", "{", "- ", "? ", "a: ", "!x ", "&a ", "*a ", '"', "'", "|", "%", "@", "`", ",", "<<: ")
BAD: dict[str, str] = {
    **{f"{piece!r} {count} times": piece * count for piece in PIECES for count in (20, 50, 100, 300, 3000, 30000)},
    "aliases": BOMB,
    "aliases as values": BOMB + "images: *a7\n",
    "an alias of itself": "images: &a [*a]\n",
    "levels of brackets": "images: " + "[" * 3000 + "]" * 3000,
    "levels of braces": "{a: " * 3000 + "}" * 3000,
    "levels of lines": "\n".join(" " * level + "a:" for level in range(300)),
    "a long list": "images:\n" + "- x\n" * 16000,
    "many keys": "".join(f"key{number}: x\n" for number in range(6000)),
    "many anchors": "".join(f"key{number}: &a{number} x\n" for number in range(4000)),
    "a key many times": "name: a\n" * 8000,
    "a long key": "x" * 60000 + ": 1",
    "a long number": "computes: " + "9" * 60000,
    "a large number": "computes: 1e999999",
    "a long name": "name: " + "x" * 60000,
    "a long text": f'name: "{"x" * (2 * MOST_BYTES)}"',
    "zero bytes": "name: \0",
    "a control character": "name: \x1b[2J",
    "two documents": "name: a\n---\nname: b\n",
    "a tag of Python's": "name: !!python/object/apply:os.system [id]",
    "a list for a mapping": "[name, a]",
    "a mapping as a key": "{name: a}: b",
    "a merge": "<<: {name: a, computes: many}",
    "a template as a name": "name: '{{ 1 }}'",
    "a secret of control characters": 'secrets: {keystone_admin: "a\\eb"}',
    "a date": "network: 2026-01-01",
    "an address beyond": "network: 256.1.1.0/24",
    "a lab of everything": "network: 10.0.0.0/8",
}
# The child's own limits: what goes beyond them ends it.
LIMITS = {resource.RLIMIT_AS: 400 * MEBIBYTE, resource.RLIMIT_CPU: 60}
PROGRAM = """
import json, sys
from pathlib import Path
from labctl.errors import BadInput
from labctl.lab import model
from labctl.lab.paths import LabPaths
directory = Path(sys.argv[1])
said = {}
for name, text in json.load(sys.stdin).items():
    (directory / "lab.yaml").write_text(text, encoding="utf-8")
    try:
        model.load(LabPaths(directory))
        said[name] = ""
    except BadInput as error:
        said[name] = str(error)
print(json.dumps(said))
"""


def _limit() -> None:
    for kind, most in LIMITS.items():
        resource.setrlimit(kind, (most, most))


def test_files_that_are_meant_to_hurt_are_refused(tmp_path: Path) -> None:
    assert len(BAD) >= 100
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        input=json.dumps(BAD),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_limit,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, str] = json.loads(done.stdout)
    assert [name for name, text in said.items() if "nothing was changed" not in text] == []
    assert [name for name, text in said.items() if len(text) > 4000] == []
    assert [path.name for path in tmp_path.iterdir()] == ["lab.yaml"]


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("name: a\nimages: " + "[" * 30, 2, f"more than {MOST_LEVELS} levels"),
        (BOMB, 4, f"more than {MOST_VALUES} values"),
        ("#" * (MOST_BYTES + 1), None, f"more than {MOST_BYTES} bytes"),
    ],
)
def test_limits_are_named_with_their_line(tmp_path: Path, text: str, line: int | None, found: str) -> None:
    (tmp_path / "lab.yaml").write_text(text, encoding="utf-8")
    (mistake,) = yaml_reader.read(tmp_path / "lab.yaml").mistakes
    assert mistake.line == line
    assert found in mistake.found


def test_large_lab_is_within_the_limits(tmp_path: Path) -> None:
    images = [{"name": f"image{number}", "path": "a", "properties": {"a": "b"}} for number in range(500)]
    (tmp_path / "lab.yaml").write_text(json.dumps({"images": images}), encoding="utf-8")
    assert yaml_reader.read(tmp_path / "lab.yaml").mistakes == []


def test_pipe_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lab.yaml")
    (mistake,) = yaml_reader.read(tmp_path / "lab.yaml").mistakes
    assert mistake.found == "a pipe or device"

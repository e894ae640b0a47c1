"""Begin a lab: write a commented lab.yaml, with a name and a network that no other lab has."""

import re
from pathlib import Path

from pydantic import ValidationError

from labctl.errors import BadInput
from labctl.lab import model
from labctl.lab.paths import LabPaths
from labctl.lab.schema import LabFile
from labctl.lifecycle import conflicts
from labctl.providers import engine

_TEMPLATE = Path(__file__).parent / "lab.yaml"


def init(paths: LabPaths, *, name: str | None = None) -> dict[str, str]:
    """Write lab.yaml, and create its directory if need be. Returns the keys that are not at their defaults.

    Raises BadInput if the file exists, and if the name is invalid or a different lab has it.
    """
    if paths.lab_yaml.exists():
        raise BadInput(f"{paths.lab_yaml} already exists; nothing was changed", "Edit it, or move it away first.")
    chosen: dict[str, str] = {} if name is None else {"name": name}
    try:
        lab = model.resolve(LabFile.model_validate(chosen))
    except ValidationError as error:
        expected = "Expected a lower-case letter, then up to 19 letters, digits or hyphens."
        raise BadInput(f"{name!r} is no name for a lab", expected) from error
    others = conflicts.find_others(lab, paths, engine.working(paths))
    for problem in conflicts.problems(lab, paths, others):
        if problem.free is None or (problem.key == "name" and name is not None):
            raise BadInput(f"{problem.reason}; nothing was changed", "Choose a different one.")
        chosen[problem.key] = str(problem.free)
    text = filled(_TEMPLATE.read_text(encoding="utf-8"), chosen)
    try:
        paths.directory.mkdir(parents=True, exist_ok=True)
        with paths.lab_yaml.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise BadInput(f"{paths.lab_yaml} cannot be written: {error.strerror}") from error
    return chosen


def filled(template: str, values: dict[str, str]) -> str:
    """The commented file with values in place of their defaults."""
    for key, value in values.items():
        template, count = re.subn(rf"^# {key}: .*$", f"{key}: {value}", template, count=1, flags=re.MULTILINE)
        if not count:
            raise ValueError(f"no line for {key} in the template")
    return template

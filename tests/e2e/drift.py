"""Whether `labctl up` compared the nodes only, or ran site.yaml."""

from pathlib import Path
from typing import Any

from tests.e2e.lab import LiveLab


def runs(lab: LiveLab) -> set[Path]:
    """The runs of Ansible that are kept."""
    return set((lab.directory / ".labctl" / "runner" / "artifacts").iterdir())


def only_compared(lab: LiveLab) -> dict[str, Any]:
    """Run `labctl up`, which must compare, find nothing and change nothing. Returns the document that it printed."""
    before = runs(lab)
    document = lab.up()
    (only,) = runs(lab) - before
    assert ("unchanged.yaml" in (only / "command").read_text(encoding="utf-8")) == document["unchanged"]
    changed = [counts["changed"] for counts in document["ansible"]["nodes"].values()]
    assert (document["unchanged"], document["differences"], changed) == (True, [], [0, 0, 0, 0])
    return document

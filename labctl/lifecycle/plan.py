"""What `labctl up` is about to do: what it creates, starts, changes and removes, and what it refuses."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from labctl.errors import BadInput
from labctl.lab.paths import LabPaths

Action = Literal["create", "start", "change", "remove", "keep"]
_SIGNS: dict[Action, str] = {"create": "+", "start": ">", "change": "~", "remove": "-", "keep": "="}


@dataclass(frozen=True)
class Change:
    """One thing that is done, in words for people. nodes are those whose files or services it touches.

    local says that what is installed on the controller has no part in it.
    """

    action: Action
    what: str
    detail: str = ""
    nodes: tuple[str, ...] = ()
    local: bool = False

    @property
    def text(self) -> str:
        """The change in one line."""
        return f"{_SIGNS[self.action]} {self.what}{f': {self.detail}' if self.detail else ''}"


@dataclass(frozen=True)
class Refusal:
    """One thing of lab.yaml that cannot be brought about: why, and the way that works."""

    key: str
    was: str
    now: str
    reason: str
    way: str

    @property
    def text(self) -> str:
        """The refusal in one line."""
        return f"{self.key} was {self.was}, now {self.now}: {self.reason}"


@dataclass(frozen=True)
class Plan:
    """What `labctl up` would do with the lab as it is. leaving has the nodes that go, returning those that were
    about to and are to stay after all; evict lets the servers go."""

    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    leaving: tuple[str, ...] = ()
    returning: tuple[str, ...] = ()
    evict: bool = False

    @property
    def due(self) -> bool:
        """Whether anything is to be done at all."""
        return any(change.action != "keep" for change in self.changes)

    @property
    def new(self) -> tuple[str, ...]:
        """The computes that are created."""
        return tuple(
            name for change in self.changes if change.local and change.action == "create" for name in change.nodes
        )

    @property
    def local(self) -> bool:
        """Whether computes come or go and nothing else is to be done, to a lab whose software was whole."""
        return self.due and all(change.local for change in self.changes if change.action != "keep")

    def check(self, paths: LabPaths) -> None:
        """Raise BadInput with everything that is refused and the ways that work."""
        if not self.refusals:
            return
        lines = "\n".join(f"  {refusal.text}" for refusal in self.refusals)
        raise BadInput(
            f"The lab in {paths.directory} exists and cannot become what lab.yaml says; nothing was changed:\n{lines}",
            "\n".join(dict.fromkeys(refusal.way for refusal in self.refusals)),
        )

    def lines(self) -> Iterable[str]:
        """The changes for people, a line each."""
        return (change.text for change in self.changes)

    def document(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "changes": [asdict(change) for change in self.changes],
            "refused": [asdict(refusal) for refusal in self.refusals],
        }

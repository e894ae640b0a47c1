"""What `labctl up` is about to do: what it creates, starts, changes and removes, and what it refuses."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from labctl.errors import BadInput
from labctl.lab.paths import LabPaths

Action = Literal["create", "start", "change", "remove", "keep"]
_SIGNS: dict[Action, str] = {"create": "+", "start": ">", "change": "~", "remove": "-", "keep": "="}


@dataclass(frozen=True)
class Change:
    """One thing that is done, in words for people. nodes are those whose files or services it changes.

    local says that nothing on the controller is installed or configured for it.
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
    """A change of lab.yaml that is impossible: why, and what to do instead."""

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
    """What `labctl up` would do.

    leaving has the nodes to remove, returning those that an interrupted run was about to remove and that are to stay;
    evict says that servers on nodes that leave are deleted.
    """

    changes: tuple[Change, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    leaving: tuple[str, ...] = ()
    returning: tuple[str, ...] = ()
    evict: bool = False

    @property
    def due(self) -> bool:
        """Whether anything is to be done."""
        return any(change.action != "keep" for change in self.changes)

    @property
    def new(self) -> tuple[str, ...]:
        """The computes to create."""
        created = [change for change in self.changes if change.local and change.action == "create"]
        return tuple(name for change in created for name in change.nodes)

    @property
    def local(self) -> bool:
        """Whether nothing is to be done but to add or remove computes, in a lab whose software is complete."""
        return self.due and all(change.local for change in self.changes if change.action != "keep")

    def check(self, paths: LabPaths) -> None:
        """Raise BadInput with all refusals and what to do instead."""
        if not self.refusals:
            return
        lines = "\n".join(f"  {refusal.text}" for refusal in self.refusals)
        raise BadInput(
            f"The lab in {paths.directory} exists and cannot become what lab.yaml says; nothing was changed:\n{lines}",
            "\n".join(dict.fromkeys(refusal.way for refusal in self.refusals)),
        )

    def lines(self) -> list[str]:
        """The changes for people, a line each."""
        return [change.text for change in self.changes]

    def document(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "changes": [asdict(change) for change in self.changes],
            "refused": [asdict(refusal) for refusal in self.refusals],
        }

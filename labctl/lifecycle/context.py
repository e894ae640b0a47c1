"""What a verb works with: one lab, its files, where its nodes run, and how progress is shown."""

from dataclasses import dataclass, field

from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.providers.base import Provider
from labctl.providers.select import provider_of
from labctl.ui.progress import Progress, Silent


@dataclass(frozen=True)
class LabContext:
    """One lab as a verb sees it. Verbs that only look have a progress that shows and keeps nothing."""

    lab: Lab
    paths: LabPaths
    provider: Provider
    progress: Progress = field(default_factory=Silent)

    @classmethod
    def of(cls, lab: Lab, paths: LabPaths) -> "LabContext":
        """The context of a lab, to look at it."""
        return cls(lab, paths, provider_of(lab, paths))

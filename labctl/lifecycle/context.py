"""What a verb works with: one lab, its files, its provider, and how progress is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from labctl.ansible import playbook
from labctl.ansible.playbook import PlaybookResult
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.providers.base import Provider
from labctl.providers.select import provider_of
from labctl.ui.progress import Progress, Silent

Vars = Mapping[str, object]


@dataclass(frozen=True)
class LabContext:
    """One lab as a verb sees it. By default, progress is neither shown nor logged."""

    lab: Lab
    paths: LabPaths
    provider: Provider
    progress: Progress = field(default_factory=Silent)

    @classmethod
    def of(cls, lab: Lab, paths: LabPaths) -> "LabContext":
        """The context of a lab, to look at it."""
        return cls(lab, paths, provider_of(lab, paths))

    def play(
        self, name: str, title: str, extra_vars: Vars | None = None, *, skip: str | None = None, asks: bool = False
    ) -> PlaybookResult:
        """Run a playbook on the nodes in hosts.ini; see playbook.run(). Raises PlaybookFailed."""
        return playbook.run(
            name,
            paths=self.paths,
            inventory=self.paths.hosts_ini,
            progress=self.progress,
            title=title,
            skip=skip,
            extra_vars=extra_vars,
            asks=asks,
        )

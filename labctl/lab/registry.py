"""The labs of this user, wherever their directories are: a small file for each, in the user's state directory.

A lab is entered when its first part is made and leaves with `labctl destroy`. What it is like now, its directory and
the engine know better: the register only says where to look.
"""

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.files import write_private
from labctl.lab.paths import LabPaths
from labctl.lab.schema import PROVIDERS

if TYPE_CHECKING:
    from labctl.lab.model import Lab


def state_directory() -> Path:
    """Where labctl keeps what it must not forget, for all labs of a user (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "novalab"


@dataclass(frozen=True)
class Entry:
    """A lab as it was entered. since is the moment in UTC, ISO 8601; guest_network is None without Neutron."""

    name: str
    directory: str
    provider: str
    network: str
    guest_network: str | None
    since: str

    @property
    def paths(self) -> LabPaths:
        """Its files."""
        return LabPaths(Path(self.directory))

    @property
    def in_containers(self) -> bool:
        """Whether its nodes are containers of an engine; not so for a provider that this version does not know."""
        return any(name == self.provider and traits.containers for name, traits in PROVIDERS.items())

    @property
    def there(self) -> bool:
        """Whether something of it was made and not destroyed since."""
        return self.paths.made.is_file()

    @property
    def subnet(self) -> IPv4Network:
        """The nodes' network."""
        return IPv4Network(self.network)

    @property
    def guest_subnet(self) -> IPv4Network | None:
        """The instances' network."""
        return IPv4Network(self.guest_network) if self.guest_network else None


def moment(when: datetime) -> str:
    """A moment as entries have it."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def remember(paths: LabPaths, lab: "Lab") -> None:
    """Enter a lab, or what has changed of it. A state directory that cannot be written costs the entry only."""
    guests = str(lab.guest_network) if lab.networking == "neutron" else None
    before = _read(_file(str(paths.directory)))
    entry = Entry(
        name=lab.name,
        directory=str(paths.directory),
        provider=lab.provider,
        network=str(lab.network),
        guest_network=guests,
        since=before.since if before is not None and before.there else moment(datetime.now(UTC)),
    )
    if entry != before:
        with contextlib.suppress(OSError):
            write_private(_file(entry.directory), json.dumps(asdict(entry), indent=2) + "\n")


def forget(directory: str | Path) -> None:
    """Take the lab of a directory out."""
    with contextlib.suppress(OSError):
        _file(str(directory)).unlink(missing_ok=True)


def entries() -> list[Entry]:
    """Every lab that was entered, by name. Files that are damaged say nothing."""
    folder = state_directory() / "labs"
    found = (_read(path) for path in sorted(folder.glob("*.json"))) if folder.is_dir() else ()
    return sorted((entry for entry in found if entry is not None), key=lambda entry: (entry.name, entry.directory))


def others(paths: LabPaths) -> list[Entry]:
    """The labs in other directories of which something is there."""
    return [entry for entry in entries() if entry.directory != str(paths.directory) and entry.there]


def _file(directory: str) -> Path:
    return state_directory() / "labs" / f"{hashlib.sha256(directory.encode()).hexdigest()[:16]}.json"


def _read(path: Path) -> Entry | None:
    try:
        entry = Entry(**json.loads(path.read_text(encoding="utf-8")))
        _ = entry.subnet, entry.guest_subnet  # that they can be read
    except (OSError, ValueError, TypeError):
        return None
    return entry

"""The labs of this user, wherever their directories are: a small file for each, in the user's state directory.

A lab is registered when its first part is created, until `labctl destroy`. The registry only says where to look: the
current state is in the lab's directory and in the engine.
"""

import contextlib
import hashlib
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from labctl.files import read_json, write_json
from labctl.lab.paths import LabPaths
from labctl.lab.schema import PROVIDERS

if TYPE_CHECKING:
    from labctl.lab.model import Lab


def state_directory() -> Path:
    """Where labctl keeps what it must not forget, for all labs of a user (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "novalab"


@dataclass(frozen=True)
class Entry:
    """A lab as it was registered. since is a time in UTC, ISO 8601; guest_network is None without Neutron."""

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
        """Whether its nodes are containers of an engine; False for a provider that this version does not know."""
        return any(name == self.provider and traits.containers for name, traits in PROVIDERS.items())

    @property
    def there(self) -> bool:
        """Whether some of it was created and not destroyed since."""
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
    """A time in the form that entries have."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def remember(paths: LabPaths, lab: "Lab") -> None:
    """Register a lab, or what has changed in it. If the state directory cannot be written, there is no entry."""
    before = _read(_file(str(paths.directory)))
    entry = Entry(
        name=lab.name,
        directory=str(paths.directory),
        provider=lab.provider,
        network=str(lab.network),
        guest_network=str(lab.guest_network) if lab.networking == "neutron" else None,
        since=before.since if before is not None and before.there else moment(datetime.now(UTC)),
    )
    if entry != before:
        with contextlib.suppress(OSError):
            write_json(_file(entry.directory), asdict(entry))


def forget(directory: str | Path) -> None:
    """Remove the entry of the lab in a directory."""
    with contextlib.suppress(OSError):
        _file(str(directory)).unlink(missing_ok=True)


def entries() -> list[Entry]:
    """Every registered lab, by name. Damaged files are ignored."""
    found = (_read(path) for path in (state_directory() / "labs").glob("*.json"))
    return sorted((entry for entry in found if entry is not None), key=lambda entry: (entry.name, entry.directory))


def others(paths: LabPaths) -> list[Entry]:
    """The labs in other directories of which some part exists."""
    return [entry for entry in entries() if entry.directory != str(paths.directory) and entry.there]


def _file(directory: str) -> Path:
    return state_directory() / "labs" / f"{hashlib.sha256(directory.encode()).hexdigest()[:16]}.json"


def _read(path: Path) -> Entry | None:
    try:
        entry = Entry(**read_json(path))
        _ = entry.subnet, entry.guest_subnet  # raise ValueError when they are no networks
    except (ValueError, TypeError):
        return None
    return entry

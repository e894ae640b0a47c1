"""Puts the collection into the wheel, at the place where Ansible looks for it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COLLECTION = "ansible_collections/novalab/openstack"
PARTS = (
    "galaxy.yml",
    "site.yaml",
    "hosts.ini.j2",
    "ansible.cfg",
    "Vagrantfile",
    "images",
    "roles",
    "plugins",
    "playbooks",
    "group_vars",
    "meta",
)


class CollectionHook(BuildHookInterface):  # type: ignore[type-arg]
    """A checkout is installed as it lies (editable) and gets a symbolic link instead, made by the Makefile."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add every part of the collection to a standard wheel; a part that is missing is an error."""
        if version == "editable":
            return
        for part in PARTS:
            path = Path(self.root, part)
            if not path.exists():
                raise FileNotFoundError(f"{path}: a part of the collection is missing")
            build_data["force_include"][str(path)] = f"{COLLECTION}/{part}"

"""The packages that the role node installs for a node's other roles, as Ansible works them out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.local_play import run_play
from tools import role_docs

if TYPE_CHECKING:
    from pathlib import Path

RELEASES = ("12", "13")
# In the reverse of their order, and those without packages too.
NAMES = sorted((role.name for role in role_docs.ROLES.iterdir() if role.name not in ("node", "_common")), reverse=True)


def packages(release: str) -> set[str]:
    """The packages of all roles in their variables for a release of Debian."""
    found: set[str] = set()
    for name in NAMES:
        for file in ("main", f"debian-{release}"):
            path = role_docs.ROLES / name / "vars" / f"{file}.yml"
            if path.is_file():
                found |= set(role_docs.load(path).get(f"{name}_packages", []))
    return found


def test_node_packages_are_those_of_all_its_roles(tmp_path: Path) -> None:
    """Also when the collection is in a directory with an odd name."""
    odd = tmp_path / r"a \1 'b' $c"
    odd.symlink_to(role_docs.ROLES)
    node = {"node_roles": NAMES, "role_path": str(odd / "node")}
    facts = "{{ {'distribution_major_version': item, 'virtualization_type': 'podman'} }}"
    copy = {"content": "{{ node_role_packages | to_json }}", "dest": f"{tmp_path}/{{{{ item }}}}.json", "mode": "0600"}
    tasks = [
        {"ansible.builtin.include_vars": str(role_docs.ROLES / "node" / "vars" / "main.yml")},
        {"ansible.builtin.copy": copy, "vars": {"ansible_facts": facts}, "loop": list(RELEASES)},
    ]
    run_play(tmp_path, {"hosts": "localhost", "gather_facts": False, "vars": node, "tasks": tasks})
    for release in RELEASES:
        assert set(json.loads((tmp_path / f"{release}.json").read_text(encoding="utf-8"))) == packages(release)

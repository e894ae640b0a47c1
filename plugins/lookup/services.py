# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What the roles of a node bring, as they say in vars/services.yml."""

from __future__ import annotations

DOCUMENTATION = r"""
name: services
short_description: What roles say of the services that they bring
version_added: "0.1.0"
description:
  - Reads C(vars/services.yml) of roles of this collection. A role without one brings no service.
author:
  - novalab contributors (@novalab)
options:
  _terms:
    description: The names of the roles, without the collection's.
    required: true
  features:
    description: What the lab is made of. Units of other features are left out.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Say which units a database server and Keystone have
  ansible.builtin.debug:
    msg: "{{ query('novalab.openstack.services', 'mariadb', 'keystone') | map(attribute='units') | flatten }}"
"""

RETURN = r"""
_list:
  description: The description of each role, as a dictionary.
  type: list
  elements: dict
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.lookup import LookupBase

ROLES = Path(__file__).resolve().parents[2] / "roles"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def described(path: Path) -> dict[str, Any]:
    """What a role says; it does not change during a run."""
    found: dict[str, Any] = yaml.load(path.read_bytes(), Loader=LOADER) if path.is_file() else {}  # noqa: S506 (is safe)
    return found


def of_lab(role: dict[str, Any], features: list[str]) -> dict[str, Any]:
    """A role's description with the units of a lab, and with lists where the role has nothing to list."""
    units = [unit for unit in role.get("units", []) if unit.get("feature") in (None, *features)]
    return {"files": [], **role, "units": units}


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: list[str], variables: Any = None, **options: Any) -> list[dict[str, Any]]:
        """The descriptions of the roles, in their order."""
        self.set_options(var_options=variables, direct=options)
        features = self.get_option("features")
        return [of_lab(described(ROLES / role / "vars" / "services.yml"), features) for role in terms]

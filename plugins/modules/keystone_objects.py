#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that a lab keeps in Keystone, in one process."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: keystone_objects
short_description: Bootstrap Keystone and keep its projects, users, services and endpoints
version_added: "0.1.0"
description:
  - Bootstraps Keystone when the administrator cannot log in, then makes projects, roles, users, role assignments,
    services and endpoints what they should be, and changes only what differs.
  - One process does it all, because each module of C(openstack.cloud) would pay the import of the SDK and a token of
    its own, which for the two dozen objects of a small cloud takes the better part of a minute. It speaks Keystone's
    JSON itself, lists everything once, and asks at the same time for what does not depend on each other.
  - Runs on the node that has Keystone's configuration, since C(keystone-manage bootstrap) does.
author:
  - novalab contributors (@novalab)
options:
  url:
    description: Keystone's public, internal and administrative URL, with the version.
    type: str
    required: true
  admin_password:
    description: The password of the user C(admin). Given to C(keystone-manage bootstrap) by its environment.
    type: str
    required: true
  region:
    description: The region of all endpoints.
    type: str
    default: RegionOne
  projects:
    description: Names of projects in the domain C(Default).
    type: list
    elements: str
    default: []
  roles:
    description: Names of roles that must exist beside those of the bootstrap.
    type: list
    elements: str
    default: []
  users:
    description: Users in the domain C(Default).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The user's name.
        type: str
        required: true
      password:
        description: The user's password. Set again when logging in with it fails.
        type: str
        required: true
      project:
        description: The project of the role assignments.
        type: str
        required: true
      roles:
        description: The roles that the user has there.
        type: list
        elements: str
        required: true
  services:
    description: Services with the same URL for the public, internal and administrative interface.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The service's name.
        type: str
        required: true
      type:
        description: The service's type, such as C(compute).
        type: str
        required: true
      url:
        description: The URL of the three endpoints.
        type: str
        required: true
attributes:
  check_mode:
    support: full
    description: Says what would be changed and changes nothing. Before the bootstrap that is all there is to say.
  diff_mode:
    support: full
    description: Lists the objects that are made or changed.
"""

EXAMPLES = r"""
- name: Keep the objects of a small cloud
  novalab.openstack.keystone_objects:
    url: http://192.168.56.11:5000/v3
    admin_password: "{{ admin_password }}"
    projects: [service]
    roles: [service]
    users:
      - name: nova
        password: "{{ nova_password }}"
        project: service
        roles: [admin, service]
    services:
      - name: nova
        type: compute
        url: http://192.168.56.11:8774/v2.1
"""

RETURN = r"""
bootstrapped:
  description: Whether C(keystone-manage bootstrap) ran.
  type: bool
  returned: always
changes:
  description: What was made or changed, one sentence each, without secrets.
  type: list
  elements: str
  returned: always
  sample: ["user nova created", "role service of nova on service assigned"]
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils.keystone import (
    DOMAIN,
    Keystone,
    KeystoneError,
    at_once,
)

INTERFACES = ("public", "internal", "admin")
OF_DOMAIN = f"?domain_id={DOMAIN}"

# In words, and what makes it.
Change = tuple[str, Callable[[], None]]


def bootstrap(module: AnsibleModule) -> None:
    """Make the administrator, also with a new password, and the identity service (keystone-manage bootstrap)."""
    url, region = module.params["url"], module.params["region"]
    # As the service's own user, or the log file would be root's and the service could not write it.
    command = ["runuser", "-u", "keystone", "--", "keystone-manage", "bootstrap", "--bootstrap-region-id", region]
    for interface in INTERFACES:
        command += [f"--bootstrap-{interface}-url", url]
    code, out, err = module.run_command(
        command, environ_update={"OS_BOOTSTRAP_PASSWORD": module.params["admin_password"]}
    )
    if code != 0:
        module.fail_json(msg=f"'keystone-manage bootstrap' ended with status {code}: {(err or out).strip()[-2000:]}")


def held_role(assignment: dict[str, Any]) -> tuple[str | None, str | None, str]:
    """Which role a user has on which project, by their ids; None where it is another one's or on something else."""
    scope = assignment["scope"]
    # Inherited ones are for the projects below.
    project = None if "OS-INHERIT:inherited_to" in scope else scope.get("project", {}).get("id")
    return assignment.get("user", {}).get("id"), project, assignment["role"]["id"]


class Identity:
    """Compares Keystone's objects with the wanted ones; each change is noted and, outside check mode, made."""

    def __init__(self, keystone: Keystone, wanted: dict[str, Any], *, check: bool) -> None:
        self.keystone = keystone
        self.wanted = wanted
        self.check = check
        self.changes: list[str] = []
        roles, projects, users, assignments, services, endpoints = at_once(
            partial(keystone.all, *what)
            for what in (
                ("roles",),
                ("projects", OF_DOMAIN),
                ("users", OF_DOMAIN),
                ("role_assignments",),
                ("services",),
                ("endpoints",),
            )
        )
        self.role_ids: dict[str, str] = {role["name"]: role["id"] for role in roles}
        self.project_ids: dict[str, str] = {project["name"]: project["id"] for project in projects}
        self.user_ids: dict[str, str] = {user["name"]: user["id"] for user in users}
        self.before = set(self.user_ids)
        self.held = {held_role(assignment) for assignment in assignments}
        self.service_ids: dict[str, str] = {service["type"]: service["id"] for service in services}
        self.service_names: dict[str, str] = {service["type"]: service["name"] for service in services}
        self.endpoints = {
            (endpoint["service_id"], endpoint["interface"]): endpoint
            for endpoint in endpoints
            if endpoint["region_id"] == wanted["region"]
        }

    def keep(self) -> None:
        """Objects, then what needs their ids. What is in one list does not depend on each other."""
        self.make(self.roles() + self.projects() + self.users() + self.services())
        self.make(self.assignments() + self.passwords() + self.endpoints_of_services())

    def make(self, changes: list[Change]) -> None:
        self.changes += [what for what, _call in changes]
        if not self.check:
            at_once(call for _what, call in changes)

    def create(self, ids: dict[str, str], key: str, kind: str, **fields: object) -> None:
        ids[key] = self.keystone.create(kind, **fields)

    def roles(self) -> list[Change]:
        return [
            (f"role {name} created", partial(self.create, self.role_ids, name, "role", name=name))
            for name in dict.fromkeys(self.wanted["roles"])
            if name not in self.role_ids
        ]

    def projects(self) -> list[Change]:
        return [
            (
                f"project {name} created",
                partial(self.create, self.project_ids, name, "project", name=name, domain_id=DOMAIN),
            )
            for name in dict.fromkeys(self.wanted["projects"])
            if name not in self.project_ids
        ]

    def users(self) -> list[Change]:
        changes: list[Change] = []
        for user in self.wanted["users"]:
            name = user["name"]
            if name not in self.user_ids:
                fields = {"name": name, "password": user["password"], "domain_id": DOMAIN}
                changes.append((f"user {name} created", partial(self.create, self.user_ids, name, "user", **fields)))
        return changes

    def services(self) -> list[Change]:
        changes: list[Change] = []
        for service in self.wanted["services"]:
            name, kind = service["name"], service["type"]
            found = self.service_names.get(kind)
            if found is None:
                call = partial(self.create, self.service_ids, kind, "service", name=name, type=kind)
                changes.append((f"service {name} created", call))
            elif found != name:
                rename = partial(self.keystone.update, "service", self.service_ids[kind], name=name)
                changes.append((f"service {found} renamed to {name}", rename))
        return changes

    def assignments(self) -> list[Change]:
        changes: list[Change] = []
        for wanted in self.wanted["users"]:
            # In check mode there are no ids yet of what would be made.
            user, project = self.user_ids.get(wanted["name"], ""), self.project_ids.get(wanted["project"], "")
            for name in dict.fromkeys(wanted["roles"]):
                role = self.role_ids.get(name, "")
                if (user, project, role) not in self.held:
                    what = f"role {name} of {wanted['name']} on {wanted['project']} assigned"
                    changes.append((what, partial(self.keystone.assign, role, user, project)))
        return changes

    def passwords(self) -> list[Change]:
        """Of users that were there before. Each login costs Keystone a hash, a quarter of a second of processor."""
        users = [user for user in self.wanted["users"] if user["name"] in self.before]
        known = at_once(partial(Keystone(self.keystone.url).log_in, user["name"], user["password"]) for user in users)
        return [
            (
                f"password of user {user['name']} set",
                partial(self.keystone.update, "user", self.user_ids[user["name"]], password=user["password"]),
            )
            for user, right in zip(users, known, strict=True)
            if not right
        ]

    def endpoints_of_services(self) -> list[Change]:
        changes: list[Change] = []
        for service in self.wanted["services"]:
            service_id, url = self.service_ids.get(service["type"], ""), service["url"]
            for interface in INTERFACES:
                what = f"{interface} endpoint of {service['name']}"
                found = self.endpoints.get((service_id, interface))
                if found is None:
                    fields = {"service_id": service_id, "interface": interface, "url": url}
                    call = partial(self.keystone.create, "endpoint", region_id=self.wanted["region"], **fields)
                    changes.append((f"{what} created", call))
                elif found["url"] != url:
                    move = partial(self.keystone.update, "endpoint", found["id"], url=url)
                    changes.append((f"{what} moved from {found['url']} to {url}", move))
        return changes

    def unknown(self) -> list[str]:
        """Roles and projects that users are to have and nobody makes."""
        roles = {role for user in self.wanted["users"] for role in user["roles"]}
        projects = {user["project"] for user in self.wanted["users"]}
        return [
            *(f"role {name}" for name in sorted(roles - set(self.role_ids) - set(self.wanted["roles"]))),
            *(f"project {name}" for name in sorted(projects - set(self.project_ids) - set(self.wanted["projects"]))),
        ]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "admin_password": {"type": "str", "required": True, "no_log": True},
            "region": {"type": "str", "default": "RegionOne"},
            "projects": {"type": "list", "elements": "str", "default": []},
            "roles": {"type": "list", "elements": "str", "default": []},
            "users": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "password": {"type": "str", "required": True, "no_log": True},
                    "project": {"type": "str", "required": True},
                    "roles": {"type": "list", "elements": "str", "required": True},
                },
            },
            "services": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "type": {"type": "str", "required": True},
                    "url": {"type": "str", "required": True},
                },
            },
        },
        supports_check_mode=True,
    )
    parameters = module.params
    keystone = Keystone(parameters["url"])
    password = parameters["admin_password"]
    try:
        bootstrapped = not keystone.log_in("admin", password, "admin")
        if bootstrapped and module.check_mode:
            module.exit_json(changed=True, bootstrapped=True, changes=["Keystone bootstrapped"])
        if bootstrapped:
            bootstrap(module)
            if not keystone.log_in("admin", password, "admin"):
                module.fail_json(
                    msg=f"Keystone at {parameters['url']} refuses 'admin' after 'keystone-manage bootstrap'."
                )
        identity = Identity(keystone, parameters, check=module.check_mode)
        unknown = identity.unknown()
        if unknown:
            module.fail_json(
                msg=f"users need what is not there: {', '.join(unknown)}. Expected: named in the arguments too."
            )
        identity.keep()
    except KeystoneError as error:
        module.fail_json(msg=f"Keystone at {parameters['url']} answered: {error}. Expected: a running Keystone there.")
    changes = (["Keystone bootstrapped"] if bootstrapped else []) + identity.changes
    module.exit_json(
        changed=bool(changes),
        bootstrapped=bootstrapped,
        changes=changes,
        diff={"before": "", "after": "".join(f"{change}\n" for change in changes)} if changes else {},
    )


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Everything that a lab keeps in Keystone, in one process."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: identity
short_description: Bootstrap Keystone and keep its projects, users, services and endpoints
version_added: "0.1.0"
description:
  - Bootstraps Keystone when the administrator cannot log in, then makes projects, roles, users, role assignments,
    services and endpoints what they should be, and changes only what differs.
  - One process does it all, because each module of C(openstack.cloud) would pay the import of the SDK and a token of
    its own, which for the two dozen objects of a small cloud takes the better part of a minute.
  - Runs on the node that has Keystone's configuration, since C(keystone-manage bootstrap) does.
author:
  - novalab contributors (@novalab)
requirements:
  - openstacksdk >= 0.99
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
  novalab.openstack.identity:
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

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import openstack
    from keystoneauth1 import exceptions as auth_exceptions
    from keystoneauth1.identity import v3
    from keystoneauth1.session import Session

    SDK_ERROR = ""
except ImportError as error:
    SDK_ERROR = str(error)

DOMAIN = "default"
INTERFACES = ("public", "internal", "admin")


def session(url: str, user: str, password: str, project: str) -> Session:
    """A Keystone session of one user on one project of the domain Default."""
    return Session(
        auth=v3.Password(
            auth_url=url,
            username=user,
            password=password,
            project_name=project,
            user_domain_id=DOMAIN,
            project_domain_id=DOMAIN,
        ),
        connect_retries=5,
    )


def can_log_in(url: str, user: str, password: str, project: str) -> bool:
    """Whether Keystone issues a token; other errors than a refusal are raised."""
    try:
        session(url, user, password, project).get_token()
    except (auth_exceptions.Unauthorized, auth_exceptions.NotFound):
        return False
    return True


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


class Identity:
    """Compares Keystone's objects with the wanted ones; each change is noted and, outside check mode, made."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.url: str = module.params["url"]
        admin = session(self.url, "admin", module.params["admin_password"], "admin")
        # The SDK's type is that of both versions of the API.
        connection: Any = openstack.connection.Connection(
            session=admin, identity_endpoint_override=self.url, identity_api_version="3"
        )
        self.api = connection.identity
        self.changes: list[str] = []
        self.role_ids: dict[str, str] = {role.name: role.id for role in self.api.roles()}
        self.project_ids: dict[str, str] = {project.name: project.id for project in self.api.projects(domain_id=DOMAIN)}

    def change(self, what: str) -> bool:
        """Note a change; whether it is to be made."""
        self.changes.append(what)
        return not self.module.check_mode

    def roles(self, names: list[str]) -> None:
        for name in names:
            if name not in self.role_ids and self.change(f"role {name} created"):
                self.role_ids[name] = self.api.create_role(name=name).id

    def projects(self, names: list[str]) -> None:
        for name in names:
            if name not in self.project_ids and self.change(f"project {name} created"):
                self.project_ids[name] = self.api.create_project(name=name, domain_id=DOMAIN).id

    def users(self, wanted: list[dict[str, Any]]) -> None:
        existing = {user.name: user for user in self.api.users(domain_id=DOMAIN)}
        for user in wanted:
            name, password = user["name"], user["password"]
            found = existing.get(name)
            if found is None and self.change(f"user {name} created"):
                found = self.api.create_user(name=name, password=password, domain_id=DOMAIN)
            self.assignments(user, found)
            # Last, because logging in to a project needs a role on it.
            stale = name in existing and not can_log_in(self.url, name, password, user["project"])
            if stale and self.change(f"password of user {name} set"):
                self.api.update_user(found, password=password)

    def assignments(self, user: dict[str, Any], found: Any) -> None:
        project = self.project_ids.get(user["project"])
        held: set[str] = set()
        if found is not None and project is not None:
            held = {
                assignment.role["id"]
                for assignment in self.api.role_assignments(user_id=found.id, scope_project_id=project)
            }
        for role in user["roles"]:
            if self.role_ids.get(role) in held and role in self.role_ids:
                continue
            if self.change(f"role {role} of {user['name']} on {user['project']} assigned"):
                self.api.assign_project_role_to_user(project, found, self.role_ids[role])

    def services(self, wanted: list[dict[str, str]]) -> None:
        existing = {service.type: service for service in self.api.services()}
        endpoints = {
            (endpoint.service_id, endpoint.interface): endpoint
            for endpoint in self.api.endpoints()
            if endpoint.region_id == self.module.params["region"]
        }
        for service in wanted:
            name, kind = service["name"], service["type"]
            found = existing.get(kind)
            if found is None:
                if self.change(f"service {name} created"):
                    found = self.api.create_service(name=name, type=kind)
            elif found.name != name and self.change(f"service {found.name} renamed to {name}"):
                self.api.update_service(found, name=name)
            for interface in INTERFACES:
                endpoint = endpoints.get((found.id if found else None, interface))
                self.endpoint(service, found, interface, endpoint)

    def endpoint(self, service: dict[str, str], found: Any, interface: str, endpoint: Any) -> None:
        what = f"{interface} endpoint of {service['name']}"
        if endpoint is None:
            if self.change(f"{what} created"):
                self.api.create_endpoint(
                    service_id=found.id, interface=interface, url=service["url"], region_id=self.module.params["region"]
                )
        elif endpoint.url != service["url"] and self.change(f"{what} moved from {endpoint.url} to {service['url']}"):
            self.api.update_endpoint(endpoint, url=service["url"])


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
    if SDK_ERROR:
        module.fail_json(msg=missing_required_lib("openstacksdk"), exception=SDK_ERROR)
    parameters = module.params
    try:
        bootstrapped = not can_log_in(parameters["url"], "admin", parameters["admin_password"], "admin")
        if bootstrapped and module.check_mode:
            module.exit_json(changed=True, bootstrapped=True, changes=["Keystone bootstrapped"])
        if bootstrapped:
            bootstrap(module)
        identity = Identity(module)
        identity.roles(parameters["roles"])
        identity.projects(parameters["projects"])
        identity.users(parameters["users"])
        identity.services(parameters["services"])
    except auth_exceptions.ClientException as error:
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

"""A service that labctl has never heard of: a role with vars/services.yml, and its name in group_vars, are enough."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.ansible import services
from labctl.diagnostics import logs, redaction, status, support_bundle
from labctl.diagnostics.doctor import runner
from labctl.diagnostics.doctor.case import Case
from labctl.diagnostics.doctor.host_facts import HostFacts
from labctl.lab import secrets, service_files
from labctl.lab.paths import assets
from labctl.lifecycle import diff
from labctl.lifecycle.context import LabContext
from labctl.providers.container_nodes import ContainerNodes
from labctl.providers.node_state import NodeState, NodeStatus
from labctl.remote.ssh import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab, Node
    from labctl.lab.paths import LabPaths

DESCRIPTION = """---
units:
  - {name: barbican-api, port: 9311, clients: host, user: barbican, needs: [mariadb, rabbitmq-server]}
directories: {/etc/barbican: barbican}
files:
  - {path: /etc/barbican/barbican.conf, group: barbican, mode: "0640", format: oslo}
  - {path: /srv/barbican/policy.yaml}
data: [/var/lib/barbican]
database: {user: barbican, names: [barbican], file: /etc/barbican/barbican.conf, sections: [database]}
queue: {user: barbican, file: /etc/barbican/barbican.conf}
identity: {user: barbican, file: /etc/barbican/barbican.conf}
cache: {file: /etc/barbican/barbican.conf, section: keystone_authtoken, option: memcached_servers}
catalog: {name: barbican, type: key-manager, unit: barbican-api, probe: /healthcheck}
logs: [/var/log/barbican/barbican-api.log]
versions: {barbican: [barbican-common]}
secrets:
  mariadb_barbican: {effect: barbican-api restarts}
  rabbitmq_barbican: {effect: barbican-api restarts}
  keystone_barbican: {effect: barbican-api restarts}
"""
SECRETS = {"mariadb_barbican", "rabbitmq_barbican", "keystone_barbican"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The collection with one more role."""
    copy = tmp_path / "ansible_collections" / "novalab" / "openstack"
    for part in ("group_vars", "plugins", "roles"):
        shutil.copytree(assets() / part, copy / part)
    shutil.copy(assets() / "galaxy.yml", copy)
    path = copy / "roles" / "barbican" / "vars" / "services.yml"
    path.parent.mkdir(parents=True)
    path.write_text(DESCRIPTION, encoding="utf-8")
    roles = copy / "group_vars" / "controller_nodes.yml"
    text = roles.read_text(encoding="utf-8")
    roles.write_text(text.replace("novncproxy]", "novncproxy, barbican]"), encoding="utf-8")
    monkeypatch.setattr(service_files, "assets", lambda: copy)
    return copy


@pytest.fixture
def lab(root: Path, make_lab: Callable[..., Lab]) -> Lab:
    return make_lab(computes=1)


def test_its_secrets_are_made_and_never_shown(lab: Lab, paths: LabPaths) -> None:
    assert secrets.ensure(paths, {})
    values = secrets.read(paths.secrets)
    assert set(values) >= SECRETS
    found = support_bundle.secrets(lab, paths)
    redactor = redaction.Redactor({name: found[name] for name in sorted(SECRETS)})
    assert redactor(f"x={values['mariadb_barbican']}") == "x=[redacted:mariadb_barbican]"


def test_a_new_secret_of_it_is_in_the_plan(lab: Lab) -> None:
    existing = diff.Existing(
        nodes={node.name: NodeState.RUNNING for node in lab.nodes},
        passwords=dict.fromkeys(service_files.secrets(), "old"),
    )
    wanted = lab.model_copy(update={"secrets": {"mariadb_barbican": "new"}})
    changes = diff.compare(wanted, existing, ()).changes
    assert [c.detail for c in changes if "mariadb_barbican" in c.what] == ["barbican-api restarts (the controller)"]


def test_status_asks_for_its_unit_and_version(lab: Lab, paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def ask(_: Lab, __: LabPaths, nodes: list[Node], ___: str, arguments: Callable[[Node], Any], **____: object) -> Any:  # noqa: ANN401
        asked.update({node.name: arguments(node) for node in nodes})
        return {node.name: Answer("", "off") for node in nodes}

    monkeypatch.setattr(status, "ask", ask)
    states = {node.name: NodeStatus(NodeState.RUNNING) for node in lab.nodes}
    monkeypatch.setattr(ContainerNodes, "states", lambda _: states)
    status.look(LabContext.of(lab, paths))
    assert "barbican-api" in asked["controller"]["units"]
    assert "barbican-common" in asked["controller"]["packages"]
    document = {"name": "controller", "packages": {"barbican-common": "20.0"}}
    assert status._versions([document], services.versions(lab)) == {"barbican": {"20.0": ["controller"]}}


def test_its_logs_and_configuration_are_read(lab: Lab) -> None:
    controller = lab.controller
    assert logs.select(lab, "barbican").units == ("barbican-api",)
    assert logs.select(lab, "barbican-api").nodes == (controller,)
    wanted = support_bundle._wanted(lab, controller)
    assert "/etc/barbican" in wanted["configuration"]
    assert "/var/log/barbican" in wanted["logs"]


def test_the_doctor_asks_and_judges(lab: Lab) -> None:
    question = runner.question(lab, lab.controller)
    (role,) = [role for role in question["services"] if role["directories"] == {"/etc/barbican": "barbican"}]
    assert role["database"]["sections"] == ("database",)
    assert {"type": "key-manager", "probe": "/healthcheck"} in question["apis"]
    case = Case(lab=lab, host=HostFacts(engine="podman"))
    assert case.user_of("controller", "barbican-api") == "barbican"
    assert "unit mariadb on controller" in case.needed("controller", "barbican-api")


def test_ansible_verifies_and_provides_for_it(root: Path, paths: LabPaths, lab: Lab) -> None:
    """The playbooks of the collection, which read the same files."""
    secrets.ensure(paths, {})
    variables = {
        "lab_features": list(lab.features),
        "lab_secrets_file": str(paths.secrets),
        "lab_images": "[]",
        "node_address": "10.0.0.5",
        "ansible_python_interpreter": sys.executable,
    }
    names = ("lab_units", "lab_files", "mariadb_users", "rabbitmq_users", "keystone_users", "keystone_services")
    groups = {"controller_nodes": {"hosts": {"controller": None}}, "compute_nodes": {"hosts": {"compute1": None}}}
    inventory = {"all": {"vars": variables, "children": groups}}
    (root / "hosts.yml").write_text(json.dumps(inventory), encoding="utf-8")
    shown = paths.directory / "{{ inventory_hostname }}.json"
    content = "".join(f"'{name}': {name}, " for name in names)
    copy = {"content": f"{{{{ {{{content}}} | to_json }}}}", "dest": str(shown), "mode": "0600"}
    tasks = [{"ansible.builtin.copy": copy}]
    play = {"hosts": "all", "connection": "local", "gather_facts": False, "tasks": tasks}
    (root / "show.yml").write_text(json.dumps([play]), encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "hosts.yml", "show.yml"],
        cwd=root,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(root.parents[2]), "ANSIBLE_HOME": str(paths.directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found, seen = (
        json.loads((paths.directory / f"{node}.json").read_text(encoding="utf-8"))
        for node in ("controller", "compute1")
    )
    # Accounts are the controller's, also where a compute's turn looks at them.
    assert {name: found[name] for name in names[2:]} == {name: seen[name] for name in names[2:]}
    assert "barbican-api" in [unit["name"] for unit in found["lab_units"]]
    assert "/srv/barbican/policy.yaml" in found["lab_files"]  # beside /etc, of which drift knows everything
    assert ["barbican"] in [user["databases"] for user in found["mariadb_users"]]
    assert "barbican" in [user["name"] for user in found["rabbitmq_users"]]
    assert "barbican" in [user["name"] for user in found["keystone_users"]]
    url = "http://10.0.0.5:9311"
    assert {"name": "barbican", "type": "key-manager", "url": url} in found["keystone_services"]


def test_lab_yaml_may_give_its_secrets(root: Path) -> None:
    shutil.copytree(assets() / "labctl", root / "labctl")
    program = "from labctl.lab.schema import LabFile; print(LabFile(secrets={'keystone_barbican': 'a'}).secrets)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()

"""The installed collection is the one that ran, and its Keystone issues a token."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session
from testinfra.utils.ansible_runner import AnsibleRunner

testinfra_hosts = ["ansible://box"]
UNITS = ["mariadb", "memcached", "keystone"]
LOGS = ["/var/log/keystone/keystone.log"]


@pytest.mark.parametrize("kind", ["module", "role"])
def test_collection_in_use_is_the_installed_one(kind: str) -> None:
    """Not the checkout, which the environment links to."""
    name = {"module": "novalab.openstack.systemd_unit", "role": "novalab.openstack.keystone"}[kind]
    said = subprocess.run(["ansible-doc", "--json", "-t", kind, name], capture_output=True, text=True, check=True)
    document = json.loads(said.stdout)[name]
    path = document["path"] if kind == "role" else document["doc"]["filename"]
    assert path.startswith(os.environ["ANSIBLE_COLLECTIONS_PATH"])


def test_token_of_the_administrator_is_issued(pytestconfig: pytest.Config) -> None:
    secrets = yaml.safe_load(Path(os.environ["INVENTORY"], "group_vars", "cloud.yml").read_text(encoding="utf-8"))
    address = AnsibleRunner.get_runner(pytestconfig.option.ansible_inventory).get_variables("box")["ansible_host"]
    auth = Password(
        auth_url=f"http://{address}:5000/v3",
        username="admin",
        password=secrets["admin_password"],
        project_name="admin",
        user_domain_name="Default",
        project_domain_name="Default",
    )
    assert Session(auth=auth).get_token()

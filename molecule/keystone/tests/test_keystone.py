"""Keystone issues tokens to its users, refuses others, and has the catalog."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from keystoneauth1.exceptions import Unauthorized
from keystoneauth1.identity.v3 import Password
from keystoneauth1.session import Session
from testinfra.host import Host

testinfra_hosts = ["ansible://controller"]
UNITS = ["keystone"]
LOGS = ["/var/log/keystone/keystone.log"]

PROJECTS = {"admin": "admin", "demo": "demo", "glance": "service", "nova": "service", "placement": "service"}


def opened(host: Host, address: str, port: int) -> None:
    """Wait until a restarted server listens."""
    end = time.monotonic() + 30
    while not host.socket(f"tcp://{address}:{port}").is_listening and time.monotonic() < end:
        time.sleep(0.1)


def login(address: str, user: str, password: str) -> Any:  # noqa: ANN401 (keystoneauth's types are not checked)
    auth = Password(
        auth_url=f"http://{address}:5000/v3",
        username=user,
        password=password,
        project_name=PROJECTS[user],
        user_domain_name="Default",
        project_domain_name="Default",
    )
    return Session(auth=auth)


def token(address: str, user: str, password: str) -> Any:  # noqa: ANN401
    return login(address, user, password).get_token()


@pytest.mark.parametrize("user", PROJECTS)
def test_token_of_a_user_is_issued(address: str, secrets: dict[str, str], user: str) -> None:
    assert token(address, user, secrets[f"keystone_{user}"])


@pytest.mark.parametrize("user", PROJECTS)
def test_token_with_a_wrong_password_is_refused(address: str, user: str) -> None:
    with pytest.raises(Unauthorized):
        token(address, user, "wrong")


def test_password_hash_has_the_roles_work_factor(host: Host) -> None:
    """The role's, not Keystone's own: every login pays for it."""
    hashes = host.run_expect([0], "mariadb -BN -e 'SELECT password_hash FROM keystone.password'")
    factors = {line.split("$")[2] for line in hashes.stdout.split()}
    assert factors == {"10"}


def test_tokens_after_a_restart_of_memcached(address: str, secrets: dict[str, str], host: Host) -> None:
    """Keystone keeps connections to it, and takes a new one for each that it finds closed."""
    password = secrets["keystone_demo"]
    token(address, "demo", password)
    host.run_expect([0], "systemctl restart memcached")
    opened(host, "127.0.0.1", 11211)
    assert all(token(address, "demo", password) for _ in range(3))


def test_first_requests_at_once(address: str, secrets: dict[str, str], host: Host) -> None:
    """None is refused, also when Keystone takes long to make the object that judges them, as on a busy machine."""
    source = "/usr/lib/python3/dist-packages/keystone/common/rbac_enforcer/enforcer.py"
    slow = r"s/^( *)(self\.register_rules\(.*)/\1__import__('time').sleep(0.5)\n&/"
    host.run_expect([0], f"cp --preserve {source} /root/enforcer.py")
    try:
        host.run_expect([0], "sed --regexp-extended --in-place %s %s && grep -q sleep %s", slow, source, source)
        host.run_expect([0], "systemctl restart keystone")
        opened(host, address, 5000)
        session = login(address, "admin", secrets["keystone_admin"])
        session.get_token()
        ask = partial(session.get, raise_exc=False)
        paths = [f"http://{address}:5000/v3/{name}" for name in ("users", "roles", "projects", "services")]
        with ThreadPoolExecutor() as pool:
            assert {answer.status_code for answer in pool.map(ask, paths)} == {200}
    finally:
        host.run_expect([0], f"cp --preserve /root/enforcer.py {source}")
        host.run_expect([0], "systemctl restart keystone")
        opened(host, address, 5000)


def test_catalog_lists_every_service_once(cloud: Any, address: str) -> None:  # noqa: ANN401
    catalog = {entry["type"]: {item["url"] for item in entry["endpoints"]} for entry in cloud.service_catalog}
    assert catalog == {
        "identity": {f"http://{address}:5000/v3"},
        "image": {f"http://{address}:9292"},
        "placement": {f"http://{address}:8778"},
        "compute": {f"http://{address}:8774/v2.1"},
        "network": {f"http://{address}:9696"},
    }


def test_services_may_act_for_users(cloud: Any) -> None:  # noqa: ANN401
    """Their users have the role service, without which a service's token is not taken for one (keystonemiddleware)."""
    roles = {role.id: role.name for role in cloud.identity.roles()}
    for name in ("glance", "neutron", "nova", "placement"):
        user = cloud.identity.find_user(name, ignore_missing=False)
        held = {roles[item.role["id"]] for item in cloud.identity.role_assignments(user_id=user.id)}
        assert held == {"admin", "service"}, name

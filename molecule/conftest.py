"""What the scenarios' tests share: addresses, passwords, a client, and the journal where a check of a service fails."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import openstack
import pytest
from testinfra.host import Host
from testinfra.utils.ansible_runner import AnsibleRunner


@pytest.fixture(scope="session")
def controller(pytestconfig: pytest.Config) -> dict[str, Any]:
    """The controller's variables, as the inventory has them."""
    return dict(AnsibleRunner.get_runner(pytestconfig.option.ansible_inventory).get_variables("controller"))


@pytest.fixture(scope="session")
def address(controller: dict[str, Any]) -> str:
    """The address on which the controller's services listen; this machine reaches it."""
    return str(controller["node_address"])


@pytest.fixture(scope="session")
def secrets(controller: dict[str, Any]) -> dict[str, str]:
    """Every password, by purpose."""
    return dict(json.loads(Path(controller["lab_secrets_file"]).read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def cloud(address: str, secrets: dict[str, str]) -> Any:  # noqa: ANN401 (the SDK's own types are not checked)
    """The cloud as its administrator sees it from this machine."""
    return openstack.connect(
        auth_url=f"http://{address}:5000/v3",
        username="admin",
        password=secrets["keystone_admin"],
        project_name="admin",
        user_domain_name="Default",
        project_domain_name="Default",
        region_name="RegionOne",
        identity_api_version="3",
        load_yaml_config=False,
        load_envvars=False,
    )


@pytest.fixture(autouse=True)
def _node(host: Host) -> None:
    """Every test has its node at hand, whose journal is of interest when it fails."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a test fails, show what the units have said that its module names in UNITS."""
    report = yield
    host: Any = item.funcargs.get("host")
    if report.failed and host is not None:
        for unit in getattr(item.module, "UNITS", ()):
            said = host.run(
                "systemctl status --no-pager --lines 0 %s; journalctl --no-pager -q -n 30 -u %s", unit, unit
            )
            report.sections.append((f"unit {unit}", said.stdout))
        for path in getattr(item.module, "LOGS", ()):
            report.sections.append((path, host.run("tail -n 20 %s", path).stdout))
    return report

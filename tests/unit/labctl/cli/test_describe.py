"""labctl describe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.paths import LabPaths


def test_describe_a_lab_of_machines_as_json(labctl: Callable[..., tuple[int, str, str]], paths: LabPaths) -> None:
    paths.lab_yaml.write_text(
        "name: zed\nrelease: zed\nprovider: libvirt\ncomputes: 1\nsecrets: {keystone_admin: hunter2}\n",
        encoding="utf-8",
    )
    status, output, errors = labctl("-C", paths.directory, "describe", "--json")
    assert (status, errors) == (0, "")
    assert "hunter2" not in output
    said = json.loads(output)
    assert (said["name"], said["release"], said["provider"]) == ("zed", "2022.2", "libvirt")
    assert (said["box"], said["engine"], said["environment"]) == ("debian/bookworm64", None, {})
    assert (said["network"], said["netmask"]) == ("192.168.56.0/24", "255.255.255.0")
    assert (said["directory"], said["network_name"]) == (str(paths.directory), "novalab-zed")
    assert said["nodes"][1] == {
        "name": "compute1",
        "group": "compute_nodes",
        "address": "192.168.56.21",
        "cpus": 2,
        "memory": 2048,
        "container": "novalab-zed-compute1",
        "image": "none",
        "create_args": [],
        "ssh": None,
    }


@pytest.mark.parametrize(("text", "url"), [("", None), ("dashboard: true\n", "http://192.168.56.11/")])
def test_describe_shows_the_dashboards_url(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, text: str, url: str | None
) -> None:
    paths.lab_yaml.write_text(f"provider: libvirt\n{text}", encoding="utf-8")
    said = json.loads(labctl("-C", paths.directory, "describe", "--json")[1])
    assert (said["dashboard"], said["dashboard_url"]) == (url is not None, url)
    lines = labctl("-C", paths.directory, "describe")[1].splitlines()
    assert [line.split()[1] for line in lines if line.startswith("dashboard_url:")] == ([url] if url else [])

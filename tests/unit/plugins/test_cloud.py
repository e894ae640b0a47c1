# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""The connections to the cloud, which nothing in the environment changes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ansible_collections.novalab.openstack.plugins.module_utils.cloud import connect_as_admin

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_admin_connection_ignores_environment_and_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text("clouds: {other: {auth: {username: stranger}}}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name, value in {"OS_CLOUD": "other", "OS_USERNAME": "stranger", "OS_REGION_NAME": "elsewhere"}.items():
        monkeypatch.setenv(name, value)
    params = {"identity_url": "http://192.0.2.11:5000/v3", "admin_password": "p@:/#%?$'\" x", "region": "Two"}
    module: Any = SimpleNamespace(params=params)
    config = connect_as_admin(module).config
    assert config.get_auth_args() == {
        "auth_url": "http://192.0.2.11:5000/v3",
        "username": "admin",
        "password": params["admin_password"],
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    assert config.region_name == "Two"

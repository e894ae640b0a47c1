# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Passwords of any printable characters in URLs, in oslo.config's files, and in RabbitMQ's definitions."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from ansible_collections.novalab.openstack.plugins.filter import oslo_value, percent_encode, rabbitmq_password_hash
from ansible_collections.novalab.openstack.plugins.module_utils import service_database

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "p@:/#%?$'\" x"
HARD = [
    PASSWORD,
    "plain",
    " spaces around ",
    "'quoted'",
    '"',
    "$$",
    "${name}",
    "$name",
    "ünïcode",
    "back\\slash",
    "#;=",
]


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        (PASSWORD, "p%40%3A%2F%23%25%3F%24%27%22%20x"),
        ("azAZ09-._~", "azAZ09-._~"),
        ("a/b", "a%2Fb"),
        ("ü", "%C3%BC"),
        ("", ""),
    ],
)
def test_percent_encode_is_undone_by_unquote(text: str, encoded: str) -> None:
    assert percent_encode.percent_encode(text) == encoded
    assert urllib.parse.unquote(encoded) == text
    assert percent_encode.FilterModule().filters() == {"percent_encode": percent_encode.percent_encode}


def as_written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "nova.conf"
    path.write_text(f"[DEFAULT]\npassword = {oslo_value.oslo_value(text)}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("text", HARD)
def test_oslo_value_as_oslo_config_reads_it(tmp_path: Path, text: str) -> None:
    cfg = pytest.importorskip("oslo_config.cfg")
    config = cfg.ConfigOpts()
    config.register_opt(cfg.StrOpt("password"))
    config(["--config-file", str(as_written(tmp_path, text))], default_config_dirs=[])
    assert config.password == text


@pytest.mark.parametrize("text", HARD)
def test_oslo_value_as_the_modules_read_it(tmp_path: Path, text: str) -> None:
    assert service_database.option(str(as_written(tmp_path, text)), "DEFAULT", "password") == text


@pytest.mark.parametrize(
    ("text", "value"), [(PASSWORD, '"p@:/#%?\\$\'" x"'), ("$$", '"\\$\\$"'), (" a ", '" a "'), ("", '""')]
)
def test_oslo_value_is_escaped(text: str, value: str) -> None:
    assert oslo_value.oslo_value(text) == value
    assert oslo_value.FilterModule().filters() == {"oslo_value": oslo_value.oslo_value}


def test_oslo_value_is_one_line() -> None:
    with pytest.raises(ValueError, match="must be one line"):
        oslo_value.oslo_value("a\nb = c")


@pytest.mark.parametrize("password", [PASSWORD, "ünïcode", ""])
def test_rabbitmq_password_hash_is_rabbitmqs(password: str) -> None:
    hashed = rabbitmq_password_hash.rabbitmq_password_hash(password, "nova")
    data = base64.b64decode(hashed)
    salt, digest = data[:4], data[4:]
    assert digest == hashlib.sha256(salt + password.encode()).digest()
    assert rabbitmq_password_hash.rabbitmq_password_hash(password, "nova") == hashed
    others = [(password, "glance"), (password + "x", "nova")]
    salts = [base64.b64decode(rabbitmq_password_hash.rabbitmq_password_hash(*other))[:4] for other in others]
    assert salt not in salts

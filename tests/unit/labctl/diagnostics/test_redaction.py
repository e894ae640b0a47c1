"""What leaves this machine has no secret in it, however it is written."""

from __future__ import annotations

import base64
import html
import json
import shlex
import time
import urllib.parse
from typing import TYPE_CHECKING

import pytest
from ruamel.yaml import YAML

from labctl.diagnostics import redaction
from plugins.filter import oslo_value, percent_encode

if TYPE_CHECKING:
    from collections.abc import Callable

HARD = "p@:/#%?$'\" x"
SECRETS = {
    "hard": HARD,
    "backslash": "q\\@/$%\" 'y",
    "letters": "grüße aus Köln",
    "generated": "Zb-9_xQ3kLm7TzWv2YcR4nPdHs8aJgUe",
}


def yaml_of(text: str) -> str:
    from io import StringIO

    stream = StringIO()
    YAML().dump({"a": text}, stream)
    return stream.getvalue()


# Each written as that what it is for writes it, and not by the module that is tested.
FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "role's filter for URLs": percent_encode.percent_encode,
    "role's filter for oslo.config": oslo_value.oslo_value,
    "URL, slashes kept": urllib.parse.quote,
    "URL in lower case": lambda text: "".join(
        f"%{byte:02x}"
        if chr(byte) not in "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~"
        else chr(byte)
        for byte in text.encode()
    ),
    "form": lambda text: urllib.parse.urlencode({"x": text})[2:],
    "URL within a URL": lambda text: urllib.parse.quote(urllib.parse.quote(text, safe=""), safe=""),
    "URL in oslo.config": lambda text: urllib.parse.quote(text, safe="").replace("%", "%%"),
    "oslo.config, doubled": lambda text: text.replace("$", "$$"),
    "ConfigParser": lambda text: text.replace("%", "%%"),
    "both": lambda text: text.replace("$", "$$").replace("%", "%%"),
    "JSON": json.dumps,
    "JSON, as it is": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "JavaScript": lambda text: json.dumps(text).replace("/", "\\/"),
    "Python": repr,
    "YAML": yaml_of,
    "YAML in single quotes": lambda text: "'" + text.replace("'", "''") + "'",
    "shell": shlex.quote,
    "shell in single quotes": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "shell in double quotes": lambda text: "".join(f"\\{c}" if c in '\\"$`' else c for c in text),
    "HTML": html.escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "base64 of user and password": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
    "base64 of JSON": lambda text: base64.b64encode(json.dumps({"password": text}).encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
}


@pytest.fixture(scope="module")
def redactor() -> redaction.Redactor:
    """One for all tests: to find out all forms of secrets takes a moment."""
    return redaction.Redactor(SECRETS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SECRETS)
def test_secret_in_every_form_is_redacted(redactor: redaction.Redactor, name: str, form: str) -> None:
    written = FORMS[form](SECRETS[name])
    redactor.found.clear()
    said = redactor(f"before {written} after")
    assert said.startswith("before ")
    assert said.endswith(" after")
    assert redactor.found[name] == 1
    inside = said.removeprefix("before ").removesuffix(" after").replace(f"[redacted:{name}]", "")
    # Nothing is left but quotes, and the edges of base64 whose characters are not the secret's alone.
    limit = 30 if "base64 of" in form else 6
    assert len(inside) <= limit, inside
    assert SECRETS[name] not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("password = old one", "password = [redacted]"),
        ('  admin_password: "a b"\nnext', "  admin_password: [redacted]\nnext"),
        ('{"password_hash": "abc=", "name": 1}', '{"password_hash": [redacted], "name": 1}'),
        ("metadata_proxy_shared_secret=x y", "metadata_proxy_shared_secret=[redacted]"),
        ("log: password=abc, user=nova", "log: password=[redacted], user=nova"),
        ("mysql+pymysql://nova:a/b@c@10.0.0.1/nova", "mysql+pymysql://nova:[redacted]@10.0.0.1/nova"),
        ("X-Auth-Token: gAAAAAb", "X-Auth-Token: [redacted]"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: [redacted]"),
        ("Path: '/?token=4793b882-02ce-48dc'", "Path: '/?token=[redacted]'"),
        ("vnc_lite.html?path=%3Ftoken%3D235fb272abcd", "vnc_lite.html?path=%3Ftoken%3D[redacted]"),
        (f"t gAAAAA{'b' * 40}== t", "t [redacted] t"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\nnext",
            "-----BEGIN OPENSSH PRIVATE KEY-----[redacted]-----END OPENSSH PRIVATE KEY-----\nnext",
        ),
        ("-----BEGIN PRIVATE KEY-----\nabc", "-----BEGIN PRIVATE KEY-----[redacted]"),
    ],
)
def test_text_that_looks_like_a_secret_is_redacted(text: str, said: str) -> None:
    assert redaction.Redactor({})(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "#password = <None>",
        "{scheme}://{username}:{password}@{hostname}:{port}/nova_cell0",
        '#"os_compute_api:os-server-password": "rule:x"',
        "The token '***' is invalid",
        "login_password=NOT_LOGGING_PARAMETER login_user=root",
        " cookie=0x0, duration=1s",
        "auth_url = http://10.0.0.1:5000/v3",
        "password = ",
    ],
)
def test_text_that_is_no_secret_stays(text: str) -> None:
    assert redaction.Redactor({})(text) == text


def test_one_secret_within_another() -> None:
    redactor = redaction.Redactor({"short": "nova", "long": "nova-secret"})
    assert redactor("a nova-secret b nova c") == "a [redacted:long] b [redacted:short] c"


def test_much_text_takes_little_time() -> None:
    secrets = {f"name{number}": f"{number:02}{HARD}{number}" for number in range(15)}
    redactor = redaction.Redactor(secrets)
    line = "2026-11-25 22:03:01.638 1875 INFO placement.requestlog [req-3f1f0e30-5d7e-4789] GET /resource_providers\n"
    start = time.process_time()
    redactor(line * 20000)  # 2 MB
    assert time.process_time() - start < 6


@pytest.mark.parametrize(
    "text",
    [
        'name: a\nsecrets: {keystone_admin: "\\x70@:/#x"}\ncomputes: 1\n',
        "name: a\nsecrets:\n  keystone_admin: >-\n    p@:/#x\n    y\n  keystone_demo: 'p@:/#x'\ncomputes: 1\n",
    ],
)
def test_lab_yaml_loses_its_secrets(text: str) -> None:
    said = redaction.lab_yaml(text)
    assert said.startswith("name: a\nsecrets:")
    assert said.strip().endswith("computes: 1")
    assert not any(part in said for part in ("@:/", "x70", "keystone"))


def test_lab_yaml_that_cannot_be_read_loses_everything() -> None:
    assert redaction.lab_yaml('# secrets: {keystone_admin: "old"}\nname: a\n') == "# secrets: [redacted]\nname: a\n"
    assert "old" not in redaction.lab_yaml("secrets: {a: 'old\n")
    assert redaction.lab_yaml("") == ""

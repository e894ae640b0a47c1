"""Which options of an override a service does not know, or cannot read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import oslo_options
from oslo_config import cfg

if TYPE_CHECKING:
    from collections.abc import Callable

OPTIONS = [
    ("scheduler", [cfg.IntOpt("workers", min=1), cfg.ListOpt("enabled_filters", deprecated_name="old-filters")]),
    (None, [cfg.BoolOpt("debug"), cfg.PortOpt("port")]),
]
TEMPLATE = "[keystone_authtoken]\nauth_type = password\nusername = nova\n[DEFAULT]\nmine = 1\n"


class Entry:
    """An entry point of a service."""

    def load(self) -> Callable[[], list[Any]]:
        return lambda: OPTIONS


@pytest.fixture(autouse=True)
def _service(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {("oslo.config.opts", "nova.conf"): [Entry()]}
    monkeypatch.setattr(oslo_options, "entry_points", lambda *, group, name: found.get((group, name), []))


def complaints(text: str, namespaces: tuple[str, ...] = ("nova.conf",)) -> list[tuple[int, str, str]]:
    job = {"text": text, "namespaces": namespaces, "aliases": {"mine": "scheduler"}, "template": TEMPLATE}
    return [(item["line"], item["found"], item["expected"]) for item in oslo_options.complaints(job)]


@pytest.mark.parametrize(
    "text",
    [
        "[DEFAULT]\ndebug = true\nport = 80",
        "[scheduler]\nworkers = 2\nold_filters = A,B",
        "[mine]\nworkers = 2",
        "[scheduler]\nworkers = $port",
        "[DEFAULT]\nmine = 2",
        "[keystone_authtoken]\nusername = other\npassword = x",
    ],
    ids=["known", "former name", "alias", "of another option", "the role sets it", "of the login plugin"],
)
def test_options_that_the_service_knows_are_accepted(text: str) -> None:
    assert complaints(text) == []


@pytest.mark.parametrize(
    ("text", "line", "found", "expected"),
    [
        ("[scheduler]\n\nworker = 2", 3, "the option worker", "an option of [scheduler]; did you mean workers?"),
        ("[sceduler]\nworkers = 2", 2, "the section [sceduler]", "did you mean scheduler?"),
        ("[scheduler]\nworkers = two", 2, "workers = two", "integer"),
        ("[scheduler]\nworkers = 0", 2, "workers = 0", "integer"),
        ("[DEFAULT]\nport = 70000", 2, "port = 70000", "65535"),
    ],
)
def test_options_that_are_wrong_are_named_with_their_line(text: str, line: int, found: str, expected: str) -> None:
    (complaint,) = complaints(text)
    assert complaint[:2] == (line, found)
    assert expected.lower() in complaint[2].lower()


def test_options_that_cannot_be_checked_are_not_refused() -> None:
    assert complaints("[x]\ny = 1", namespaces=("none",)) == []

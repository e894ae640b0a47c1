"""labctl console, and what else needs instances."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from labctl.lifecycle import instances

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.paths import LabPaths


@pytest.mark.parametrize("verb", [["demo"], ["demo", "--delete"], ["console", "x"], ["explain", "x"]])
def test_instances_without_a_network_are_refused(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, verb: list[str]
) -> None:
    paths.lab_yaml.write_text("networking: none\n", encoding="utf-8")
    status, output, errors = labctl("-C", paths.directory, *verb)
    assert (status, output) == (2, "")
    assert "Instances need a network" in errors
    assert list(paths.directory.iterdir()) == [paths.lab_yaml]


@pytest.fixture
def a_server(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A lab in which there is one server; what a browser was asked to open."""
    opened: list[str] = []
    paths.hosts_ini.touch()
    paths.clouds_yaml.touch()
    monkeypatch.setattr(instances.Cloud, "__init__", lambda *_: None)
    monkeypatch.setattr(instances.Cloud, "find", lambda _, name: instances.Server("1", name, "ACTIVE"))
    monkeypatch.setattr(instances.Cloud, "console_url", lambda *_: "http://console")
    monkeypatch.setattr(instances.Cloud, "console_log", lambda _, __, lines: f"\x1b[6nlast {lines}\n\n")
    monkeypatch.setattr(instances, "open_browser", opened.append)
    return opened


@pytest.mark.parametrize(
    ("arguments", "output", "opens"),
    [
        ([], "http://console\n", ["http://console"]),
        (["--no-open"], "http://console\n", []),
        (["--print"], "http://console\n", []),
        (["--log"], "last None\n", []),
        (["--log", "--lines", "5"], "last 5\n", []),
    ],
)
def test_console_prints_or_opens(
    labctl: Callable[..., tuple[int, str, str]],
    paths: LabPaths,
    a_server: list[str],
    arguments: list[str],
    output: str,
    opens: list[str],
) -> None:
    assert labctl("-C", paths.directory, "console", "web", *arguments)[:2] == (0, output)
    assert a_server == opens


def test_console_as_json_has_url_or_log(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, a_server: list[str]
) -> None:
    status, output, _ = labctl("-C", paths.directory, "console", "web", "--json")
    assert (status, json.loads(output)) == (0, {"server": "web", "id": "1", "url": "http://console"})
    _, output, _ = labctl("-C", paths.directory, "console", "web", "--json", "--log")
    assert json.loads(output) == {"server": "web", "id": "1", "log": "\x1b[6nlast None\n\n"}
    assert a_server == []

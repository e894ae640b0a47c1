"""Files as their templates say: what is written, how, and what is shown of it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.novalab.openstack.plugins.action.template_files import packed
from ansible_collections.novalab.openstack.plugins.modules import template_files

if TYPE_CHECKING:
    from pathlib import Path


def entry(path: Path, **more: object) -> dict[str, Any]:
    """One file of the module's arguments, as Ansible fills it up."""
    return {
        "src": "a.j2",
        "dest": str(path),
        "owner": None,
        "group": None,
        "mode": "0640",
        "item": None,
        "secret": False,
        "unsafe_writes": False,
    } | more


def test_texts_arrive_as_they_were() -> None:
    texts = ["", "a\n", "ä € \u0000 '\"\\{{ x }}\r\n"]
    assert template_files.unpacked(packed(texts)) == texts


def test_a_file_is_made_with_its_folder_then_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "one" / "two" / "file"
    difference = template_files.keep(entry(path), "text\n", check=False)
    assert difference is not None
    assert (difference["before"], difference["after"].endswith("text\n")) == ("", True)
    assert (path.read_text(encoding="utf-8"), stat.S_IMODE(path.stat().st_mode)) == ("text\n", 0o640)
    assert template_files.keep(entry(path), "text\n", check=False) is None
    assert list(path.parent.iterdir()) == [path]


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    assert template_files.keep(entry(path), "text\n", check=True) is not None
    assert list(tmp_path.iterdir()) == []


def test_only_the_mode_differs(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text\n", encoding="utf-8")
    path.chmod(0o666)
    number = path.stat().st_ino
    assert template_files.keep(entry(path), "text\n", check=False) is not None
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_ino) == (0o640, number)


def test_a_mounted_file_is_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("a much longer text\n", encoding="utf-8")
    number = path.stat().st_ino
    assert template_files.keep(entry(path, unsafe_writes=True), "text\n", check=False) is not None
    assert (path.read_text(encoding="utf-8"), path.stat().st_ino) == ("text\n", number)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert template_files.keep(entry(tmp_path / "link"), "text\n", check=False) is not None
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text(encoding="utf-8") == "text\n"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("hunter1\n", encoding="utf-8")
    difference = template_files.keep(entry(path, secret=True), "hunter2\n", check=False)
    assert difference is not None
    assert "hunter" not in str(difference)
    assert path.read_text(encoding="utf-8") == "hunter2\n"


@pytest.mark.parametrize("wrong", [{"owner": "nobody-of-this-name"}, {"group": "no-such-group"}, {"mode": "rw"}])
def test_nothing_is_written_for_nobody(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises((LookupError, ValueError)):
        template_files.keep(entry(tmp_path / "file", **wrong), "text\n", check=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no"):
        template_files.keep(entry(tmp_path / "file"), "text\n", check=False)
    assert list(tmp_path.iterdir()) == []

"""The program that collects a node's files, run here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from labctl.remote.programs import collect

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_collect_leaves_out_keys_and_long_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "LOG_LIMIT", 20)
    etc, log = tmp_path / "etc", tmp_path / "log"
    for folder in (etc / "fernet-keys", log):
        folder.mkdir(parents=True)
    (etc / "fernet-keys" / "0").write_text("key")
    (etc / "server.pem").write_text("key")
    (etc / "a.conf").write_text("a = 1")
    (etc / "image").write_bytes(b"\0")
    (etc / "link").symlink_to(etc / "a.conf")
    (log / "a.log").write_text("first line that is long\nlast line\n")
    (log / "a.log.2.gz").write_bytes(b"\0")
    commands = {"said.txt": ["echo", "hello"], "no.txt": ["/no/such/program"]}
    collect.main({"configuration": [str(etc), "/no/such/file"], "logs": [str(log), "/no/such"], "commands": commands})
    found = {row["path"]: row["text"] or row["why"] for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found == {
        str(etc / "fernet-keys"): "keys",
        str(etc / "server.pem"): "keys",
        str(etc / "a.conf"): "a = 1",
        str(etc / "image"): "not a text",
        str(log / "a.log"): "(its beginning is left out)\nlast line\n",
        "said.txt": "hello\n",
    }

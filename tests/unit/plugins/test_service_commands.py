"""Commands of a service's own tool: imported once, run side by side, and what is said of those that fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.novalab.openstack.plugins.module_utils import service_commands
from ansible_collections.novalab.openstack.plugins.module_utils.service_commands import Command
from ansible_collections.novalab.openstack.plugins.modules import schema_sync

if TYPE_CHECKING:
    from pathlib import Path

TOOL = """
import os, sys, time
print("imported", flush=True)

def main():
    word = sys.argv[1]
    if word == "wait":  # for the other one: both run at the same time
        while not os.path.exists(sys.argv[2]):
            time.sleep(0.01)
    elif word == "make":
        open(sys.argv[2], "w").write(os.environ.get("SECRET", ""))
    elif word == "make slowly":
        time.sleep(0.3)
        open(sys.argv[2], "w")
    elif word == "rename":
        os.rename(*sys.argv[2:])
    elif word == "raise":
        raise RuntimeError("broken")
    else:
        sys.exit(word)
"""


class FailedError(Exception):
    """The module has failed."""


class FakeModule:
    """Runs commands as the module would, without changing the user; fails with an exception."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.argv: list[str] = []

    def run_command(self, command: list[str], data: str) -> tuple[int, str, str]:
        self.argv = command
        assert command[:4] == ["runuser", "-u", "tester", "--"]
        done = subprocess.run(
            [sys.executable, *(word for word in command[5:] if word != "-I")],
            input=data,
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(self.folder)},
            timeout=60,
        )
        return done.returncode, done.stdout.replace("imported\n", "", 1), done.stderr

    def fail_json(self, msg: str) -> None:
        raise FailedError(msg)


@pytest.fixture
def module(tmp_path: Path) -> Any:  # noqa: ANN401 (stands in for AnsibleModule)
    (tmp_path / "lab_tool.py").write_text(TOOL, encoding="utf-8")
    metadata = tmp_path / "lab_tool-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lab_tool\nVersion: 1\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[console_scripts]\nlab-tool = lab_tool:main\n", encoding="utf-8")
    return FakeModule(tmp_path)


def test_side_by_side_with_secrets_out_of_sight(module: Any, tmp_path: Path) -> None:  # noqa: ANN401
    file = str(tmp_path / "made")
    commands = [Command(["lab-tool", "wait", file]), Command(["lab-tool", "make", file], {"SECRET": "hunter2"})]
    service_commands.run(module, "tester", commands)
    assert (tmp_path / "made").read_text(encoding="utf-8") == "hunter2"
    assert "hunter2" not in str(module.argv)


def test_failures_are_told_with_their_words(module: Any, tmp_path: Path) -> None:  # noqa: ANN401
    words = [["make", str(tmp_path / "made")], ["raise"], ["no such database"]]
    with pytest.raises(FailedError) as failed:
        service_commands.run(module, "tester", [Command(["lab-tool", *more]) for more in words])
    lines = str(failed.value).splitlines()
    assert lines[0].startswith("'lab-tool raise' ended with status 1: Traceback")
    assert "RuntimeError: broken" in lines
    assert lines[-1] == "'lab-tool no such database' ended with status 1: no such database"
    assert (tmp_path / "made").exists()


def test_a_round_waits_for_the_one_before(module: Any, tmp_path: Path) -> None:  # noqa: ANN401
    made, filled = tmp_path / "made", tmp_path / "filled"
    commands = [Command(["lab-tool", "make slowly", str(made)]), Command(["lab-tool", "make", str(tmp_path / "other")])]
    service_commands.run(module, "tester", commands, [Command(["lab-tool", "rename", str(made), str(filled)])])
    assert filled.exists()


def test_a_round_that_fails_is_the_last_one(module: Any, tmp_path: Path) -> None:  # noqa: ANN401
    made = tmp_path / "made"
    rounds = [Command(["lab-tool", "no such database"])], [Command(["lab-tool", "make", str(made)])]
    with pytest.raises(FailedError, match=r"^'lab-tool no such database' ended with status 1: no such database$"):
        service_commands.run(module, "tester", *rounds)
    assert not made.exists()


def test_a_new_database_is_filled() -> None:
    """Only the one that had no schema, and its secrets go by the environment."""
    bootstrap = Command(["keystone-manage", "bootstrap"], {"OS_BOOTSTRAP_PASSWORD": "hunter2"})
    cell0 = Command(["nova-manage", "cell_v2", "map_cell0"])
    schemas = [
        schema_sync.Schema(name, "mysql://", ["b"], Command(["sync"]), filling)
        for name, filling in (("keystone", [bootstrap]), ("nova_api", [cell0]), ("nova", []))
    ]
    assert schema_sync.first(schemas, {"keystone": [], "nova_api": ["a"], "nova": []}) == [bootstrap]
    assert schema_sync.first(schemas, {"keystone": ["b"], "nova_api": [], "nova": ["b"]}) == [cell0]
    assert schema_sync.first(schemas, {"keystone": ["b"], "nova_api": ["b"], "nova": []}) == []


BEGINS = """
import sys, time
from pathlib import Path
from ansible_collections.novalab.openstack.plugins.modules import schema_sync
schema_sync.LOCKS = Path(sys.argv[1])
schema_sync.lock("tester")
def work():
    time.sleep(0.5)
    Path(sys.argv[1], "made").touch()
    sys.exit("as fail_json does")
schema_sync.in_background(work)
print("goes on")
"""


def test_what_is_not_waited_for_is_waited_for_by_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that begins with it ends at once, with nothing left that reads its output."""
    done = subprocess.run(
        [sys.executable, "-c", BEGINS, str(tmp_path)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("goes on\n", "")
    assert not (tmp_path / "made").exists()
    monkeypatch.setattr(schema_sync, "LOCKS", tmp_path)
    os.close(schema_sync.lock("tester"))
    assert (tmp_path / "made").exists()


def test_a_tool_that_is_not_there(module: Any) -> None:  # noqa: ANN401
    with pytest.raises(FailedError, match=r"(?s)'other-tool sync' did not run: .*StopIteration"):
        service_commands.run(module, "tester", [Command(["other-tool", "sync"])])


@pytest.mark.parametrize(
    ("settings", "added"),
    [
        ("[DEFAULT]\nlog_dir = /var/log/nova\n", {"OS_DEFAULT__LOG_FILE": "nova-manage.log"}),
        ("[DEFAULT]\n", {}),  # into the journal
    ],
)
def test_a_log_has_the_tools_name(tmp_path: Path, settings: str, added: dict[str, str]) -> None:
    config = tmp_path / "nova.conf"
    config.write_text(settings, encoding="utf-8")
    command = Command(["nova-manage", "db", "sync"], {"OS_DATABASE__CONNECTION": "hunter2"})
    logged = service_commands.logged(command, str(config))
    assert logged == Command(command.words, {**added, "OS_DATABASE__CONNECTION": "hunter2"})


def test_nothing_is_due() -> None:
    service_commands.run(None, "tester", [])


def test_commands_travel_as_they_are() -> None:
    command = Command(["a", "b c"], {"D": "e"})
    assert json.loads(json.dumps(asdict(command))) == {"words": ["a", "b c"], "environment": {"D": "e"}}


def test_another_database_on_the_same_server(tmp_path: Path) -> None:
    url = "mysql+pymysql://nova:p%40%3A%2F@10.0.0.1:3306/nova"
    (tmp_path / "nova.conf").write_text(f"[database]\nconnection = {url}\n", encoding="utf-8")
    (tmp_path / "a.py").write_text("revision = 'a'\n", encoding="utf-8")
    filling = {"command": ["fill"], "environment": {}}
    wanted = {
        "section": "database",
        "database": "nova_cell0",
        "migrations": str(tmp_path),
        "command": ["sync"],
        "first": [filling],
    }
    found = schema_sync.schema(str(tmp_path / "nova.conf"), wanted)
    assert (found.database, found.head, found.first) == ("nova_cell0", ["a"], [Command(["fill"])])
    assert found.command.environment == {
        "OS_DATABASE__CONNECTION": "mysql+pymysql://nova:p%40%3A%2F@10.0.0.1:3306/nova_cell0"
    }
    own = schema_sync.schema(str(tmp_path / "nova.conf"), {**wanted, "database": None})
    assert (own.database, own.command.environment) == ("nova", {})

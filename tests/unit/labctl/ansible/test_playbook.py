"""What is made of ansible-runner's job events."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.ansible import playbook
from labctl.ansible.playbook import Failure, PlaybookFailed, PlaybookResult
from labctl.ui.progress import Progress, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from labctl.lab.paths import LabPaths

CENSORED = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"


class Reader:
    """The events' reader, with the log that it writes."""

    def __init__(self, step: Step, log: Callable[[], str]) -> None:
        self.step = step
        self.events = playbook._Events(step)
        self.log = log

    def take(self, kind: str, stdout: str = "", **data: object) -> None:
        self.events.take(json.dumps({"uuid": "0", "event": kind, "stdout": stdout, "event_data": data}) + "\n")


@pytest.fixture
def reader(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(paths.directory))
    log = paths.directory / "log"
    with Progress(log) as progress, progress.step("Software") as step:
        yield Reader(step, lambda: log.read_text(encoding="utf-8"))


def result(task: str, res: dict[str, object], role: str | None = None) -> dict[str, Any]:
    data: dict[str, Any] = {"host": "compute1", "name": task, "task": task, "res": res}
    return data if role is None else {**data, "role": role}


@pytest.mark.parametrize(
    ("res", "message"),
    [
        ({"msg": "no such unit: nova", "changed": False}, "no such unit: nova"),
        ({"msg": "non-zero return code", "rc": 1, "stderr": "boom\n", "stdout": "x"}, "non-zero return code\nboom"),
        ({"msg": "boom", "stderr": "boom"}, "boom"),
        ({"msg": "MODULE FAILURE", "module_stderr": "Traceback", "module_stdout": ""}, "MODULE FAILURE\nTraceback"),
        ({"failed": True}, '{"failed": true}'),
        (
            {
                "msg": "Validation of arguments failed:\nmissing required arguments: node_url",
                "argument_spec_data": {
                    "node": {"description": "A name."},
                    "node_url": {"description": ["The URL,", "such as C(http://x)."]},
                },
            },
            "Validation of arguments failed:\nmissing required arguments: node_url\nnode_url: The URL, such as http://x.",
        ),
        ({"censored": CENSORED, "changed": False}, CENSORED),
        (
            {"_ansible_no_log": True, "msg": "the password hunter2 is wrong"},
            "the result is hidden because it may hold secrets",
        ),
    ],
)
def test_failure_has_node_task_and_message_without_secrets(
    reader: Reader, res: dict[str, object], message: str
) -> None:
    name = "novalab.openstack.nova_compute : Run the compute"
    reader.take("runner_on_failed", **result(name, res, "novalab.openstack.nova_compute"))
    assert reader.events.failures == [Failure("compute1", "nova_compute: Run the compute", message)]
    assert "hunter2" not in str(PlaybookFailed("site.yaml", reader.events.failures, []))


def test_a_task_keeps_its_name_among_others(reader: Reader) -> None:
    name = "novalab.openstack.nova_compute : Run it"
    reader.take("playbook_on_task_start", name="Make its subnet", task="Make its subnet", task_uuid="1", role=None)
    reader.take("playbook_on_task_start", name=name, task="Run it", task_uuid="2", role="nova_compute")
    # What ansible-runner says of the role is that of the task that has started last.
    wrong, boom, bang = "nova_compute", {"msg": "boom"}, {"msg": "bang"}
    reader.take("runner_on_failed", host="localhost", task="Make its subnet", task_uuid="1", role=wrong, res=boom)
    reader.take("runner_on_failed", host="compute1", task="Run it", task_uuid="2", role=None, res=bang)
    assert reader.events.failures == [
        Failure("localhost", "Make its subnet", "boom"),
        Failure("compute1", "nova_compute: Run it", "bang"),
    ]


def test_failures_that_the_playbook_deals_with(reader: Reader) -> None:
    reader.take("runner_on_failed", **result("Try", {"msg": "boom"}), ignore_errors=True)
    reader.take("runner_on_unreachable", **result("Ping", {"msg": "Failed to connect", "skip_reason": "unreachable"}))
    reader.take("runner_on_ok", **result("Go on", {"msg": "all is well"}))
    assert reader.events.failures == []


def test_unreachable_node_is_a_failure(reader: Reader) -> None:
    said = "Failed to connect to the host via ssh: No route to host"
    reader.take("runner_on_unreachable", **result("Gather facts", {"unreachable": True, "msg": said}))
    assert reader.events.failures == [Failure("compute1", "Gather facts", said)]


def test_counts_by_node(reader: Reader) -> None:
    reader.take(
        "playbook_on_stats",
        ok={"controller": 90, "compute1": 40},
        changed={"controller": 3},
        failures={"compute1": 1},
        dark={"compute2": 1},
        ignored={},
        processed={"controller": 1},
    )
    assert reader.events.result.nodes == {
        "compute1": {"ok": 40, "changed": 0, "failed": 1, "unreachable": 0},
        "compute2": {"ok": 0, "changed": 0, "failed": 0, "unreachable": 1},
        "controller": {"ok": 90, "changed": 3, "failed": 0, "unreachable": 0},
    }
    assert reader.events.result.changed == 3


def test_changes_of_all_nodes_are_added() -> None:
    assert PlaybookResult({"a": {"changed": 2}, "b": {"changed": 1}}).changed == 3


def test_activity_shows_the_task_that_runs(reader: Reader, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, name in (("task", "Set the names"), ("handler_task", "Tell the clock")):
        data = {"role": "novalab.openstack.node", "task_uuid": name, "host": "compute1"}
        reader.take(f"playbook_on_{kind}_start", name=f"node : {name}", **data)
        reader.take("runner_on_start", **data)
        reader.take("runner_on_ok", **data)
    reader.take("playbook_on_task_start", role="node", name="node : Validating arguments against arg spec 'main'")
    skipped = {"role": "novalab.openstack.node", "task_uuid": "Name the node", "host": "compute1"}
    reader.take("playbook_on_task_start", name="node : Name the node", **skipped)
    reader.take("runner_on_start", **skipped)
    reader.take("runner_on_skipped", **skipped)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" s  ")[1] for line in lines] == ["node: Set the names", "node: Tell the clock"]


def test_what_each_node_does(reader: Reader) -> None:
    for node in ("controller", "compute1", "localhost"):
        reader.take("runner_on_start", **{**result("Set the names", {}, "novalab.openstack.node"), "host": node})
    reader.take("runner_on_start", host="controller", role="node", name="node : Validating arguments against arg spec")
    reader.take("runner_on_ok", **{**result("Set the names", {}), "host": "controller"})
    for node in ("controller", "compute2"):  # tasks of a role that this lab does not have
        reader.take("runner_on_start", **{**result("Run it", {}, "novalab.openstack.horizon"), "host": node})
        reader.take("runner_on_skipped", **{**result("Run it", {}, "novalab.openstack.horizon"), "host": node})
    nodes = reader.step.view(0.0, None).nodes
    assert {name: (node.activity, node.busy) for name, node in nodes.items()} == {
        "controller": ("node: Set the names", False),
        "compute1": ("node: Set the names", True),
        "this machine": ("node: Set the names", True),
    }


def test_output_goes_to_the_log(reader: Reader) -> None:
    reader.take("runner_on_ok", "\r\nTASK [Names] ****\r\n\x1b[0;33mchanged: [compute1]\x1b[0m", **result("Names", {}))
    reader.take("runner_on_start", **result("Names", {}))
    assert reader.events.last == ["TASK [Names] ****", "changed: [compute1]"]
    assert "\x1b" not in reader.log()
    assert "changed: [compute1]\n" in reader.log()


def test_output_without_events_explains_the_failure(reader: Reader) -> None:
    for line in ("ERROR! the playbook could not be found\n", "[1]\n", "\n"):
        reader.events.take(line)
    error = PlaybookFailed("site.yaml", reader.events.failures, reader.events.last)
    assert error.message == "site.yaml did not run:\nERROR! the playbook could not be found\n[1]"


def test_only_the_last_lines_are_kept(reader: Reader) -> None:
    for number in range(100):
        reader.events.take(f"line {number}\n")
    assert reader.events.last == [f"line {number}" for number in range(80, 100)]


def test_message_of_several_nodes_is_shown_once() -> None:
    same = [Failure(node, "All mapped", "compute2 is missing") for node in ("controller", "localhost")]
    assert str(PlaybookFailed("site.yaml", same, [])).startswith(
        "controller, localhost: All mapped: compute2 is missing\n"
    )


@pytest.mark.parametrize(
    ("asks", "said"), [(True, "Look: done in 0.0 s (differs)"), (False, "Look: failed after 0.0 s")], ids=str
)
def test_an_answer_is_no_failed_step(
    paths: LabPaths,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asks: bool,
    said: str,
) -> None:
    """Who asks whether something differs gets what differs, and an estimate learns nothing from it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(paths.directory))
    event = {"event": "runner_on_failed", "event_data": result("Compare", {"msg": "/etc/x: is gone"})}
    program = paths.directory / "python"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(event)}'\nexit 2\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(Step, "elapsed", 0.0)
    with Progress(paths.directory / "log") as progress, pytest.raises(PlaybookFailed) as failed:
        playbook.run("x.yaml", paths=paths, inventory=paths.hosts_ini, progress=progress, title="Look", asks=asks)
    assert failed.value.failures == [Failure("compute1", "Compare", "/etc/x: is gone")]
    assert said in capsys.readouterr().out
    assert not list(paths.directory.rglob("estimates.json"))


def test_extra_vars_are_data_and_never_templates(paths: LabPaths, tmp_path: Path) -> None:
    """As ansible-playbook itself reads them."""
    paths.make_state()
    given = {"names": ["{{ lookup('pipe', 'echo run') }}", "compute1"], "really": False, "nothing": []}
    options = playbook._options(paths, "a,b", None, given)
    assert (options[2:], stat.S_IMODE(paths.extra_vars.stat().st_mode)) == (["--tags", "a,b"], 0o600)
    task = {"ansible.builtin.debug": {"msg": "{{ [names, really, nothing] | to_json }}"}, "tags": ["a"]}
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    said = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", *options, "play.yml"],
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.json"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (shown,) = (found["hosts"]["localhost"]["msg"] for found in json.loads(said)["plays"][0]["tasks"])
    assert (json.loads(shown) if isinstance(shown, str) else shown) == list(given.values())

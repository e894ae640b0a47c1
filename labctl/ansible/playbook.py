"""Run a playbook: ansible-runner in a separate process, whose job events are read as they come."""

import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from typing import Any

import yaml

from labctl.errors import LabError
from labctl.files import write_private
from labctl.lab import lock
from labctl.lab.paths import LabPaths, assets
from labctl.ui.progress import Progress, Step

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ROLE_PREFIX = re.compile(r"^[\w.]+ : ")  # as Ansible writes it before the names of a role's tasks
_MARKUP = re.compile(r"\b[CVO]\(([^()]*)\)")  # of Ansible's documentation
_ENDS = ("runner_on_ok", "runner_on_failed", "runner_on_unreachable")
_OF_ANSIBLE = "Validating arguments"  # in the names of tasks that Ansible adds
_KEPT = 5  # runs whose events stay on the disk


@dataclass
class PlaybookResult:
    """Ansible's counts of one run: ok, changed, failed and unreachable tasks, by node."""

    nodes: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """The number of tasks that changed something, on all nodes."""
        return sum(counts["changed"] for counts in self.nodes.values())


@dataclass(frozen=True)
class Failure:
    """A task that failed on a node, with the module's message. differences are those that the module drift found."""

    node: str
    task: str
    message: str
    differences: tuple[str, ...] = ()


class PlaybookFailed(LabError):  # noqa: N818 (Ansible's words)
    """A playbook did not finish; failures has every failed task, of all nodes."""

    def __init__(self, playbook: str, failures: list[Failure], last: list[str]) -> None:
        nodes: dict[tuple[str, str], list[str]] = {}
        for failure in failures:  # several nodes may fail alike
            nodes.setdefault((failure.task, failure.message), []).append(failure.node)
        what = [f"{', '.join(where)}: {task}: {message}" for (task, message), where in nodes.items()]
        what = what or [f"{playbook} did not run:", *last]
        super().__init__("\n".join(what), "Fix the cause and run the command again; finished steps are kept.")
        self.failures = failures


def run(
    playbook: str,
    *,
    paths: LabPaths,
    inventory: Path,
    progress: Progress,
    title: str,
    tags: str | None = None,
    skip: str | None = None,
    extra_vars: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    asks: bool = False,
) -> PlaybookResult:
    """Run a playbook of the collection on an inventory. Raises PlaybookFailed with node, task and message.

    tags are those of the tasks to run, skip those of the tasks to leave out. Texts in extra_vars are data, not
    templates. environment is for the connection to the nodes. asks means that the playbook only checks, so that a
    failure is an answer and the step has not failed.
    """
    root = assets()
    command = [
        *(sys.executable, "-m", "ansible_runner", "run", str(paths.runner), "--json"),
        *("--playbook", str(root / playbook), "--project-dir", str(root), "--inventory", str(inventory)),
        # Otherwise it would keep the tags of one run for the next.
        *("--omit-env-files", "--rotate-artifacts", str(_KEPT)),
        # One word, which ansible-runner splits like a shell.
        f"--cmdline={shlex.join(_options(paths, tags, skip, extra_vars or {}))}",
    ]
    scripts = Path(sys.executable).parent
    child_environment = {
        **os.environ,
        **(environment or {}),
        **lock.mark(paths),
        "PATH": os.pathsep.join([str(scripts), (environment or {}).get("PATH") or os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
        "ANSIBLE_HOME": str(paths.state / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    paths.runner.mkdir(mode=0o700, parents=True, exist_ok=True)
    with progress.step(title) as step:
        events = _Events(step)
        with Popen(
            command, cwd=root, env=child_environment, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, text=True
        ) as process:
            try:
                assert process.stdout is not None  # noqa: S101 (it is a pipe)
                for line in process.stdout:
                    events.take(line)
            except BaseException:
                process.send_signal(signal.SIGTERM)  # ansible-runner then ends Ansible
                raise
        failed = PlaybookFailed(playbook, events.failures, events.last) if process.returncode != 0 else None
        if failed and not asks:
            raise failed
        changed = events.result.changed
        step.note("differs" if failed else f"{changed} changed" if changed else "nothing changed")
        step.typical = not failed
    if failed:
        raise failed
    return events.result


def _options(paths: LabPaths, tags: str | None, skip: str | None, extra_vars: Mapping[str, object]) -> list[str]:
    """Options for ansible-playbook. Variables are in a file that only its owner can read, not on the command line."""
    write_private(paths.extra_vars, yaml.dump(dict(extra_vars), Dumper=_DataDumper))
    options = {"--extra-vars": f"@{paths.extra_vars}", "--tags": tags, "--skip-tags": skip}
    return [word for option, value in options.items() if value for word in (option, value)]


class _DataDumper(yaml.SafeDumper):
    """Writes every text with the tag !unsafe, by which Ansible treats it as data and not as a template."""


_DataDumper.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text, style='"'))


class _Events:
    """Reads job events (ansible-runner manual, "Runner Artifact Job Events")."""

    def __init__(self, step: Step) -> None:
        self.result = PlaybookResult()
        self.failures: list[Failure] = []
        self.last: list[str] = []
        self._names: dict[str, str] = {}
        self._step = step

    def take(self, line: str) -> None:
        """Read a line of output: an event, or an error from before the first one."""
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self._say(line.rstrip())
            return
        self._say(_ANSI.sub("", str(event.get("stdout") or "")).strip("\r\n"))
        data: dict[str, Any] = event.get("event_data") or {}
        kind = str(event.get("event"))
        self._show(kind, data)
        if kind in ("runner_on_failed", "runner_on_unreachable") and not data.get("ignore_errors"):
            self._fail(data, unreachable=kind == "runner_on_unreachable")
        elif kind == "playbook_on_stats":
            self._count(data)

    def _show(self, kind: str, data: dict[str, Any]) -> None:
        """Show what is going on, in general and on each node."""
        task, host = self._name(data), str(data.get("host", ""))
        node = "this machine" if host == "localhost" else host
        if kind in _ENDS:
            self._step.node_done(node)
        elif _OF_ANSIBLE in task:
            return
        elif kind in ("playbook_on_task_start", "playbook_on_handler_task_start"):
            self._step.activity(task)
        elif kind == "runner_on_start":
            self._step.node(node, task)
        elif kind == "runner_on_skipped":
            self._step.node_skipped(node)

    def _say(self, text: str) -> None:
        if text:
            self._step.detail(text.replace("\r\n", "\n"))
            self.last = [*self.last, *text.splitlines()][-20:]

    def _fail(self, data: dict[str, Any], *, unreachable: bool) -> None:
        result = data.get("res") or {}
        if unreachable and result.get("skip_reason"):
            return  # ignore_unreachable: the playbook handles it
        if result.get("_ansible_no_log") or "censored" in result:
            message = str(result.get("censored", "the result is hidden because it may hold secrets"))
        else:
            # The result of a loop says only that items failed; theirs say why.
            items = [item for item in result.get("results") or [] if item.get("failed") and "censored" not in item]
            keys = ("msg", "stderr", "module_stderr", "module_stdout")
            parts = [str(part.get(key, "")).strip() for part in items or [result] for key in keys]
            parts += _arguments(result.get("argument_spec_data") or {}, parts[0])
            message = "\n".join(dict.fromkeys(part for part in parts if part)) or json.dumps(result)
        differences = tuple(map(str, result.get("differences") or ()))
        self.failures.append(Failure(str(data.get("host", "?")), self._name(data), message, differences))

    def _name(self, data: dict[str, Any]) -> str:
        """The name of an event's task, as it was at the task's start.

        With the strategy free, ansible-runner may report a task without a role as one of another task's role.
        """
        identity, name = str(data.get("task_uuid")), _task(data)
        if data.get("name"):  # only in the events of a start, with the role in front
            self._names[identity] = name
        return self._names.get(identity, name)

    def _count(self, data: dict[str, Any]) -> None:
        names = {"ok": "ok", "changed": "changed", "failures": "failed", "dark": "unreachable"}
        nodes = sorted({node for kind in names for node in data.get(kind, {})})
        self.result.nodes = {
            node: {name: int(data.get(kind, {}).get(node, 0)) for kind, name in names.items()} for node in nodes
        }


def _arguments(spec: dict[str, Any], message: str) -> list[str]:
    """The descriptions of the role's arguments that a message of Ansible's validation names."""
    words = set(re.findall(r"\w+", message))
    texts = {name: option.get("description", "") for name, option in spec.items() if name in words}
    lines = (f"{name}: {text if isinstance(text, str) else ' '.join(text)}" for name, text in texts.items())
    return [_MARKUP.sub(r"\1", line) for line in lines]


def _task(data: dict[str, Any]) -> str:
    """A task's name, after its role's if it has one."""
    role, name = data.get("role"), str(data.get("name") or data.get("task") or "")
    return f"{str(role).rpartition('.')[2]}: {_ROLE_PREFIX.sub('', name)}" if role else name

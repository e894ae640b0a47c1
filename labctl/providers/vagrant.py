"""Vagrant for one lab: python-vagrant and what it lacks, and the description of the lab for the Vagrantfile."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, cast

from labctl.errors import LabError
from labctl.files import write_if_changed
from labctl.lab import lock, records
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths, assets
from labctl.providers.base import Provider, Report
from labctl.providers.node_state import NodeState, NodeStatus
from labctl.remote import access
from labctl.remote.access import SshHost
from labctl.ui.progress import Step

# Transient errors of Vagrant, whatever the command, and what they mean. Vagrant's docker provider inspects every
# container of the engine, and one of somebody else's may disappear between list and inspect.
_TRANSIENT = {
    "(?i)another process is already executing|lock(ed)? by another process": "another Vagrant works on these nodes",
    "(?i)no such object": "a container disappeared while Vagrant inspected all of them",
}
_OF_NODE = re.compile(r"==> (?P<node>[\w.-]+): +(?P<what>\S.*)")
_LOCK_WAIT = 180.0  # seconds; as long as a start of all nodes takes on a slow machine


class Machines:
    """Vagrant for one lab.

    document is what describe() returns, for which the Vagrantfile would otherwise call labctl. Child processes get the
    environment in it, such as PATH with the engine first.
    """

    def __init__(self, lab: Lab, paths: LabPaths, report: Report, document: Mapping[str, Any]) -> None:
        if shutil.which("vagrant") is None:
            raise LabError("Vagrant is missing", "`labctl setup` installs it on Debian and Ubuntu.")
        self._lab = lab
        self._paths = paths
        self._report = report
        self._environment = {
            **os.environ,
            **document["environment"],
            **lock.mark(paths),
            "VAGRANT_CWD": str(assets()),
            "VAGRANT_DOTFILE_PATH": str(paths.dotfile),
            "VAGRANT_DEFAULT_PROVIDER": lab.provider,
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_NO_COLOR": "1",
            "LABCTL_DIR": str(paths.directory),
            "LABCTL_PYTHON": sys.executable,
            "LABCTL_CALLS": "vagrant",
            "LABCTL_NODES": str(paths.vagrant_nodes),
        }
        paths.make_state()
        write_if_changed(paths.vagrant_nodes, json.dumps(document, indent=2) + "\n")

    def up(self, names: Iterable[str]) -> None:
        """Create or start nodes. Virtual machines then answer ssh; containers may not yet."""
        self.run("up", vm_name=_pattern(names), provider=self._lab.provider, stream_output=True)

    def snapshots(self) -> set[str]:
        """The names of the virtual machines' snapshots."""
        return {line.strip() for line in self.run("snapshot list") if not line.startswith("==>")}

    def states(self) -> dict[str, str]:
        """Vagrant's word for the state of each node: running, stopped, poweroff, not_created, ..."""
        return {status.name: str(status.state) for status in self.run("status")}

    def ssh_hosts(self) -> dict[str, SshHost]:
        """How to reach each node of the lab. Raises LabError if one is not running."""
        return access.from_ssh_config(self.run("ssh-config", vm_name=_pattern(node.name for node in self._lab.nodes)))

    def run(self, command: str, *arguments: str, **options: object) -> Any:  # noqa: ANN401 (python-vagrant has no types)
        """Run a command of Vagrant with the arguments of python-vagrant's method, and return that method's result.

        Without names of nodes it is for all, those that leave the lab included. Transient errors are retried for three
        minutes. Raises LabError with Vagrant's own message.
        """
        end = time.monotonic() + _LOCK_WAIT
        while True:
            try:
                return self._attempt(command, *arguments, **options)
            except subprocess.CalledProcessError as error:
                output = str(error.output)
            reason = next((reason for pattern, reason in _TRANSIENT.items() if re.search(pattern, output)), None)
            if reason is None or time.monotonic() > end:
                message = f"vagrant {command} failed:\n{_message(output)}"
                raise LabError(message, f"The full output is in {self._paths.logs}.")
            self._report(f"{reason}; trying again")
            time.sleep(2)

    def _attempt(self, command: str, *arguments: str, **options: object) -> Any:  # noqa: ANN401
        """Run a command once. Raises CalledProcessError with everything that Vagrant wrote."""
        # python-vagrant looks for the program while it is imported, and complains then.
        import vagrant

        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as sink:

            def output() -> contextlib.AbstractContextManager[IO[str]]:
                return contextlib.nullcontext(sink)

            make: Any = vagrant.Vagrant  # it has no types
            instance = make(root=str(assets()), env=self._environment, out_cm=output, err_cm=output)
            lines: list[str] = []
            try:
                result = getattr(instance, command.replace(" ", "_").replace("-", "_"))(*arguments, **options)
                for line in result if isinstance(result, Iterator) else ():
                    lines.append(line.rstrip())
                    self._report(line.rstrip())
            except subprocess.CalledProcessError as error:
                sink.seek(0)
                error.output = "\n".join([*lines, str(error.output or ""), sink.read()])
                raise
            sink.seek(0)
            for line in sink.read().splitlines():
                self._report(line)
        return result


class VagrantNodes:
    """What providers have in common whose nodes Vagrant creates. Subclasses implement Provider."""

    def __init__(self, lab: Lab, paths: LabPaths) -> None:
        self._lab = lab
        self._paths = paths

    def present(self) -> dict[str, NodeState]:
        """The nodes that Vagrant has recorded, in lab.yaml or not. Asking it for their states would take seconds."""
        names = {*records.nodes(self._paths), *(node.name for node in self._lab.nodes)}
        known = [name for name in names if machine_id(self._paths, name, self._lab.provider) is not None]
        return dict.fromkeys(known, NodeState.UNKNOWN)

    def up(self, names: Sequence[str], report: Report) -> None:
        self._machines(report).up(names)

    def _machines(self, report: Report = lambda _: None) -> Machines:
        provider = cast("Provider", self)
        document = describe(self._lab, self._paths, provider, provider.environment)
        return Machines(self._lab, self._paths, report, document)

    def _all(self, state: NodeState, problem: str = "") -> dict[str, NodeStatus]:
        return {node.name: NodeStatus(state, problem=problem) for node in self._lab.nodes}

    def _destroy_machines(self, report: Report) -> None:
        if (self._paths.dotfile / "machines").is_dir() and shutil.which("vagrant"):
            self._machines(report).run("destroy")
        shutil.rmtree(self._paths.dotfile, ignore_errors=True)


def describe(lab: Lab, paths: LabPaths, provider: Provider, environment: Mapping[str, str]) -> dict[str, Any]:
    """The lab for the Vagrantfile and for people, as JSON can hold it. environment is what the engine needs."""

    def node_facts(node: Node) -> dict[str, Any]:
        nothing: dict[str, Any] = {"container": lab.container(node), "ssh": None, "image": "none", "create_args": []}
        return {**node.model_dump(mode="json"), **nothing, **provider.describe(node)}

    return {
        **lab.model_dump(mode="json", exclude={"nodes", "engine"}),
        "directory": str(paths.directory),
        "dashboard_url": lab.dashboard_url,
        "network_name": lab.network_name,
        "netmask": str(lab.network.netmask),
        "ssh_key": str(paths.ssh_key),
        "engine": provider.engine_kind,
        "environment": dict(environment),
        "nodes": [node_facts(node) for node in lab.nodes],
        # They are machines of this lab until `labctl up` has removed them.
        "leaving": [node_facts(node) for node in lab.former_computes(records.nodes(paths))],
    }


def _pattern(names: Iterable[str]) -> str:
    """Nodes for Vagrant's command line, where python-vagrant has room for one word."""
    return f"/^({'|'.join(names)})$/"


def watched(step: Step) -> Report:
    """A report for the step's log that also shows what Vagrant does with each node."""

    def report(line: str) -> None:
        step.detail(line)
        if match := _OF_NODE.fullmatch(line.strip()):
            step.node(match["node"], match["what"])

    return report


def _message(output: str) -> str:
    """Vagrant's error, which comes last: the final lines that are not progress."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if not line.lstrip().startswith(("==>", "Bringing machine"))]
    return "\n".join((errors or lines)[-25:])


def forget(paths: LabPaths, node: str) -> None:
    """Remove Vagrant's records of a node that does not exist."""
    shutil.rmtree(paths.dotfile / "machines" / node, ignore_errors=True)


def machine_id(paths: LabPaths, node: str, provider: str) -> str | None:
    """The provider's name of a machine as Vagrant recorded it, None if there is none."""
    try:
        return (paths.dotfile / "machines" / node / provider / "id").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None

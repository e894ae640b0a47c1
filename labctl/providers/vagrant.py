"""The machines of a lab, through Vagrant: python-vagrant, and what it lacks."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from labctl.errors import LabError
from labctl.files import write_if_changed
from labctl.lab import lock, records
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths, assets
from labctl.providers.node_state import NodeState
from labctl.remote import access
from labctl.remote.access import SshHost
from labctl.ui.progress import Step

Report = Callable[[str], None]

# What Vagrant says of a hindrance that passes, whatever the action, and what it means. Vagrant's docker provider looks
# at every container of the engine, and one of somebody else's may go away between the list and the look.
_PASSING = {
    "(?i)another process is already executing|lock(ed)? by another process": "another Vagrant works on these nodes",
    "(?i)no such object": "a container went away while Vagrant looked at all of them",
}
_OF_NODE = re.compile(r"==> (?P<node>[\w.-]+): +(?P<what>\S.*)")
_LOCK_WAIT = 180.0  # seconds; as long as a start of all nodes takes on a slow machine


class Machines:
    """Vagrant for one lab.

    environment is what child processes need in addition, such as PATH with the engine first. document is the lab as the
    Vagrantfile needs it, which otherwise calls labctl for it.
    """

    def __init__(
        self,
        lab: Lab,
        paths: LabPaths,
        environment: Mapping[str, str],
        report: Report,
        document: Mapping[str, Any],
    ) -> None:
        if shutil.which("vagrant") is None:
            raise LabError("Vagrant is missing", "`labctl setup` installs it on Debian and Ubuntu.")
        self._lab = lab
        self._paths = paths
        self._report = report
        self._environment = {
            **os.environ,
            **environment,
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
        """Create or start nodes. Raises LabError with Vagrant's own message.

        Of virtual machines ssh answers then, of containers it may not yet.
        """
        nodes = _pattern(names)
        self._run(
            "vagrant up", lambda vagrant: vagrant.up(vm_name=nodes, provider=self._lab.provider, stream_output=True)
        )

    def halt(self) -> None:
        """Shut every node down, computes first."""
        self._run("vagrant halt", lambda vagrant: vagrant.halt())

    def suspend(self) -> None:
        """Hold every virtual machine, with its memory. Vagrant cannot do that with containers."""
        self._run("vagrant suspend", lambda vagrant: vagrant.suspend())

    def resume(self) -> None:
        """Let every virtual machine that is held go on."""
        self._run("vagrant resume", lambda vagrant: vagrant.resume())

    def snapshots(self) -> set[str]:
        """The names of the snapshots that virtual machines have."""
        lines: list[str] = []
        self._run("vagrant snapshot list", lambda vagrant: lines.extend(vagrant.snapshot_list()))
        return {line.strip() for line in lines if not line.startswith("==>")}

    def snapshot_save(self, name: str) -> None:
        """Give every virtual machine a snapshot."""
        self._run("vagrant snapshot save", lambda vagrant: vagrant.snapshot_save(name))

    def snapshot_restore(self, name: str) -> None:
        """Bring every virtual machine back to its snapshot."""
        self._run("vagrant snapshot restore", lambda vagrant: vagrant.snapshot_restore(name))

    def snapshot_delete(self, name: str) -> None:
        """Remove a snapshot of every virtual machine."""
        self._run("vagrant snapshot delete", lambda vagrant: vagrant.snapshot_delete(name))

    def destroy(self, name: str | None = None) -> None:
        """Remove a node, or every one that is described now or leaves, and Vagrant's memory of it."""
        self._run("vagrant destroy", lambda vagrant: vagrant.destroy(vm_name=name))

    def states(self) -> dict[str, str]:
        """Vagrant's word for the state of each node: running, stopped, poweroff, not_created, ..."""
        found: dict[str, str] = {}

        def ask(vagrant: Any) -> None:  # noqa: ANN401 (python-vagrant has no types)
            found.update({status.name: str(status.state) for status in vagrant.status()})

        self._run("vagrant status", ask)
        return found

    def ssh_hosts(self) -> dict[str, SshHost]:
        """How to reach each node of the lab. Raises LabError when one is not running."""
        text: list[str] = []
        nodes = _pattern(node.name for node in self._lab.nodes)
        self._run("vagrant ssh-config", lambda vagrant: text.append(vagrant.ssh_config(vm_name=nodes)))
        return access.from_ssh_config(text[0])

    def _run(self, title: str, action: Callable[[Any], Iterator[str] | None]) -> None:
        """Do something with Vagrant, again as long as what hinders it will pass."""
        end = time.monotonic() + _LOCK_WAIT
        while True:
            output = self._attempt(action)
            if output is None:
                return
            passing = next((word for pattern, word in _PASSING.items() if re.search(pattern, output)), None)
            if passing is None or time.monotonic() > end:
                raise LabError(f"{title} failed:\n{_message(output)}", f"The full output is in {self._paths.logs}.")
            self._report(f"{passing}; once more")
            time.sleep(2)

    def _attempt(self, action: Callable[[Any], Iterator[str] | None]) -> str | None:
        """None when it worked, else everything that Vagrant wrote."""
        # python-vagrant looks for the program while it is imported, and complains then.
        import vagrant

        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as sink:
            make: Any = vagrant.Vagrant  # it has no types
            instance = make(root=str(assets()), env=self._environment, out_cm=_into(sink), err_cm=_into(sink))
            lines: list[str] = []
            try:
                for line in action(instance) or ():
                    lines.append(line.rstrip())
                    self._report(line.rstrip())
            except subprocess.CalledProcessError as error:
                output = str(error.output or "")
                return "\n".join([*lines, output, _whole(sink)])
            for line in _whole(sink).splitlines():
                self._report(line)
        return None


def _pattern(names: Iterable[str]) -> str:
    """Nodes for Vagrant's command line, where python-vagrant has room for one word; without it all are meant."""
    return f"/^({'|'.join(names)})$/"


def watched(step: Step) -> Report:
    """A report for the step's log that also shows what Vagrant says of each node."""

    def report(line: str) -> None:
        step.detail(line)
        if match := _OF_NODE.fullmatch(line.strip()):
            step.node(match["node"], match["what"])

    return report


def _into(sink: IO[str]) -> Callable[[], contextlib.AbstractContextManager[IO[str]]]:
    """What python-vagrant takes for a place to write to."""
    return lambda: contextlib.nullcontext(sink)


def _whole(sink: IO[str]) -> str:
    sink.seek(0)
    return sink.read()


def _message(output: str) -> str:
    """Vagrant's error, which comes last: the final lines that are not progress."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if not line.lstrip().startswith(("==>", "Bringing machine"))]
    return "\n".join((errors or lines)[-25:])


def machine_directory(paths: LabPaths, node: str, provider: str) -> Path:
    """Where Vagrant remembers a machine; the file `id` in it holds the provider's name of it."""
    return paths.dotfile / "machines" / node / provider


def known_machines(lab: Lab, paths: LabPaths) -> dict[str, NodeState]:
    """The nodes that Vagrant has notes of, described or not. It is not asked for their state, which takes seconds."""
    names = {*records.nodes(paths), *(node.name for node in lab.nodes)}
    return {name: NodeState.UNKNOWN for name in names if machine_id(paths, name, lab.provider) is not None}


def forget_node(paths: LabPaths, node: str, provider: str) -> None:
    """Remove everything that Vagrant has noted of a node that is gone."""
    shutil.rmtree(machine_directory(paths, node, provider).parent, ignore_errors=True)


def forget(paths: LabPaths, node: str, provider: str) -> None:
    """Make Vagrant forget a machine that does not exist."""
    shutil.rmtree(machine_directory(paths, node, provider), ignore_errors=True)


def machine_id(paths: LabPaths, node: str, provider: str) -> str | None:
    """The provider's name of a machine as Vagrant remembers it, None when there is none."""
    try:
        return (machine_directory(paths, node, provider) / "id").read_text(encoding="utf-8").strip() or None
    except OSError:
        return None

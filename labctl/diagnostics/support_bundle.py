"""One archive with everything that helps to understand a lab from afar, and no secret in it."""

import io
import json
import os
import platform
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from labctl.ansible import services
from labctl.diagnostics import redaction, status
from labctl.errors import BadInput
from labctl.lab import secrets as labsecrets
from labctl.lab import yaml_reader
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.lifecycle.context import LabContext
from labctl.providers.node_state import NodeState
from labctl.remote.nodes import ask
from labctl.remote.ssh import Answer

_TIMEOUT = 180.0  # seconds that a node has for all that is wanted of it
_HOST_SECONDS = 20
# What nodes are asked beside the files that their roles name.
_FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/os-release", "/etc/systemd/system")
_JOURNAL = ["journalctl", "--no-pager", "--quiet", "--output=short-iso-precise", "--lines=20000"]
_COMMANDS: dict[str, list[str]] = {
    "journal.txt": _JOURNAL,
    "units.txt": ["systemctl", "list-units", "--all", "--full", "--no-pager"],
    "packages.txt": ["dpkg-query", "-W"],
    "processes.txt": ["ps", "axww", "-o", "pid,ppid,user,lstart,rss,pcpu,args"],
    "memory.txt": ["free", "-m"],
    "disks.txt": ["df", "-h"],
    "network/addresses.txt": ["ip", "-d", "addr", "show"],
    "network/routes.txt": ["ip", "route", "show", "table", "all"],
    "network/listeners.txt": ["ss", "-ltnp"],
    "network/ovs-vsctl-show.txt": ["ovs-vsctl", "show"],
    "network/ovn-nbctl-show.txt": ["ovn-nbctl", "--no-leader-only", "show"],
    "network/ovn-sbctl-show.txt": ["ovn-sbctl", "--no-leader-only", "show"],
    "network/ovs-flows.txt": ["ovs-ofctl", "dump-flows", "br-int"],
    "libvirt.txt": ["virsh", "-r", "list", "--all"],
}
_HOST_COMMANDS: dict[str, list[str]] = {
    "addresses.txt": ["ip", "addr", "show"],
    "routes.txt": ["ip", "route", "show"],
    "disks.txt": ["df", "-h"],
    "memory.txt": ["cat", "/proc/meminfo"],
    "os-release.txt": ["cat", "/etc/os-release"],
}


@dataclass
class _Archive:
    """A tar archive of texts that have been redacted, below one folder."""

    tar: tarfile.TarFile
    folder: str
    redactor: redaction.Redactor
    files: int = 0
    now: float = field(default_factory=time.time)

    def add(self, path: str, text: str) -> None:
        """Put a text into the archive; nothing else does, so that nothing is in it which was not redacted."""
        parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        data = self.redactor(text).encode()
        member = tarfile.TarInfo("/".join([self.folder, *parts]))
        member.size, member.mode, member.mtime = len(data), 0o600, int(self.now)
        self.tar.addfile(member, io.BytesIO(data))
        self.files += 1


def target(file: Path | None, lab: Lab) -> Path:
    """Where the archive is to be. Raises BadInput when that cannot be."""
    path = file or Path(f"novalab-{lab.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz")
    path = path.expanduser().absolute()
    if path.exists():
        raise BadInput(f"{path} already exists", "Name a file that is not, or move it away.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise BadInput(f"{path.parent} is not a directory that can be written to", "Name a file in one that can.")
    return path


def secrets(lab: Lab, paths: LabPaths) -> dict[str, str]:
    """Every secret that is known, by a name: those in force, those of lab.yaml, those that clients use."""
    found = {f"lab.yaml {name}": value for name, value in lab.secrets.items()}
    clouds = yaml_reader.read(paths.clouds_yaml).data
    for name, cloud in (clouds.get("clouds") or {}).items() if isinstance(clouds, dict) else ():
        password = (cloud.get("auth") or {}).get("password") if isinstance(cloud, dict) else None
        if password:
            found[f"clouds.yaml {name}"] = str(password)
    # The names in force win where values are the same.
    return {**labsecrets.read(paths.secrets), **found}


def make(context: LabContext, path: Path) -> dict[str, Any]:
    """Write the archive, readable by its owner only, and return its manifest.

    Nodes that are off or do not answer are named there and stop nothing. The file appears when it is complete.
    """
    lab, paths, progress = context.lab, context.paths, context.progress
    redactor = redaction.Redactor(secrets(lab, paths))
    with progress.step("Nodes") as step:
        document = status.look(context)
        running = [node for node in lab.nodes if _state(document, node) == NodeState.RUNNING]
        answers = ask(lab, paths, running, "collect", lambda node: _wanted(lab, node), timeout=_TIMEOUT)
        for node in lab.nodes:
            if node not in running or not answers[node.name].ok:
                step.note(f"nothing from {node.name}")
    with progress.step("Archive") as step:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
        try:
            with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as tar:
                archive = _Archive(tar, path.name.removesuffix(".tar.gz"), redactor)
                nodes = {}
                for node in lab.nodes:
                    answer = answers.get(node.name)
                    nodes[node.name] = _node(archive, node, _state(document, node), answer)
                archive.add("status.json", json.dumps(document, indent=2))
                for name, text in _of_host(lab, paths):
                    archive.add(name, text)
                manifest = {
                    "lab": lab.name,
                    "release": lab.release.value,
                    "provider": lab.provider,
                    "made": document["time"],
                    "novalab": version("novalab"),
                    "state": document["state"],
                    "nodes": nodes,
                    "redacted": dict(redactor.found),
                    "files": archive.files + 1,
                }
                archive.add("manifest.json", json.dumps(manifest, indent=2))
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        step.note(f"{archive.files} files, {path.stat().st_size / 2**20:.1f} MiB")
    return {"file": str(path), **manifest}


def _state(document: status.Document, node: Node) -> str:
    return str(next(row["state"] for row in document["nodes"] if row["name"] == node.name))


def _wanted(lab: Lab, node: Node) -> dict[str, Any]:
    units = [f"{unit}.service" for unit in services.units(lab, node)]
    return {
        "configuration": [*services.configuration(lab, node), *_FILES],
        "logs": services.log_directories(lab, node),
        "commands": {**_COMMANDS, "unit-states.txt": ["systemctl", "show", "--no-pager", *units]},
    }


def _node(archive: _Archive, node: Node, state: str, answer: Answer | None) -> dict[str, Any]:
    """Put what a node has told into the archive, and tell of it for the manifest."""
    left_out: dict[str, str] = {}
    before = archive.files
    for row in answer.output.splitlines() if answer else ():
        try:
            item = json.loads(row)
        except ValueError:
            continue  # the last line of a node that went away
        if item["text"] is None:
            left_out[item["path"]] = item["why"]
        else:
            archive.add(f"nodes/{node.name}/{item['path'].lstrip('/')}", item["text"])
    problem = f"the node is {state.replace('_', ' ')}" if answer is None else answer.problem or None
    return {"state": state, "problem": problem, "files": archive.files - before, "left_out": left_out}


def _of_host(lab: Lab, paths: LabPaths) -> Iterator[tuple[str, str]]:
    """What this machine has: the lab's description, labctl's own logs and records, the machine itself."""
    records = (paths.state / "made.json", paths.checks, paths.explanation, paths.demo, paths.containers_conf)
    for path in (paths.lab_yaml, paths.hosts_ini, *records):
        text = _text(path)
        if text is not None:
            yield f"lab/{path.name}", redaction.lab_yaml(text) if path == paths.lab_yaml else text
    for log in sorted(paths.logs.glob("*.log")) if paths.logs.is_dir() else ():
        yield f"lab/logs/{log.name}", _text(log) or ""
    yield "host/python.txt", f"{platform.platform()}\nPython {platform.python_version()}\n"
    commands = dict(_HOST_COMMANDS)
    engine = paths.bin / "docker"
    if engine.is_file():
        commands["engine.txt"] = [str(engine), "version"]
        commands["containers.txt"] = [str(engine), "ps", "--all", "--filter", f"name={lab.container_prefix}-"]
        commands["network.txt"] = [str(engine), "network", "inspect", lab.network_name]
    environment = {**os.environ}
    if paths.containers_conf.is_file():
        environment["CONTAINERS_CONF"] = str(paths.containers_conf)
    for name, command in commands.items():
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_HOST_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        yield f"host/{name}", (done.stdout + done.stderr).decode(errors="replace")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None

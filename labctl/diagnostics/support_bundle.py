"""One archive with everything that helps to understand a lab from a distance, without secrets."""

import contextlib
import io
import json
import os
import platform
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
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

_TIMEOUT = 180.0  # seconds that a node has for everything
_HOST_SECONDS = 20
# What is collected on nodes in addition to the files that their roles name.
_FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/os-release", "/etc/systemd/system")
_COMMANDS = {
    "journal.txt": "journalctl --no-pager --quiet --output=short-iso-precise --lines=20000",
    "units.txt": "systemctl list-units --all --full --no-pager",
    "packages.txt": "dpkg-query -W",
    "processes.txt": "ps axww -o pid,ppid,user,lstart,rss,pcpu,args",
    "memory.txt": "free -m",
    "disks.txt": "df -h",
    "network/addresses.txt": "ip -d addr show",
    "network/routes.txt": "ip route show table all",
    "network/listeners.txt": "ss -ltnp",
    "network/ovs-vsctl-show.txt": "ovs-vsctl show",
    "network/ovn-nbctl-show.txt": "ovn-nbctl --no-leader-only show",
    "network/ovn-sbctl-show.txt": "ovn-sbctl --no-leader-only show",
    "network/ovs-flows.txt": "ovs-ofctl dump-flows br-int",
    "libvirt.txt": "virsh -r list --all",
}
_HOST_COMMANDS = {
    "addresses.txt": "ip addr show",
    "routes.txt": "ip route show",
    "disks.txt": "df -h",
    "memory.txt": "cat /proc/meminfo",
    "os-release.txt": "cat /etc/os-release",
}


@dataclass
class _Archive:
    """A tar archive of texts, in one folder. They are redacted as they are added, and nothing else is in it."""

    tar: tarfile.TarFile
    folder: str
    redactor: redaction.Redactor
    files: int = 0

    def add(self, path: str, text: str) -> None:
        parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        data = self.redactor(text).encode()
        member = tarfile.TarInfo("/".join([self.folder, *parts]))
        member.size, member.mode, member.mtime = len(data), 0o600, int(time.time())
        self.tar.addfile(member, io.BytesIO(data))
        self.files += 1


def target(file: Path | None, lab: Lab) -> Path:
    """The path of the archive. Raises BadInput if it exists or cannot be written."""
    path = file or Path(f"novalab-{lab.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.tar.gz")
    path = path.expanduser().absolute()
    if path.exists():
        raise BadInput(f"{path} already exists", "Name a file that does not exist, or move this one away.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise BadInput(f"{path.parent} is not a directory that can be written to", "Name a file in another directory.")
    return path


def secrets(lab: Lab, paths: LabPaths) -> dict[str, str]:
    """All known secrets by name: those in force, those of lab.yaml, those that clients use."""
    found = {f"lab.yaml {name}": value for name, value in lab.secrets.items()}
    clouds = yaml_reader.read(paths.clouds_yaml).data
    for name, cloud in (clouds.get("clouds") or {}).items() if isinstance(clouds, dict) else ():
        password = (cloud.get("auth") or {}).get("password") if isinstance(cloud, dict) else None
        if password:
            found[f"clouds.yaml {name}"] = str(password)
    # The first name of a value is the one that is shown: that in force.
    return {**labsecrets.read(paths.secrets), **found}


def make(context: LabContext, path: Path) -> dict[str, Any]:
    """Write the archive, readable by its owner only, and return its manifest.

    Nodes that are off or do not answer are named there; they stop nothing. The file appears when it is complete.
    """
    lab, paths, progress = context.lab, context.paths, context.progress
    redactor = redaction.Redactor(secrets(lab, paths))
    with progress.step("Nodes") as step:
        document = status.look(context)
        states = {row["name"]: row["state"] for row in document["nodes"]}
        running = [node for node in lab.nodes if states[node.name] == NodeState.RUNNING]
        answers = ask(lab, paths, running, "collect", lambda node: _wanted(lab, node), timeout=_TIMEOUT)
        for name in states:
            if name not in answers or not answers[name].ok:
                step.note(f"nothing from {name}")
    with progress.step("Archive") as step:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # its mode is 0600
        try:
            with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as tar:
                archive = _Archive(tar, path.name.removesuffix(".tar.gz"), redactor)
                nodes = {name: _node(archive, name, state, answers.get(name)) for name, state in states.items()}
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


def _wanted(lab: Lab, node: Node) -> dict[str, Any]:
    units = " ".join(f"{unit}.service" for unit in services.units(lab, node))
    commands = {**_COMMANDS, "unit-states.txt": f"systemctl show --no-pager {units}"}
    return {
        "configuration": [*services.configuration(lab, node), *_FILES],
        "logs": services.log_directories(lab, node),
        "commands": {name: command.split() for name, command in commands.items()},
    }


def _node(archive: _Archive, node: str, state: str, answer: Answer | None) -> dict[str, Any]:
    """Add the files of a node to the archive, and return its entry of the manifest."""
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
            archive.add(f"nodes/{node}/{item['path'].lstrip('/')}", item["text"])
    problem = f"the node is {state.replace('_', ' ')}" if answer is None else answer.problem or None
    return {"state": state, "problem": problem, "files": archive.files - before, "left_out": left_out}


def _of_host(lab: Lab, paths: LabPaths) -> Iterator[tuple[str, str]]:
    """Texts of this machine by name: the lab's description, labctl's own logs and records, the output of commands."""
    records = (paths.state / "made.json", paths.checks, paths.explanation, paths.demo, paths.containers_conf)
    for path in (paths.lab_yaml, paths.hosts_ini, *records, *sorted(paths.logs.glob("*.log"))):
        with contextlib.suppress(OSError):
            text = path.read_text(encoding="utf-8", errors="replace")
            folder = "lab/logs" if path.parent == paths.logs else "lab"
            yield f"{folder}/{path.name}", redaction.lab_yaml(text) if path == paths.lab_yaml else text
    yield "host/python.txt", f"{platform.platform()}\nPython {platform.python_version()}\n"
    commands = {name: command.split() for name, command in _HOST_COMMANDS.items()}
    engine = paths.bin / "docker"
    if engine.is_file():
        commands["engine.txt"] = [str(engine), "version"]
        commands["containers.txt"] = [str(engine), "ps", "--all", "--filter", f"name={lab.container_prefix}-"]
        commands["network.txt"] = [str(engine), "network", "inspect", lab.network_name]
    environment = {**os.environ}
    if paths.containers_conf.is_file():
        environment["CONTAINERS_CONF"] = str(paths.containers_conf)
    quiet: dict[str, Any] = {"capture_output": True, "stdin": subprocess.DEVNULL, "timeout": _HOST_SECONDS}
    for name, command in commands.items():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(command, env=environment, check=False, **quiet)
            yield f"host/{name}", (done.stdout + done.stderr).decode(errors="replace")

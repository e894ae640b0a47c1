"""hosts.ini: the nodes for Ansible, from the lab's description and what Vagrant says about ssh."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from labctl.errors import LabError
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths, assets
from labctl.lab.secrets import write_private

_CONTAINER_PORT = 22
_CONTAINER_USER = "vagrant"  # made by images/node.sh


@dataclass(frozen=True)
class SshHost:
    """How to reach a node by ssh. key is the path of the private key."""

    host: str
    port: int
    user: str
    key: str

    def command(self, *arguments: str) -> list[str]:
        """An ssh command line for this node, with more arguments for ssh or a command to run."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes")
        line = ["ssh", "-i", self.key, "-p", str(self.port)]
        for option in options:
            line += ["-o", option]
        return [*line, f"{self.user}@{self.host}", *arguments]


def of_container(node: Node, paths: LabPaths) -> SshHost:
    """How a container is reached: at its own address, which the host has a route to. Vagrant is told the same."""
    return SshHost(str(node.address), _CONTAINER_PORT, _CONTAINER_USER, str(paths.ssh_key))


def of_containers(lab: Lab, paths: LabPaths) -> dict[str, SshHost]:
    """How the nodes of a lab in containers are reached."""
    return {node.name: of_container(node, paths) for node in lab.nodes}


def from_ssh_config(text: str) -> dict[str, SshHost]:
    """Read the output of `vagrant ssh-config`, which has a block for each node."""
    blocks: dict[str, dict[str, str]] = {}
    block: dict[str, str] = {}
    for line in text.splitlines():
        word, _, value = line.strip().partition(" ")
        if word == "Host":
            block = blocks.setdefault(value.strip(), {})
        elif word:
            block.setdefault(word, value.strip().strip('"'))
    return {
        name: SshHost(b["HostName"], int(b["Port"]), b["User"], b.get("IdentityFile", "")) for name, b in blocks.items()
    }


def from_json(text: str) -> dict[str, SshHost]:
    """Read what the Vagrantfile hands over: host, port, user and key by node."""
    return {
        name: SshHost(str(item["host"]), int(item["port"]), str(item["user"]), str(item["key"]))
        for name, item in json.loads(text).items()
    }


def render(lab: Lab, paths: LabPaths, hosts: Mapping[str, SshHost]) -> str:
    """The text of hosts.ini; nodes of which nothing is known stay out."""
    # A tenth of a second that verbs which only look can do without.
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    # A template of the lab's own may say what the inventory looks like, and no more.
    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader([paths.directory, assets()]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["quoted"] = _quoted
    nodes = [_Entry(node, hosts[node.name]) for node in lab.nodes if node.name in hosts]
    return environment.get_template("hosts.ini.j2").render(
        lab=lab, paths=paths, nodes=nodes, images=_images(lab, paths)
    )


def known(paths: LabPaths) -> dict[str, SshHost]:
    """The nodes as they were when hosts.ini was written; empty when it was not. Asking Vagrant takes seconds."""
    try:
        return from_json(paths.ssh_hosts.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write(lab: Lab, paths: LabPaths, hosts: Mapping[str, SshHost]) -> bool:
    """Write hosts.ini as a whole. Returns whether it changed."""
    text = render(lab, paths, hosts)
    write_private(paths.ssh_hosts, json.dumps({name: asdict(host) for name, host in hosts.items()}) + "\n")
    if paths.hosts_ini.is_file() and paths.hosts_ini.read_text(encoding="utf-8") == text:
        return False
    temporary = paths.directory / f".hosts.ini.{os.getpid()}"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(paths.hosts_ini)
    return True


def wait_for_ssh(hosts: Mapping[str, SshHost], *, timeout: float = 120.0) -> None:
    """Wait until every node can be logged in to. Raises LabError with the last words of ssh after timeout seconds."""
    end = time.monotonic() + timeout
    with ThreadPoolExecutor(max_workers=max(1, len(hosts))) as pool:
        problems = list(pool.map(lambda host: _try(host, end), hosts.values()))
    for (name, host), problem in zip(hosts.items(), problems, strict=True):
        if problem is not None:
            raise LabError(
                f"{name} ({host.host} port {host.port}) does not answer by ssh within {timeout:.0f} s: {problem}",
                "Look at the node's own log: `vagrant status`, then the journal in it.",
            )


def _try(host: SshHost, end: float) -> str | None:
    """The banner says that sshd is there, a login that it lets us in: pam_nologin forbids that while a node boots."""
    while True:
        try:
            with socket.create_connection((host.host, host.port), timeout=5) as connection:
                connection.settimeout(5)
                connection.recv(4)
            done = subprocess.run(
                host.command("-o", "BatchMode=yes", "true"), capture_output=True, text=True, timeout=20, check=False
            )
            if done.returncode == 0:
                return None
            problem = done.stderr.strip() or f"ssh ended with status {done.returncode}"
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        if time.monotonic() > end:
            return problem
        time.sleep(0.2)


def _images(lab: Lab, paths: LabPaths) -> str:
    """The lab's own images as JSON, with paths that do not depend on who reads them where."""
    images = [image.model_dump(exclude_none=True) for image in lab.images]
    for image in images:
        if "path" in image:
            image["path"] = str(paths.directory / image["path"])
    return json.dumps(images)


@dataclass(frozen=True)
class _Entry:
    """A node with its way in, for the template."""

    node: Node
    ssh: SshHost

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def group(self) -> str:
        return self.node.group

    @property
    def address(self) -> str:
        return str(self.node.address)


def _quoted(value: str | Path) -> str:
    """A text that Ansible's INI reader takes literally: it splits at spaces, and reads 2025.1 as a number."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'

"""How the nodes of a lab are reached by ssh."""

import json
import re
from dataclasses import dataclass

from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths

_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_-]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_CONTAINER_PORT = 22
_CONTAINER_USER = "vagrant"  # created by images/node.sh
_OPTIONS = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "IdentitiesOnly=yes")
_BATCH_OPTIONS = ("BatchMode=yes", "ConnectTimeout=10")


@dataclass(frozen=True)
class SshHost:
    """How to reach a node by ssh. key is the path of the private key."""

    host: str
    port: int
    user: str
    key: str

    def command(self, *arguments: str, batch: bool = False) -> list[str]:
        """An ssh command line for this node, with more arguments for ssh or a command to run.

        With batch, ssh asks no questions, and gives up after 10 s if the node cannot be reached.
        """
        options = (*_OPTIONS, *_BATCH_OPTIONS) if batch else _OPTIONS
        words = [word for option in options for word in ("-o", option)]
        return [
            "ssh",
            "-F",
            "none",
            "-i",
            self.key,
            "-p",
            str(self.port),
            *words,
            f"{self.user}@{self.host}",
            *arguments,
        ]


def of_container(node: Node, paths: LabPaths) -> SshHost:
    """How a container is reached: at its own address, to which this machine has a route. Vagrant gets the same."""
    return SshHost(str(node.address), _CONTAINER_PORT, _CONTAINER_USER, str(paths.ssh_key))


def of_containers(lab: Lab, paths: LabPaths) -> dict[str, SshHost]:
    """How the nodes of a lab in containers are reached."""
    return {node.name: of_container(node, paths) for node in lab.nodes}


def from_ssh_config(text: str) -> dict[str, SshHost]:
    """Read the output of `vagrant ssh-config`, which has a block for each node."""
    hosts = {}
    for name, block in re.findall(r"^Host (\S+)\s*?\n(.*?)(?=^Host |\Z)", text, re.MULTILINE | re.DOTALL):
        # Of several values of an option, ssh takes the first.
        options = dict(reversed(re.findall(r"^\s*(\w+) +\"?(.*?)\"?\s*$", block, re.MULTILINE)))
        key = options.get("IdentityFile", "")
        hosts[name] = SshHost(options["HostName"], int(options["Port"]), options["User"], key)
    return hosts


def from_json(text: str) -> dict[str, SshHost]:
    """Read what the Vagrantfile writes: host, port, user and key by node.

    Raises ValueError for values that ssh would take for something else.
    """
    hosts = {}
    for name, item in json.loads(text).items():
        host = SshHost(str(item["host"]), int(item["port"]), str(item["user"]), str(item["key"]))
        # ssh takes a word that begins with a hyphen for an option, and what is before the last @ for the user.
        if not (_HOST.fullmatch(host.host) and _USER.fullmatch(host.user)) or host.key.startswith("-"):
            raise ValueError(f"node {name} has an address, user or key that cannot be")
        hosts[name] = host
    return hosts


def known(paths: LabPaths) -> dict[str, SshHost]:
    """The nodes as they were when hosts.ini was written, without asking Vagrant; empty if it was not written."""
    try:
        return from_json(paths.ssh_hosts.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return {}

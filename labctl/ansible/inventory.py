"""hosts.ini: the nodes for Ansible, from the lab's description and what Vagrant says about ssh."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from labctl.files import write_private
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths, assets
from labctl.remote.access import SshHost


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

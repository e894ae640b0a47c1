"""hosts.ini: the nodes for Ansible, from the lab's description and Vagrant's settings for ssh."""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from labctl.files import write_if_changed, write_json
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths, assets
from labctl.remote.access import SshHost


def render(lab: Lab, paths: LabPaths, hosts: Mapping[str, SshHost]) -> str:
    """The text of hosts.ini, without the nodes that are not in hosts."""
    # Imported here because it takes a tenth of a second, which verbs that only look do not need.
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    # The lab may have a template of its own, which must not do anything but produce text.
    loader = jinja2.FileSystemLoader([paths.directory, assets()])
    environment = SandboxedEnvironment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    environment.filters["quoted"] = quoted
    nodes = [{**dict(node), "ssh": hosts[node.name]} for node in lab.nodes if node.name in hosts]
    images = [image.model_dump(exclude_none=True) for image in lab.images]
    for image in images:
        if "path" in image:  # must not depend on the current directory
            image["path"] = str(paths.directory / image["path"])
    return environment.get_template("hosts.ini.j2").render(lab=lab, paths=paths, nodes=nodes, images=json.dumps(images))


def write(lab: Lab, paths: LabPaths, hosts: Mapping[str, SshHost]) -> bool:
    """Write hosts.ini, and how labctl itself reaches the nodes. Returns whether hosts.ini changed."""
    text = render(lab, paths, hosts)
    write_json(paths.ssh_hosts, {name: asdict(host) for name, host in hosts.items()})
    return write_if_changed(paths.hosts_ini, text, mode=0o644)


def quoted(value: str | Path) -> str:
    """A text that Ansible takes literally.

    Its INI reader splits at spaces and reads 2025.1 as a number. Values of an inventory are templates, which run
    programs. So a text that looks like one is written in Base64, for neither quotes nor backslashes can be escaped in
    all places through which it goes.
    """
    text = str(value)
    if any(mark in text for mark in ("{{", "{%", "{#")):
        text = f"{{{{ '{base64.b64encode(text.encode()).decode()}' | b64decode }}}}"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

"""Instances: a demonstration, the console of a server, and why a server is not up."""

import contextlib
import json
import os
import sys
import webbrowser
from dataclasses import dataclass
from typing import Any

from labctl.errors import BadInput, LabError
from labctl.lab import secrets as lab_secrets
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.lifecycle.context import LabContext
from labctl.ui import text


@dataclass(frozen=True)
class Server:
    """A server as Nova lists it."""

    id: str
    name: str
    status: str


def preflight(lab: Lab, paths: LabPaths) -> None:
    """Raise BadInput if the lab has no network for instances, LabError if it does not exist."""
    if lab.networking == "none":
        raise BadInput(
            f"Instances need a network, and {paths.lab_yaml} says networking: none; nothing was changed",
            "Write networking: neutron, then `labctl destroy` and `labctl up`.",
        )
    for path in (paths.hosts_ini, paths.clouds_yaml):
        if not path.is_file():
            raise LabError(f"There is no lab in {paths.directory} yet: {path} is missing", "Run `labctl up`.")


def demo(context: LabContext) -> dict[str, Any]:
    """Boot a server on each compute, all of which reach each other; the result is that of playbooks/demo.yaml.

    Raises PlaybookFailed with the reason if a server does not come up.
    """
    paths = context.paths
    lab_secrets.ensure_ssh_key(paths)  # virtual machines have their own keys, so it may not exist
    paths.demo.unlink(missing_ok=True)
    context.play("playbooks/demo.yaml", "Demonstration")
    return dict(json.loads(paths.demo.read_text(encoding="utf-8")))


def delete(context: LabContext) -> None:
    """Remove the demonstration. Raises PlaybookFailed if anything of an instance is left anywhere."""
    context.play("playbooks/demo_delete.yaml", "Demonstration removed")
    context.paths.demo.unlink(missing_ok=True)


def explain(server: Server, context: LabContext) -> dict[str, Any]:
    """Why a server is not up, with the keys server, up, causes, evidence, remedy and text."""
    result = context.paths.explanation
    result.unlink(missing_ok=True)
    context.play("playbooks/explain.yaml", "Explanation", {"explain_servers": [server.id]})
    return dict(json.loads(result.read_text(encoding="utf-8"))[0])


class Cloud:
    """The lab's Nova through the SDK, as its administrator. Raises LabError with its message if it does not answer."""

    def __init__(self, lab: Lab, paths: LabPaths) -> None:
        from openstack.config import OpenStackConfig
        from openstack.connection import Connection

        def connect() -> Any:  # noqa: ANN401 (the SDK has no types)
            region = OpenStackConfig(config_files=[str(paths.clouds_yaml)], load_envvars=False).get_one(cloud=lab.name)
            return Connection(config=region).compute

        self._compute = self._ask(connect)  # which asks Keystone

    def find(self, wanted: str) -> Server:
        """The server with this id or name, in any project. Raises BadInput with the names of all servers."""
        servers = self._list()
        found = [server for server in servers if wanted in (server.id, server.name)]
        if not found:
            names = ", ".join(sorted(server.name for server in servers))
            raise BadInput(f"There is no server {wanted!r}", f"Servers: {names or 'none; `labctl demo` makes some'}")
        if len(found) > 1:
            ids = ", ".join(server.id for server in found)
            raise BadInput(f"{len(found)} servers are named {wanted!r}", f"Give the id of one: {ids}")
        return found[0]

    def on(self, host: str) -> list[Server]:
        """The servers on a compute, in all projects, running or not."""
        return self._list(compute_host=host)

    def _list(self, **filters: str) -> list[Server]:
        listed = self._ask(lambda: list(self._compute.servers(all_projects=True, **filters)))
        return [Server(server.id, server.name, server.status) for server in listed]

    def console_url(self, server: Server) -> str:
        """The URL of the server's screen, which works as long as Nova's token is valid (10 minutes)."""
        kind = {"protocol": "vnc", "type": "novnc"}
        return str(self._ask(lambda: self._compute.create_server_remote_console(server.id, **kind), server).url)

    def console_log(self, server: Server, lines: int | None) -> str:
        """The output of the guest on its serial console, the last lines or all that Nova keeps."""
        output = self._ask(lambda: self._compute.get_server_console_output(server.id, length=lines), server)
        return str(output["output"] or "")

    def _ask(self, question: Any, server: Server | None = None) -> Any:  # noqa: ANN401 (the SDK has no types)
        from keystoneauth1.exceptions import ClientException
        from openstack.exceptions import SDKException

        try:
            return question()
        except (SDKException, ClientException) as error:
            if server is None:
                raise LabError(f"Nova does not answer: {error}", "`labctl verify` says more.") from error
            problem = f"Nova gives no console of {server.name}, status {server.status}: {error}"
            raise LabError(problem, f"`labctl explain {server.name}` says why.") from error


def open_browser(url: str) -> bool:
    """Open a URL if there is a display. Returns whether a browser opened it."""
    display = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    with contextlib.suppress(webbrowser.Error):
        return bool(display) and webbrowser.open(url)
    return False


def table(servers: list[dict[str, Any]]) -> str:
    """Servers as an aligned table."""
    rows = [("Server", "Host", "Address", "Console")]
    rows += [(row["name"], row["host"], ", ".join(row["addresses"]), row["console"]) for row in servers]
    return text.table(rows)

"""Instances for people: a demonstration, the console of a server, and why one is not up."""

import json
import os
import sys
import webbrowser
from dataclasses import dataclass
from typing import Any

from labctl.ansible import playbook
from labctl.errors import BadInput, LabError
from labctl.lab import secrets as lab_secrets
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.ui import text
from labctl.ui.progress import Progress


@dataclass(frozen=True)
class Server:
    """A server as Nova lists it."""

    id: str
    name: str
    status: str


def preflight(lab: Lab, paths: LabPaths) -> None:
    """Refuse what a lab cannot do. Raises BadInput when it has no network, LabError when it is not there."""
    if lab.networking == "none":
        raise BadInput(
            f"Instances need a network, and {paths.lab_yaml} says networking: none; nothing was changed",
            "Write networking: neutron, then `labctl destroy` and `labctl up`.",
        )
    for path in (paths.hosts_ini, paths.clouds_yaml):
        if not path.is_file():
            raise LabError(f"There is no lab in {paths.directory} yet: {path} is missing", "Run `labctl up`.")


def demo(paths: LabPaths, progress: Progress) -> dict[str, Any]:
    """A server on each compute that all reach each other, as playbooks/demo.yaml tells of them.

    Raises PlaybookFailed with the reason when a server does not come up.
    """
    lab_secrets.ensure_ssh_key(paths)  # virtual machines have their own keys, so it may not be there
    paths.demo.unlink(missing_ok=True)
    _run("demo.yaml", paths, progress, "Demonstration")
    return dict(_result(paths.demo))


def delete(paths: LabPaths, progress: Progress) -> None:
    """Remove the demonstration. Raises PlaybookFailed when something of an instance is left anywhere."""
    _run("demo_delete.yaml", paths, progress, "Demonstration removed")
    paths.demo.unlink(missing_ok=True)


def explain(server: Server, paths: LabPaths, progress: Progress) -> dict[str, Any]:
    """Why a server is not up, with the keys server, up, causes, evidence, remedy and text."""
    paths.explanation.unlink(missing_ok=True)
    _run("explain.yaml", paths, progress, "Explanation", {"explain_servers": [server.id]})
    return dict(_result(paths.explanation)[0])


def _run(
    name: str, paths: LabPaths, progress: Progress, title: str, extra_vars: dict[str, object] | None = None
) -> playbook.PlaybookResult:
    return playbook.run(
        f"playbooks/{name}",
        paths=paths,
        inventory=paths.hosts_ini,
        progress=progress,
        title=title,
        extra_vars=extra_vars,
    )


def _result(path: Any) -> Any:  # noqa: ANN401 (JSON)
    return json.loads(path.read_text(encoding="utf-8"))


class Cloud:
    """The lab's Nova by the SDK, as its administrator. Raises LabError with what it says when it does not answer."""

    def __init__(self, lab: Lab, paths: LabPaths) -> None:
        from openstack.config import OpenStackConfig
        from openstack.connection import Connection

        def connect() -> Any:  # noqa: ANN401 (the SDK has no types)
            region = OpenStackConfig(config_files=[str(paths.clouds_yaml)], load_envvars=False).get_one(cloud=lab.name)
            return Connection(config=region).compute

        self._compute = self._ask(connect)  # the first word of Keystone

    def find(self, wanted: str) -> Server:
        """The server of an id or a name, in any project. Raises BadInput with the names that there are."""
        listed = self._ask(lambda: list(self._compute.servers(all_projects=True)))
        servers = [Server(server.id, server.name, server.status) for server in listed]
        found = [server for server in servers if wanted in (server.id, server.name)]
        if not found:
            names = ", ".join(sorted(server.name for server in servers))
            raise BadInput(f"There is no server {wanted!r}", f"Servers: {names or 'none; `labctl demo` makes some'}")
        if len(found) > 1:
            ids = ", ".join(server.id for server in found)
            raise BadInput(f"{len(found)} servers are named {wanted!r}", f"Say which by its id: {ids}")
        return found[0]

    def on(self, host: str) -> list[Server]:
        """The servers on a compute, in all projects, running or not."""
        listed = self._ask(lambda: list(self._compute.servers(all_projects=True, compute_host=host)))
        return [Server(server.id, server.name, server.status) for server in listed]

    def console_url(self, server: Server) -> str:
        """Where a browser shows the server's screen, for as long as Nova's token is valid (10 minutes)."""
        console = self._ask(
            lambda: self._compute.create_server_remote_console(server.id, protocol="vnc", type="novnc"), server
        )
        return str(console.url)

    def console_log(self, server: Server, lines: int | None) -> str:
        """What the guest has said on its serial console, the last lines or all that Nova keeps."""
        output = self._ask(lambda: self._compute.get_server_console_output(server.id, length=lines), server)
        return str(output["output"] or "")

    def _ask(self, question: Any, server: Server | None = None) -> Any:  # noqa: ANN401 (the SDK has no types)
        from keystoneauth1.exceptions import ClientException
        from openstack.exceptions import SDKException

        try:
            return question()
        except (SDKException, ClientException) as error:
            remedy = f"`labctl explain {server.name}` says why." if server else "`labctl verify` says more."
            where = (
                f"Nova gives no console of {server.name}, status {server.status}" if server else "Nova does not answer"
            )
            raise LabError(f"{where}: {error}", remedy) from error


def open_browser(url: str) -> bool:
    """Open a URL where there is a display; whether a browser took it."""
    display = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not display:
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False


def table(servers: list[dict[str, Any]]) -> str:
    """Servers as rows for people, as wide as their words."""
    rows = [("Server", "Host", "Address", "Console")]
    rows += [(row["name"], row["host"], ", ".join(row["addresses"]), row["console"]) for row in servers]
    return text.table(rows)

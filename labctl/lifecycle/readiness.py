"""Wait until the services of a lab have reported: what Nova's list shows from before does not count."""

from collections.abc import Mapping, Sequence
from typing import Any

from labctl.ansible import services
from labctl.errors import LabError
from labctl.lifecycle.context import LabContext
from labctl.remote.nodes import ask

_TIMEOUT = 120  # seconds, for the conductor and again for everything else; a busy machine takes half of it


def wait_for_conductor(context: LabContext) -> None:
    """Wait until the conductor answers computes. Raises LabError after two minutes.

    What a compute asks before that is not answered, and it asks again after half a minute only.
    """
    _ask(context, {}, None, "The conductor does not start")


def wait_for_all(context: LabContext, since: float | None) -> None:
    """Wait until each service of Nova, and each of OVN's controllers, has reported since then.

    since is in seconds since the epoch, by the nodes' clock; None stands for now. Raises LabError with those that are
    missing after two minutes.
    """
    _ask(context, services.reporting(context.lab), since, "Not every service has reported since the restore")


def _ask(context: LabContext, services: Mapping[str, Sequence[str]], since: float | None, problem: str) -> None:
    lab = context.lab
    arguments: dict[str, Any] = {
        "services": dict(services),
        "since": since,
        "timeout": _TIMEOUT,
        "network": lab.networking == "neutron",
    }
    name = lab.controller.name
    answer = ask(lab, context.paths, [lab.controller], "reports", lambda _: arguments, timeout=_TIMEOUT + 30)[name]
    if not answer.ok:
        raise LabError(f"{problem}: {answer.problem}", "`labctl verify` says more; the nodes' journals say why.")

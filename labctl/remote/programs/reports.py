"""On the controller: wait for the conductor, and for reports of all services that are newer than a moment.

Prints nothing, and ends with status 1 and the names of what is missing if the time is up. Nothing is changed.
"""

import subprocess
import sys
import time
from typing import Any

POLL_SECONDS = 0.25
# Nova writes updated_at with each report, in UTC and whole seconds. The database is asked because it answers at once.
ROWS = (
    "SELECT `binary`, host, TIMESTAMPDIFF(SECOND, '1970-01-01', updated_at) FROM services"
    " WHERE deleted = 0 AND updated_at IS NOT NULL"
)


def said(*command: str) -> str:
    """The output of a command; a failure is ignored, because the services may still be starting."""
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False).stdout


def conductor_listens() -> bool:
    """Whether nova-conductor is connected to RabbitMQ, which it is when it takes part in RPC and not before."""
    return '"nova-conductor"' in said("ss", "-Htnp", "state", "established", "dport", "=", ":5672")


def reported(since: float) -> set[tuple[str, str]]:
    """The services, with their hosts, that have reported at that time or later."""
    rows = (line.split("\t") for line in said("mariadb", "-N", "nova", "-e", ROWS).splitlines())
    return {(binary, host) for binary, host, stamp in rows if float(stamp) >= since}


def main(arguments: dict[str, Any]) -> None:
    """timeout is in seconds. services has the names that must report by host, since in seconds since the epoch.

    Without services, the conductor alone is waited for. network says whether OVN's controllers must have answered.
    """
    end = time.monotonic() + arguments["timeout"]
    wanted = {(name, host) for host, names in arguments["services"].items() for name in names}
    since = int(time.time() if arguments["since"] is None else arguments["since"])
    while True:
        missing = sorted(wanted - reported(since)) if wanted else []
        if not missing and (wanted or conductor_listens()):
            break
        if time.monotonic() > end:
            sys.exit("; ".join(f"{name} on {host} has not reported" for name, host in missing) or "no conductor")
        time.sleep(POLL_SECONDS)
    if wanted and arguments["network"]:
        left = max(5, int(end - time.monotonic()))
        sync = ["ovn-nbctl", f"--timeout={left}", "--wait=hv", "sync"]
        done = subprocess.run(sync, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            sys.exit(f"not all of OVN's controllers have answered: {done.stderr.strip()}")

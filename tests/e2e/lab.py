"""A real lab for tests, in a directory, with a name and a network of its own."""

import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent
# Always the same place and name, so that what a killed run has left behind is found and removed.
DIRECTORY = Path("/var/tmp/novalab-e2e")
NAME = "e2e"
NETWORK = "10.213.56.0/24"
FOUR_ROWS = {
    ("nova-scheduler", "controller"),
    ("nova-conductor", "controller"),
    ("nova-compute", "compute1"),
    ("nova-compute", "compute2"),
}


@dataclass
class LiveLab:
    """The lab under test; every method raises CalledProcessError with the output when a command fails."""

    directory: Path = DIRECTORY
    description: dict[str, Any] = field(default_factory=lambda: {"name": NAME, "network": NETWORK})

    def prepare(self) -> None:
        """Remove what an earlier run has left, and write lab.yaml."""
        self.directory.mkdir(exist_ok=True)
        self.describe(**self.description)
        self.labctl("destroy")
        shutil.rmtree(self.directory / ".labctl", ignore_errors=True)

    def describe(self, **values: Any) -> None:  # noqa: ANN401 (lab.yaml holds many kinds)
        """Write lab.yaml; JSON is YAML."""
        self.description = values
        (self.directory / "lab.yaml").write_text(json.dumps(values), encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """What somebody has set who works by hand with this lab from the checkout."""
        return {
            **os.environ,
            "PATH": f"{SCRIPTS}:{os.environ['PATH']}",
            "LABCTL_DIR": str(self.directory),
            "VAGRANT_DOTFILE_PATH": str(self.directory / ".vagrant"),
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *command: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout."""
        done = subprocess.run(
            command, cwd=CHECKOUT, env=self.environment, input=stdin, capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
            )
        return done

    def labctl(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a verb of labctl."""
        return self.run(str(SCRIPTS / "labctl"), *arguments, check=check)

    def up(self) -> dict[str, Any]:
        """`labctl up --json`, and what it printed."""
        document: dict[str, Any] = json.loads(self.labctl("up", "--json").stdout)
        return document

    def playbook(self) -> dict[str, dict[str, int]]:
        """`ansible-playbook -i hosts.ini site.yaml`, and the counts of its recap by node."""
        hosts = str(self.directory / "hosts.ini")
        output = self.run(str(SCRIPTS / "ansible-playbook"), "-i", hosts, "site.yaml").stdout
        recap = output.partition("PLAY RECAP")[2]
        return {
            line.split()[0]: {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line)}
            for line in recap.splitlines()
            if "ok=" in line
        }

    def on(self, node: str, command: str, *, stdin: str = "") -> str:
        """Run a command as root on a node."""
        done = self.run(str(SCRIPTS / "labctl"), "ssh", node, "--", f"sudo sh -c {_quote(command)}", stdin=stdin)
        return done.stdout

    def rows(self) -> set[tuple[str, str]]:
        """The services that are enabled and up, as the installed client on the controller says."""
        text = self.run(
            *("vagrant", "ssh", "controller", "-c"),
            "source admin-openrc && openstack compute service list -f json",
        ).stdout
        return {
            (row["Binary"], row["Host"])
            for row in json.loads(text)
            if (row["Status"], row["State"]) == ("enabled", "up")
        }

    def up_until(self, pattern: str, *options: str) -> str:
        """Start `labctl up`, kill its process group when a line of its output matches, and return the output."""
        output = ""
        with subprocess.Popen(
            [str(SCRIPTS / "labctl"), "up", *options],
            cwd=CHECKOUT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                output += line
                if re.search(pattern, line):
                    os.killpg(process.pid, signal.SIGKILL)
                    break
        return output

    @property
    def controller(self) -> str:
        """The controller's address."""
        return str(ipaddress.IPv4Network(self.description["network"])[11])

    def address(self, node: str) -> str:
        """A node's address."""
        nodes = json.loads(self.labctl("describe", "--json").stdout)["nodes"]
        return next(str(item["address"]) for item in nodes if item["name"] == node)

    def container(self, node: str) -> str:
        """The name of a node's container."""
        return f"novalab-{self.description['name']}-{node}"

    def engine(self, *arguments: str) -> str:
        """Run the container engine's command line as labctl does."""
        settings = json.loads(self.labctl("describe", "--json").stdout)["environment"]
        return subprocess.run(
            [str(self.directory / ".labctl" / "bin" / "docker"), *arguments],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    @property
    def secrets(self) -> dict[str, str]:
        """Every password of the lab, by name."""
        text = (self.directory / ".labctl" / "secrets.json").read_text(encoding="utf-8")
        return dict(json.loads(text))


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"

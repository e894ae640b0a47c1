"""Where things lie: the files of a lab, and the files that labctl brings along."""

import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import LabError

COLLECTION = Path("ansible_collections/novalab/openstack")


@dataclass(frozen=True)
class LabPaths:
    """The files of one lab. A lab is a directory; everything but lab.yaml is made, and removed, by labctl."""

    directory: Path

    def __post_init__(self) -> None:
        # Vagrant, the inventory and the labels of containers name the directory: it must have one spelling only.
        object.__setattr__(self, "directory", self.directory.expanduser().resolve())

    @property
    def lab_yaml(self) -> Path:
        """The description of the lab; may be missing."""
        return self.directory / "lab.yaml"

    @property
    def state(self) -> Path:
        """What labctl keeps for this lab; readable by its owner only."""
        return self.directory / ".labctl"

    @property
    def secrets(self) -> Path:
        """Every password of the lab, as JSON."""
        return self.state / "secrets.json"

    @property
    def ssh_key(self) -> Path:
        """The private key for all nodes that are containers; the public one has the suffix .pub."""
        return self.state / "ssh" / "id_ed25519"

    @property
    def ssh_public_key(self) -> Path:
        """The public half of ssh_key."""
        return self.state / "ssh" / "id_ed25519.pub"

    @property
    def logs(self) -> Path:
        """One file for each run that changes something."""
        return self.state / "logs"

    @property
    def software(self) -> Path:
        """What of lab.yaml is on the nodes, as JSON; there when the last `labctl up` has come to its end."""
        return self.state / "software.json"

    @property
    def whole(self) -> Path:
        """What the last whole run of site.yaml depended on, as digests in JSON; there when nothing was done since."""
        return self.state / "whole.json"

    @property
    def made(self) -> Path:
        """What the nodes were made as, as JSON; there from the first thing that is made to `labctl destroy`."""
        return self.state / "made.json"

    @property
    def checks(self) -> Path:
        """What the last verification compared, as JSON."""
        return self.state / "verify.json"

    @property
    def demo(self) -> Path:
        """The servers of the demonstration, as JSON."""
        return self.state / "demo.json"

    @property
    def explanation(self) -> Path:
        """Why a server is not up, as JSON; the last that was asked."""
        return self.state / "explain.json"

    @property
    def snapshots(self) -> Path:
        """A directory for each snapshot of the lab."""
        return self.state / "snapshots"

    @property
    def node_images(self) -> Path:
        """The images of nodes that do not start from those with packages only, as JSON."""
        return self.state / "node-images.json"

    @property
    def extra_vars(self) -> Path:
        """The variables that labctl gives to the playbook that runs, as YAML."""
        return self.state / "extra-vars.yml"

    @property
    def runner(self) -> Path:
        """The private data directory of ansible-runner."""
        return self.state / "runner"

    @property
    def bin(self) -> Path:
        """Programs that Vagrant must find first."""
        return self.state / "bin"

    @property
    def containers_conf(self) -> Path:
        """Settings that Podman needs on this machine."""
        return self.state / "containers.conf"

    @property
    def lock(self) -> Path:
        """Held by the labctl that works on this lab."""
        return self.state / "lock"

    @property
    def ssh_hosts(self) -> Path:
        """How to reach the nodes, for labctl itself."""
        return self.state / "ssh-hosts.json"

    @property
    def vagrant_nodes(self) -> Path:
        """The lab as the Vagrantfile needs it, while labctl calls Vagrant."""
        return self.state / "vagrant-nodes.json"

    @property
    def overrides(self) -> Path:
        """The user's own options for services; may be missing."""
        return self.directory / "overrides"

    @property
    def hosts_ini(self) -> Path:
        """The inventory for Ansible."""
        return self.directory / "hosts.ini"

    @property
    def clouds_yaml(self) -> Path:
        """The clouds of this lab for OpenStack clients on the host."""
        return self.directory / "clouds.yaml"

    @property
    def dotfile(self) -> Path:
        """Where Vagrant keeps its state."""
        return self.directory / ".vagrant"

    def make_state(self) -> None:
        """Make the state directory, closed to everybody else. Raises LabError when the directory cannot be written."""
        try:
            self.state.mkdir(mode=0o700, exist_ok=True)
            self.state.chmod(0o700)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LabError(
                f"{self.state} cannot be made: {error.strerror}",
                "Choose a directory of your own for the lab: labctl -C DIRECTORY ...",
            ) from error


def assets() -> Path:
    """The root of the collection novalab.openstack: Vagrantfile, site.yaml, roles, plugins, playbooks.

    This is the checkout when labctl runs from one, else the place where the wheel puts it.
    Raises LabError when it is in neither.
    """
    checkout = Path(__file__).resolve().parents[2]
    installed = Path(sysconfig.get_path("purelib"), COLLECTION)
    for root in (checkout, installed):
        if (root / "galaxy.yml").is_file():
            return root
    raise LabError(
        f"The playbooks of novalab are neither in {checkout} nor in {installed}",
        "Install novalab again.",
    )


def lab_directory(option: Path | None) -> Path:
    """The lab's directory: what -C said, else LABCTL_DIR, else the current directory."""
    if option is not None:
        return option
    return Path(os.environ.get("LABCTL_DIR") or Path.cwd())

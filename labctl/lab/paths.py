"""The files of a lab, and the files that come with labctl."""

import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from labctl.errors import LabError

COLLECTION = Path("ansible_collections/novalab/openstack")


class _In:
    """A file of a lab, named by its path in the lab's directory."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, paths: "LabPaths", _: type) -> Path:
        return paths.directory / self._name


@dataclass(frozen=True)
class LabPaths:
    """The files of one lab. A lab is a directory; labctl creates and removes everything in it but the user's files."""

    directory: Path

    # The user's.
    lab_yaml = _In("lab.yaml")  # the description of the lab; may be missing
    overrides = _In("overrides")  # options for services, see labctl.lab.overrides; may be missing

    # For Ansible, OpenStack clients and Vagrant.
    hosts_ini = _In("hosts.ini")  # the inventory
    clouds_yaml = _In("clouds.yaml")  # the lab's clouds, for OpenStack clients on the host
    dotfile = _In(".vagrant")  # Vagrant's own state

    # For labctl only, and readable by their owner only.
    state = _In(".labctl")
    bin = _In(".labctl/bin")  # programs that Vagrant must find first
    checks = _In(".labctl/verify.json")  # what the last verification compared
    containers_conf = _In(".labctl/containers.conf")  # settings that Podman needs on this machine
    demo = _In(".labctl/demo.json")  # the servers of the demonstration
    explanation = _In(".labctl/explain.json")  # the last answer of `labctl explain`
    extra_vars = _In(".labctl/extra-vars.yml")  # the variables for the playbook that runs
    lock = _In(".labctl/lock")  # held by the labctl that works on this lab
    logs = _In(".labctl/logs")  # a file for each run that changes something
    made = _In(".labctl/made.json")  # what the nodes were created as; from the first of them to `labctl destroy`
    node_images = _In(".labctl/node-images.json")  # the images of nodes that start from others than those with packages
    runner = _In(".labctl/runner")  # the private data directory of ansible-runner
    secrets = _In(".labctl/secrets.json")  # every password of the lab
    snapshots = _In(".labctl/snapshots")  # a directory for each snapshot of the lab
    software = _In(".labctl/software.json")  # what of lab.yaml is on the nodes; missing if `labctl up` did not finish
    ssh_hosts = _In(".labctl/ssh-hosts.json")  # how to reach the nodes
    ssh_key = _In(".labctl/ssh/id_ed25519")  # the private key for nodes that are containers
    ssh_public_key = _In(".labctl/ssh/id_ed25519.pub")
    vagrant_nodes = _In(".labctl/vagrant-nodes.json")  # the lab for the Vagrantfile, while labctl calls Vagrant
    whole = _In(".labctl/whole.json")  # digests of what the last full run of site.yaml depended on; see fingerprint

    def __post_init__(self) -> None:
        # Vagrant, the inventory and the labels of containers name the directory: it must have one spelling only.
        object.__setattr__(self, "directory", self.directory.expanduser().resolve())

    def make_state(self) -> None:
        """Create the state directory, readable by its owner only. Raises LabError when that is not possible."""
        try:
            self.state.mkdir(mode=0o700, exist_ok=True)
            self.state.chmod(0o700)
            self.logs.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise LabError(
                f"{self.state} cannot be created: {error.strerror}",
                "Choose a directory that you may write to: labctl -C DIRECTORY ...",
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
    raise LabError(f"novalab's playbooks are neither in {checkout} nor in {installed}", "Install novalab again.")


def lab_directory(option: Path | None) -> Path:
    """The lab's directory: what -C said, else LABCTL_DIR, else the current directory."""
    return option or Path(os.environ.get("LABCTL_DIR") or Path.cwd())

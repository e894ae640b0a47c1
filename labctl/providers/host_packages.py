"""The programs that a provider needs on this machine, installed where apt is, else named."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from labctl.errors import LabError
from labctl.lab.model import Lab
from labctl.providers import engine
from labctl.providers.base import HostRequirement
from labctl.ui.progress import Progress, Step

_PODMAN_HELPERS = Path("/usr/lib/podman"), Path("/usr/libexec/podman"), Path("/usr/local/libexec/podman")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_APT_OPTIONS = ("-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0")


def for_machines(lab: Lab) -> list[HostRequirement]:
    """What virtual machines of the lab's provider need. Raises KeyError for a provider that has no entry here."""
    return [*_everywhere(), *_FOR_MACHINES[lab.provider]()]


def _for_libvirt() -> list[HostRequirement]:
    plugin = Path("/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json").exists() or any(
        Path.home().glob(".vagrant.d/gems/*/gems/vagrant-libvirt-*")
    )
    return [
        HostRequirement("the Vagrant plugin vagrant-libvirt", "vagrant-libvirt", plugin),
        _program("virsh", "libvirt-clients"),
        _program("libvirtd", "libvirt-daemon-system"),
        _program("qemu-system-x86_64", "qemu-system-x86"),
    ]


_FOR_MACHINES: dict[str, Callable[[], list[HostRequirement]]] = {
    "libvirt": _for_libvirt,
    "virtualbox": lambda: [_program("VBoxManage", "virtualbox")],
}


def _everywhere() -> list[HostRequirement]:
    return [_program("vagrant", "vagrant"), _program("ssh", "openssh-client")]


def ensure(requirements: Callable[[], list[HostRequirement]], progress: Progress) -> bool:
    """Install what is missing. Returns whether anything was. Raises LabError with what to install by hand."""
    missing = [need for need in requirements() if not need.there]
    if not missing:
        return False
    packages = sorted({need.package for need in missing})
    if shutil.which("apt-get") is None:
        raise LabError(
            f"This machine lacks {', '.join(need.program for need in missing)}, and has no apt to install them with",
            f"Install them (in Debian the packages are {' '.join(packages)}), then repeat.",
        )
    if not engine.may_be_root():
        raise LabError(
            f"These packages are missing, and sudo is not there or asks for a password: {' '.join(packages)}",
            f"Run as root: apt-get install --no-install-recommends {' '.join(packages)}",
        )
    with progress.step("Host packages") as step:
        step.note(" ".join(packages))
        # An installation that was killed has left packages unpacked and not set up.
        _apt(["dpkg", "--configure", "-a"], step)
        _apt(["apt-get", *_APT_OPTIONS, "update"], step)
        _apt(["apt-get", *_APT_OPTIONS, "install", "-y", "--no-install-recommends", *packages], step)
    still = [need.program for need in requirements() if not need.there]
    if still:
        raise LabError(f"Still missing after the installation: {', '.join(still)}", "Look at the log.")
    return True


def _program(program: str, package: str) -> HostRequirement:
    # sbin is not in every user's PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return HostRequirement(program, package, shutil.which(program, path=path) is not None)


def for_containers(lab: Lab) -> list[HostRequirement]:
    """Podman with what it leaves to recommendations, unless Docker Engine is wanted; and what builds images."""
    wanted = [*_everywhere(), _program("ip", "iproute2")]
    # Without it the node image is built on Debian's own, see images/Containerfile.
    if shutil.which("apt-get"):
        wanted.append(_program("mmdebstrap", "mmdebstrap"))
        wanted.append(HostRequirement("Debian's keys", "debian-archive-keyring", _KEYRING.exists()))
    if lab.engine == "docker" or (lab.engine == "auto" and shutil.which("podman") is None and _docker_works()):
        return wanted
    helpers = {
        name: any((folder / name).exists() for folder in _PODMAN_HELPERS) for name in ("netavark", "aardvark-dns")
    }
    return [
        *wanted,
        _program("podman", "podman"),
        _program(engine.needed_runtime(), engine.needed_runtime()),
        # netavark calls iptables and does not say so to apt.
        _program("iptables", "iptables"),
        *(HostRequirement(name, name, there) for name, there in helpers.items()),
    ]


def _docker_works() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], check=False, capture_output=True).returncode == 0


def _apt(command: list[str], step: Step) -> None:
    """Run one command of the package manager; its output goes to the log."""
    prefix = [*engine.as_root(), "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]
    with subprocess.Popen(
        [*prefix, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 (it is a pipe)
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip())
            step.detail(line.rstrip())
    if process.returncode != 0:
        errors = [line for line in lines if line.startswith(("E:", "dpkg:"))] or lines[-5:]
        raise LabError(f"`{' '.join(command)}` ended with status {process.returncode}:\n" + "\n".join(errors))

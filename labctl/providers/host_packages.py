"""The programs that a provider needs on this machine: installed with apt, or named if there is no apt."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from labctl.errors import LabError
from labctl.lab.model import Lab
from labctl.providers import engine
from labctl.providers.base import HostRequirement
from labctl.ui.progress import Progress, Step

_PODMAN_HELPERS = Path("/usr/lib/podman"), Path("/usr/libexec/podman"), Path("/usr/local/libexec/podman")
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_APT_OPTIONS = ("-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0")


# The programs and their Debian packages: for every provider, and for virtual machines.
_ALWAYS = {"vagrant": "vagrant", "ssh": "openssh-client"}
_MACHINES = {
    "libvirt": {
        "virsh": "libvirt-clients",
        "libvirtd": "libvirt-daemon-system",
        "qemu-system-x86_64": "qemu-system-x86",
    },
    "virtualbox": {"VBoxManage": "virtualbox"},
}


def for_machines(lab: Lab) -> list[HostRequirement]:
    """What virtual machines of the lab's provider need. Raises KeyError for a provider that has no entry here."""
    wanted = _programs(_ALWAYS | _MACHINES[lab.provider])
    if lab.provider == "libvirt":
        packaged = Path("/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json").exists()
        there = packaged or any(Path.home().glob(".vagrant.d/gems/*/gems/vagrant-libvirt-*"))
        wanted.append(HostRequirement("the Vagrant plugin vagrant-libvirt", "vagrant-libvirt", there))
    return wanted


def for_containers(lab: Lab) -> list[HostRequirement]:
    """What builds images and, unless Docker Engine is used, Podman with the packages that it only recommends."""
    wanted = _programs(_ALWAYS | {"ip": "iproute2"})
    # Without apt the node image is built on Debian's own, see images/Containerfile.
    if shutil.which("apt-get"):
        wanted += _programs({"mmdebstrap": "mmdebstrap"})
        wanted.append(HostRequirement("Debian's keys", "debian-archive-keyring", _KEYRING.exists()))
    if lab.engine == "docker" or (lab.engine == "auto" and shutil.which("podman") is None and _docker_works()):
        return wanted
    runtime = engine.needed_runtime()
    # netavark calls iptables, but its package does not depend on it.
    wanted += _programs({"podman": "podman", runtime: runtime, "iptables": "iptables"})
    for name in ("netavark", "aardvark-dns"):
        wanted.append(HostRequirement(name, name, any((folder / name).exists() for folder in _PODMAN_HELPERS)))
    return wanted


def _programs(packages: Mapping[str, str]) -> list[HostRequirement]:
    # sbin is not in every user's PATH.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    return [HostRequirement(name, package, bool(shutil.which(name, path=path))) for name, package in packages.items()]


def _docker_works() -> bool:
    return (
        shutil.which("docker") is not None
        and subprocess.run(["docker", "info"], check=False, capture_output=True).returncode == 0
    )


def ensure(requirements: Callable[[], list[HostRequirement]], progress: Progress) -> bool:
    """Install what is missing. Returns whether anything was missing. Raises LabError with what to install by hand."""
    missing = [need for need in requirements() if not need.there]
    if not missing:
        return False
    packages = sorted({need.package for need in missing})
    if shutil.which("apt-get") is None:
        raise LabError(
            f"This machine lacks {', '.join(need.program for need in missing)}, and has no apt to install them with",
            f"Install them (in Debian the packages are {' '.join(packages)}), then run the command again.",
        )
    if not engine.may_be_root():
        raise LabError(
            f"These packages are missing, and sudo is missing or asks for a password: {' '.join(packages)}",
            f"Run as root: apt-get install --no-install-recommends {' '.join(packages)}",
        )
    with progress.step("Host packages") as step:
        step.note(" ".join(packages))
        # An installation that was killed leaves packages unpacked but not configured.
        _apt(["dpkg", "--configure", "-a"], step)
        _apt(["apt-get", *_APT_OPTIONS, "update"], step)
        _apt(["apt-get", *_APT_OPTIONS, "install", "-y", "--no-install-recommends", *packages], step)
    if still := [need.program for need in requirements() if not need.there]:
        raise LabError(f"Still missing after the installation: {', '.join(still)}", "See the log.")
    return True


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

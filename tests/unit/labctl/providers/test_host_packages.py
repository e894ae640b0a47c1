"""Which programs a provider needs, and which packages bring them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.errors import LabError
from labctl.lab.paths import LabPaths
from labctl.providers import engine, host_packages
from labctl.providers.select import provider_of
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.providers.base import HostRequirement

ALWAYS = {"vagrant", "openssh-client"}
BUILD = {"iproute2", "mmdebstrap", "debian-archive-keyring"}
PODMAN = {"podman", "crun", "iptables", "netavark", "aardvark-dns"}
LIBVIRT = {"vagrant-libvirt", "libvirt-clients", "libvirt-daemon-system", "qemu-system-x86"}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """A bare Linux with the given programs; docker says whether Docker Engine answers."""

    def make(*programs: str, docker: bool = False, unified: bool = True) -> None:
        def which(program: str, mode: int = 0, path: str | None = None) -> str | None:
            return f"/usr/bin/{program}" if program in programs else None

        monkeypatch.setattr(shutil, "which", which)
        monkeypatch.setattr(host_packages, "_docker_works", lambda: docker)
        monkeypatch.setattr(host_packages, "_PODMAN_HELPERS", (tmp_path,))
        monkeypatch.setattr(host_packages, "_KEYRING", tmp_path / "keyring.gpg")
        monkeypatch.setattr(engine, "_unified_cgroups", lambda: unified)
        monkeypatch.setattr("sys.platform", "linux")

    return make


def requirements(lab: Lab) -> list[HostRequirement]:
    return provider_of(lab, LabPaths(Path("/nonexistent"))).requirements()


def packages(lab: Lab) -> set[str]:
    return {need.package for need in requirements(lab)}


@pytest.mark.parametrize(
    ("keys", "programs", "docker", "unified", "expected"),
    [
        ({}, (), False, True, ALWAYS | BUILD | PODMAN),
        ({}, (), False, False, ALWAYS | BUILD | PODMAN - {"crun"} | {"runc"}),
        ({}, ("docker",), True, True, ALWAYS | BUILD),
        ({}, ("docker",), False, True, ALWAYS | BUILD | PODMAN),
        ({}, ("podman", "docker"), True, True, ALWAYS | BUILD | PODMAN),
        ({"engine": "docker"}, ("podman",), False, True, ALWAYS | BUILD),
        ({"engine": "podman"}, ("docker",), True, True, ALWAYS | BUILD | PODMAN),
        ({"provider": "libvirt"}, (), False, True, ALWAYS | LIBVIRT),
        ({"provider": "virtualbox"}, (), False, True, ALWAYS | {"virtualbox"}),
    ],
)
def test_packages_missing_on_the_host_are_listed(
    machine: Callable[..., None],
    make_lab: Callable[..., Lab],
    keys: dict[str, str],
    programs: tuple[str, ...],
    docker: bool,
    unified: bool,
    expected: set[str],
) -> None:
    machine("apt-get", *programs, docker=docker, unified=unified)
    assert packages(make_lab(**keys)) == expected


def test_without_apt_the_image_is_built_on_debians(machine: Callable[..., None], make_lab: Callable[..., Lab]) -> None:
    machine()
    assert packages(make_lab()) == ALWAYS | PODMAN | {"iproute2"}


def test_packages_that_are_installed_are_left_out(
    machine: Callable[..., None], make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    machine("vagrant", "podman", "ip")
    (tmp_path / "netavark").touch()
    there = {need.package for need in requirements(make_lab()) if need.there}
    assert there == {"vagrant", "podman", "iproute2", "netavark"}


@pytest.mark.parametrize("installed", [True, False])
def test_programs_in_sbin_count(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(shutil, "which", lambda program, path: program if installed and "/usr/sbin" in path else None)
    assert host_packages._programs({"iptables": "iptables"})[0].there is installed


def test_without_apt_the_packages_are_named(
    machine: Callable[..., None], make_lab: Callable[..., Lab], paths: LabPaths
) -> None:
    machine("vagrant")
    with pytest.raises(LabError) as caught:
        host_packages.ensure(lambda: requirements(make_lab(provider="virtualbox")), Progress(paths.directory / "log"))
    assert caught.value.message == "This machine lacks ssh, VBoxManage, and has no apt to install them with"
    assert "openssh-client virtualbox" in str(caught.value.remedy)


def test_nothing_is_installed_when_nothing_is_missing(
    machine: Callable[..., None], make_lab: Callable[..., Lab], paths: LabPaths
) -> None:
    machine("vagrant", "ssh", "VBoxManage")
    assert not host_packages.ensure(
        lambda: requirements(make_lab(provider="virtualbox")), Progress(paths.directory / "log")
    )

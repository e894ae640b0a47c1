"""What an image is named after."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from labctl.lab import service_files
from labctl.lab.paths import assets
from labctl.lab.schema import Release
from labctl.providers import node_images
from labctl.providers.engine import Engine
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Group, Lab
    from labctl.lab.paths import LabPaths

CONTROLLER: Group = "controller_nodes"
COMPUTE: Group = "compute_nodes"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what images are made of."""
    copy = tmp_path / "assets"
    for part in ("images", "group_vars", "roles", "playbooks"):
        shutil.copytree(assets() / part, copy / part)
    for module in (node_images, service_files):
        monkeypatch.setattr(module, "assets", lambda: copy)
    return copy


@pytest.fixture
def keys(make_lab: Callable[..., Lab]) -> Callable[[], dict[str, str]]:
    """The names of a lab's images."""
    lab = make_lab()
    return lambda: {
        "bare": node_images.bare_reference(lab.release),
        "controller": node_images.reference(lab, CONTROLLER),
        "compute": node_images.reference(lab, COMPUTE),
    }


@pytest.mark.parametrize(
    ("file", "changed"),
    [
        ("images/packages", {"bare", "controller", "compute"}),
        ("images/node.sh", {"bare", "controller", "compute"}),
        ("playbooks/images.yaml", {"controller", "compute"}),
        ("roles/node/tasks/install.yml", {"controller", "compute"}),
        ("roles/_common/tasks/main.yml", {"controller", "compute"}),
        ("roles/_common/tasks/install.yml", {"controller", "compute"}),
        ("roles/keystone/tasks/main.yml", {"controller"}),  # names what is installed
        ("roles/keystone/vars/main.yml", {"controller"}),
        ("roles/neutron_server/vars/debian-13.yml", {"controller"}),
        ("roles/neutron_server/vars/debian-12.yml", set()),  # of the other release
        ("roles/guest_image/files/guest/etc/boot", {"controller"}),
        ("roles/nova_compute/tasks/install.yml", {"compute"}),
        ("roles/nova_compute/vars/main.yml", {"compute"}),
        # Configuration comes with the lab, not with the image.
        ("roles/nova_compute/templates/nova.conf.j2", set()),
        ("roles/nova_compute/tasks/configure.yml", set()),
        ("roles/nova_compute/vars/services.yml", set()),
        ("roles/_common/meta/argument_specs.yml", set()),
    ],
)
def test_a_change_makes_new_images(
    root: Path, keys: Callable[[], dict[str, str]], file: str, changed: set[str]
) -> None:
    before = keys()
    with (root / file).open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    after = keys()
    assert {name for name in before if before[name] != after[name]} == changed


def test_role_added_makes_a_new_image(root: Path, keys: Callable[[], dict[str, str]]) -> None:
    before = keys()
    path = root / "group_vars" / "compute_nodes.yml"
    path.write_text("lab_roles: {nova: [memcached, nova_compute], neutron: [neutron_agent]}\n", encoding="utf-8")
    after = keys()
    assert {name for name in before if before[name] != after[name]} == {"compute"}


def test_a_renamed_file_makes_new_images(root: Path, keys: Callable[[], dict[str, str]]) -> None:
    before = keys()
    (root / "images" / "packages").rename(root / "images" / "packages2")
    assert keys()["bare"] != before["bare"]


def test_reference_has_kind_and_suite(make_lab: Callable[..., Lab]) -> None:
    epoxy, zed = make_lab(), make_lab(release="zed")
    assert node_images.reference(epoxy, COMPUTE).startswith("localhost/novalab-compute:trixie-")
    assert node_images.reference(zed, CONTROLLER).startswith("localhost/novalab-controller:bookworm-")
    assert node_images.bare_reference(Release.ZED).startswith("localhost/novalab-node:bookworm-")
    assert len({node_images.reference(lab, group) for lab in (epoxy, zed) for group in (CONTROLLER, COMPUTE)}) == 4


def test_packages_of_neutron_are_in_the_images_of_a_lab_with_it(make_lab: Callable[..., Lab]) -> None:
    neutron, none = make_lab(), make_lab(networking="none")
    for group in (CONTROLLER, COMPUTE):
        assert node_images.reference(neutron, group) != node_images.reference(none, group)


def test_packages_of_the_dashboard_are_in_the_image_of_a_controller_with_it(make_lab: Callable[..., Lab]) -> None:
    dashboard, none = make_lab(dashboard=True), make_lab()
    assert node_images.reference(dashboard, CONTROLLER) != node_images.reference(none, CONTROLLER)
    assert node_images.reference(dashboard, COMPUTE) == node_images.reference(none, COMPUTE)


def test_names_say_nothing_of_the_lab(make_lab: Callable[..., Lab]) -> None:
    other = make_lab(name="other", computes=5, network="10.0.0.0/24")
    assert node_images.reference(make_lab(), COMPUTE) == node_images.reference(other, COMPUTE)


@pytest.mark.parametrize("kind", ["node", "controller", "compute"])
def test_image_that_exists_is_not_made_again(
    make_lab: Callable[..., Lab], paths: LabPaths, kind: node_images.Kind
) -> None:
    """What is there is not made again: this engine has every image, and can make none."""
    said = paths.directory / "podman"
    said.write_text("#!/bin/sh\ntest $1 = images && echo 0123456789ab\n", encoding="utf-8")
    said.chmod(0o700)
    engine = Engine("podman", (str(said),))
    with Progress(paths.directory / "log") as progress:
        name = node_images.ensure_kind(make_lab(release="zed"), kind, engine, paths, progress)
    assert name.startswith(f"localhost/novalab-{kind}:bookworm-")


def test_image_of_a_group_that_needs_none_is_not_made(
    make_lab: Callable[..., Lab], paths: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compute joins a lab whose controller runs: nobody needs the controller's image, which is missing."""
    lab = make_lab(dashboard=True)
    engine = Engine("podman", ("podman",))
    monkeypatch.setattr(Engine, "has_image", lambda _, name: name == node_images.reference(lab, COMPUTE))
    made: list[str] = []
    monkeypatch.setattr(node_images, "_bare", lambda *_: made.append("bare"))
    monkeypatch.setattr(node_images, "_with_packages", lambda *_: made.append("images"))
    with Progress(paths.directory / "log") as progress:
        node_images.ensure(lab, engine, paths, progress, groups=[COMPUTE])
        node_images.ensure(lab, engine, paths, progress, groups=[])
        assert made == []
        node_images.ensure(lab, engine, paths, progress, groups=[CONTROLLER, COMPUTE])
    assert made == ["bare", "images"]


@pytest.mark.parametrize(
    ("dump", "proxy"),
    [
        ('Acquire::http::Proxy "http://10.0.0.1:3142";\n', ['Acquire::http::Proxy "http://10.0.0.1:3142"']),
        ('Acquire::http::Proxy "http://127.0.0.1:3142";\n', []),
        ('Acquire::http::Proxy "http://localhost:3142";\n', []),
        ('Acquire::http::Proxy "";\nAcquire::http::Proxy::deb.debian.org "DIRECT";\n', []),
        ("", []),
    ],
)
def test_proxy_of_apt_is_used_unless_local(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dump: str, proxy: list[str]
) -> None:
    program = tmp_path / "apt-config"
    program.write_text(f"#!/bin/sh\nprintf '%s' '{dump}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert node_images._apt_proxy() == proxy


@pytest.mark.parametrize(
    ("kind", "connection"), [("podman", "containers.podman.podman"), ("docker", "community.docker.docker")]
)
def test_inventory_of_the_builders(make_lab: Callable[..., Lab], paths: LabPaths, kind: str, connection: str) -> None:
    engine = Engine("podman" if kind == "podman" else "docker", (kind,))
    text = node_images._inventory(make_lab(), engine, paths, {CONTROLLER: "b-controller", COMPUTE: "b-compute"})
    lines = text.splitlines()
    assert lines[lines.index("[compute_nodes]") + 1].startswith("compute ansible_host=b-compute ")
    assert f"ansible_connection={connection}" in lines
    assert f'ansible_{kind}_executable="{paths.bin / "docker"}"' in lines


@pytest.mark.parametrize("there", [True, False])
def test_builders_have_what_kvm_is_tried_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    device = tmp_path / "kvm"
    monkeypatch.setattr(node_images, "_KVM", device)
    if there:
        device.touch()
    assert node_images._devices() == (["--device", str(device)] if there else [])

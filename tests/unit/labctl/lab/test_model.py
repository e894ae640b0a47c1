"""What a lab is that lab.yaml describes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

import pytest

from labctl.errors import BadInput
from labctl.lab import model
from labctl.lab.model import Release

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths

SECRET = "hunter2"


def write(paths: LabPaths, text: str | bytes) -> None:
    paths.lab_yaml.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("text", [None, "", "# only a comment\n", "computes:\nname:\nsecrets:\n"])
def test_lab_without_or_with_empty_lab_yaml_has_defaults(paths: LabPaths, text: str | None) -> None:
    if text is not None:
        write(paths, text)
    lab = model.load(paths, platform="linux")
    assert (lab.name, lab.release, lab.provider, lab.engine) == ("lab", Release.EPOXY, "docker", "auto")
    assert (lab.virt_type, lab.box, lab.secrets) == ("auto", None, {})
    assert lab.network == IPv4Network("192.168.56.0/24")
    assert [(node.name, node.group, str(node.address)) for node in lab.nodes] == [
        ("controller", "controller_nodes", "192.168.56.11"),
        ("compute1", "compute_nodes", "192.168.56.21"),
        ("compute2", "compute_nodes", "192.168.56.22"),
    ]


@pytest.mark.parametrize(
    ("text", "platform", "provider", "box"),
    [
        ("", "darwin", "virtualbox", "bento/debian-13"),
        ("release: zed\n", "win32", "virtualbox", "bento/debian-12"),
        ("provider: libvirt\n", "linux", "libvirt", "debian/trixie64"),
        ("provider: libvirt\nrelease: 2022.2\n", "linux", "libvirt", "debian/bookworm64"),
        ("provider: libvirt\nbox: me/mine\n", "linux", "libvirt", "me/mine"),
        ("provider: docker\n", "darwin", "docker", None),
    ],
)
def test_box_follows_provider_and_release(
    paths: LabPaths, text: str, platform: str, provider: str, box: str | None
) -> None:
    write(paths, text)
    lab = model.load(paths, platform=platform)
    assert (lab.provider, lab.box) == (provider, box)


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("release: 2025.1\n", Release.EPOXY),
        ('release: "2025.1"\n', Release.EPOXY),
        ("release: Epoxy\n", Release.EPOXY),
        ("release: 2022.2\n", Release.ZED),
        ("release: zed\n", Release.ZED),
    ],
)
def test_release_by_name_or_number_is_known(paths: LabPaths, text: str, release: Release) -> None:
    write(paths, text)
    assert model.load(paths).release is release


@pytest.mark.parametrize(
    ("text", "features", "url"),
    [
        ("", ("nova", "neutron"), None),
        ("networking: none\n", ("nova",), None),
        ("dashboard: false\n", ("nova", "neutron"), None),
        ("dashboard: true\n", ("nova", "neutron", "dashboard"), "http://192.168.56.11/"),
    ],
)
def test_features_follow_networking_and_dashboard(
    paths: LabPaths, text: str, features: tuple[str, ...], url: str | None
) -> None:
    write(paths, text)
    lab = model.load(paths)
    assert (lab.features, lab.dashboard_url) == (features, url)


@pytest.mark.parametrize("text", ["computes: 100\n", "computes: {count: 100}\n"])
def test_computes_up_to_a_hundred_are_accepted(paths: LabPaths, text: str) -> None:
    write(paths, text)
    lab = model.load(paths)
    assert len(lab.computes) == 100
    assert lab.node("compute100").address == IPv4Address("192.168.56.120")
    with pytest.raises(BadInput, match="no node 'compute101'"):
        lab.node("compute101")


@pytest.mark.parametrize("written", ["123456", "2025-01-01", "true", "1e5", '"123456"', "0x1F", "1.50"])
def test_secrets_are_texts_as_written(paths: LabPaths, written: str) -> None:
    write(paths, f"secrets: {{keystone_admin: {written}}}\n")
    assert model.load(paths).secrets == {"keystone_admin": written.strip('"')}


def test_images_are_read_with_every_key(paths: LabPaths) -> None:
    write(
        paths,
        f"""
        images:
        - {{name: 13, path: a.raw, disk_format: raw, properties: {{hw_x: true, 5: 1.0}}, min_disk: 2}}
        - {{name: b, url: https://x/b, checksum: 'sha256:{"0a" * 32}', properties: , path: }}
        """,
    )
    first, second = model.load(paths).images
    assert (first.name, first.path, first.disk_format, first.min_disk) == ("13", "a.raw", "raw", 2)
    assert first.properties == {"hw_x": "true", "5": "1.0"}
    assert (second.url, second.path, second.properties, second.min_ram) == ("https://x/b", None, {}, 0)


def test_secrets_are_not_in_what_is_printed_of_a_lab(paths: LabPaths) -> None:
    write(paths, f"secrets: {{keystone_admin: {SECRET}}}\n")
    lab = model.load(paths)
    assert lab.secrets == {"keystone_admin": SECRET}
    assert SECRET not in repr(lab) + lab.model_dump_json()

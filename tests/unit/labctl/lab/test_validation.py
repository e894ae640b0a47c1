"""What is wrong with a lab.yaml, said by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.errors import BadInput
from labctl.lab import model, validation, yaml_reader

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths

SECRET = "hunter2"


def write(paths: LabPaths, text: str | bytes) -> None:
    paths.lab_yaml.write_bytes(text if isinstance(text, bytes) else text.encode())


def mistakes(paths: LabPaths, text: str | bytes) -> list[yaml_reader.Mistake]:
    write(paths, text)
    return validation.check(yaml_reader.read(paths.lab_yaml))[1]


@pytest.mark.parametrize(
    ("text", "line", "key", "found", "expected", "remedy"),
    [
        ("# x\ncomputer: 2\n", 2, "computer", "an unknown key", "one of name, release, provider", "computes?"),
        ("computes:\n  cpu: 2\n", 2, "computes.cpu", "an unknown key", "one of count, cpus", "Did you mean cpus?"),
        ("virt-type: kvm\n", 1, "virt-type", "an unknown key", "one of name", "Did you mean virt_type?"),
        ("memory: 4096\n", 1, "memory", "an unknown key", "one of name", "controller.memory or computes.memory?"),
        ("name: lab\n\trelease: zed\n", 2, "", "'\\t'", "valid YAML", None),
        ("name: [lab\n", 2, "", "expected ',' or ']'", "valid YAML", None),
        ("name: a\nname: b\n", 2, "name", "a second time, first in line 1", "each key once", "Remove one"),
        ("? [a]\n: 1\n", 1, "", "a list or mapping as a key", "a word as a key", None),
        ("computes: true\n", 1, "computes", "true", "a number, or a mapping", "computes: 2"),
        ("dashboard: 1\n", 1, "dashboard", "1", "true or false", None),
        ("dashboard: 'true'\n", 1, "dashboard", "'true'", "true or false", None),
        (
            *("networking: none\ndashboard: true\n", 2, "dashboard", "true together with networking none"),
            *("networking: neutron", "Remove dashboard"),
        ),
        ("controller: 4\n", 1, "controller", "4", "a mapping with cpus and memory", "controller: {cpus: 2"),
        ("controller:\n  memory: 100\n", 2, "controller.memory", "100", "at least 2560", None),
        ("secrets: [a]\n", 1, "secrets", "a list", "a mapping of names to passwords", "mariadb_keystone"),
        ("release: 2024.1\n", 1, "release", "'2024.1'", '"2025.1" (epoxy) or "2022.2" (zed)', None),
        ("provider: dokcer\n", 1, "provider", "'dokcer'", "one of auto, docker, libvirt, virtualbox", "docker?"),
        ("virt_type: xen\n", 1, "virt_type", "'xen'", "one of auto, kvm, qemu", None),
        ("network: 8.8.8.0/24\n", 1, "network", "'8.8.8.0/24'", "RFC 1918", "inside 10.0.0.0/8"),
        ("network: 10.0.5.1/24\n", 1, "network", "'10.0.5.1/24'", "the first address", "Write 10.0.5.0/24"),
        ("network: 'fd00::/64'\n", 1, "network", "'fd00::/64'", "a private IPv4 network", "IPv4 only"),
        ("network: 10.1.2.0\n", 1, "network", "'10.1.2.0'", "a private IPv4 network", "10.1.2.0/24"),
        ("network: 10.1.2.0/33\n", 1, "network", "'10.1.2.0/33'", "a private IPv4 network", None),
        ("network: 10.0.0.0/8\n", 1, "network", "'10.0.0.0/8'", "/16 or smaller", "10.0.0.0/24"),
        ("network: 10\n", 1, "network", "10", "a private IPv4 network", None),
        # The last address is for broadcast: 31 does not fit into a /27.
        ("network: 10.0.0.0/27\ncomputes: 11\n", 1, "network", "10.0.0.0/27", "room for 11", "Write 10.0.0.0/26"),
        (
            *("provider: virtualbox\nnetwork: 10.1.0.0/24\n", 2, "network", "10.1.0.0/24"),
            *("inside 192.168.56.0/21", "192.168.57.0/24"),
        ),
        ("computes: 0\n", 1, "computes.count", "0", "from 1 to 100", None),
        ("computes: 101\n", 1, "computes.count", "101", "from 1 to 100", None),
        ("computes:\n  count: many\n", 2, "computes.count", "'many'", "from 1 to 100", None),
        ("computes: two\n", 1, "computes", "'two'", "a number, or a mapping", "computes: 2"),
        ("name: Lab\n", 1, "name", "'Lab'", "a lower-case letter", None),
        ("name: 2nd\n", 1, "name", "'2nd'", "a lower-case letter", None),
        (f"name: {'a' * 21}\n", 1, "name", f"'{'a' * 21}'", "up to 19", None),
        ("secrets: {keystone_admin: ''}\n", 1, "secrets.keystone_admin", "an empty text", "at least one", "Leave"),
        (
            *(f"secrets: {{keystone_admin: {'ü' * 37}}}\n", 1, "secrets.keystone_admin", "74 bytes"),
            *("at most 72 bytes", "Keystone"),
        ),
        (
            *('secrets:\n  keystone_demo: "ab\\tc"\n', 2, "secrets.keystone_demo", "U+0009 at position 3"),
            *("printable characters", None),
        ),
        (
            *('secrets:\n  mariadb_nova: "aé\u0142"\n', 2, "secrets.mariadb_nova", "U+0142 at position 3"),
            *("characters up to U+00FF", "PyMySQL"),
        ),
        ("provider: docker\nbox: a/b\n", 2, "box", "a/b together with provider docker", "libvirt or", "Remove box"),
        ("images: mine\n", 1, "images", "'mine'", "a list of images", "name: cirros"),
        ("images: [mine]\n", 1, "images.0", "'mine'", "a mapping with name", "path: cirros.qcow2"),
        ("images:\n- {path: a}\n", 2, "images.0", "nothing for name", "a mapping with name", "For example"),
        ("images:\n- name: a\n  file: b\n", 3, "images.0.file", "an unknown key", "one of name, path, url", None),
        ("images: [{name: a, sha: b}]\n", 1, "images.0.sha", "an unknown key", "one of name, path, url", None),
        ("images: [{name: a b, path: a}]\n", 1, "images.0.name", "'a b'", "letters, digits, dots", None),
        ("images: [{name: a}]\n", 1, "images.0.name", "neither path nor url", "one of the two", "where the file is"),
        ("images: [{name: a, path: b, url: 'http://c/d'}]\n", 1, "images.0.url", "beside a path", "one of", "Remove"),
        ("images:\n- name: a\n  url: http://b/c\n", 3, "images.0.url", "without a checksum", "sha256:", "SHA256SUMS"),
        ("images: [{name: a, url: 'ftp://b/c'}]\n", 1, "images.0.url", "'ftp://b/c'", "http://", None),
        (
            "images: [{name: a, path: b, checksum: 'md5:0'}]\n",
            1,
            "images.0.checksum",
            "'md5:0'",
            "sha256: and 64",
            None,
        ),
        ("images: [{name: a, path: b, disk_format: qcow}]\n", 1, "images.0.disk_format", "'qcow'", "one of", "qcow2?"),
        ("images: [{name: a, path: b, min_ram: 1.5}]\n", 1, "images.0.min_ram", "1.5", "a whole number of MiB", None),
        (
            *("images: [{name: a, path: b, properties: {c: [d]}}]\n", 1, "images.0.properties.c"),
            *("a list", "a text", None),
        ),
        (
            *("images:\n- {name: a, path: b}\n- {name: a, path: c}\n", 3, "images.1.name"),
            *("a, which is images.0", "a unique name", "Choose another"),
        ),
        (
            *("images: [{name: novalab-guest, path: b}]\n", 1, "images.0.name"),
            *("the lab's own image", "a unique name", "Choose another"),
        ),
        ("box: ''\n", 1, "box", "''", "the name of a Vagrant box", None),
        (
            *("engine: podman\nprovider: libvirt\n", 1, "engine", "podman together with provider libvirt"),
            *("provider docker only", "Remove engine"),
        ),
        (b"name: lab\nbox: \xff\n", 2, "", "the byte 0xff", "text in UTF-8", "Save the file as UTF-8"),
        ("- a\n- b\n", 1, "", "a list", "keys and values", "computes: 2"),
        ("hello\n", 1, "", "'hello'", "keys and values", "computes: 2"),
    ],
)
def test_mistake_has_line_key_and_expectation(
    paths: LabPaths, text: str | bytes, line: int, key: str, found: str, expected: str, remedy: str | None
) -> None:
    (mistake,) = mistakes(paths, text)
    assert (mistake.line, ".".join(mistake.key)) == (line, key)
    assert found in mistake.found
    assert expected in mistake.expected
    assert (mistake.remedy is None) == (remedy is None)
    assert (remedy or "") in (mistake.remedy or "")


def test_the_smallest_network_that_fits(paths: LabPaths) -> None:
    assert mistakes(paths, "network: 10.0.0.0/27\ncomputes: 10\n") == []


def test_mistakes_are_all_reported_by_line(paths: LabPaths) -> None:
    write(paths, "computes: 0\nname: X\nfoo: 1\nname: y\n")
    with pytest.raises(BadInput) as caught:
        model.load(paths)
    assert caught.value.exit_status == 2
    first, *others = caught.value.message.splitlines()
    assert first == f"{paths.lab_yaml}: 4 mistakes, nothing was changed"
    assert [line.split(":")[0].strip() for line in others] == [
        *("line 1, computes.count", "line 2, name", "line 3, foo", "line 4, name"),
        "Remove one of the two.",
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"secrets: {SECRET}\n",
        f"secrets: [{SECRET}]\n",
        f"secrets: {{keystone_admin: [{SECRET}]}}\n",
        f"secrets: {{keystone_admin: {{{SECRET}: 1}}}}\n",
        f"secrets: {{keystone_admn: {SECRET}}}\n",
        f'secrets: {{keystone_admin: "{SECRET}\\n"}}\n',
        f"secrets: {{keystone_admin: {SECRET * 11}}}\n",
        f"secrets:\n  keystone_admin: {SECRET}\n  keystone_admin: {SECRET}x\n",
        f"secrets:\n  keystone_admin: @{SECRET}\n",
        f'secrets:\n  keystone_admin: "{SECRET}\n',
        f"secrets:\n  keystone_admin: {SECRET}: {SECRET}\n",
        f"secrets: {{keystone_admin: \a{SECRET}}}\n",
        f"keystone_admin: {SECRET}\n",
        f"name: X\nsecrets: {{keystone_admin: {SECRET}}}\n",
    ],
)
def test_secrets_are_never_shown(paths: LabPaths, text: str) -> None:
    write(paths, text)
    with pytest.raises(BadInput) as caught:
        model.load(paths)
    assert SECRET not in str(caught.value)


def test_a_directory_that_is_not_there(paths: LabPaths) -> None:
    paths.directory.rmdir()
    with pytest.raises(BadInput, match="is not a directory"):
        model.load(paths)


def test_a_lab_yaml_that_cannot_be_read(paths: LabPaths) -> None:
    paths.lab_yaml.mkdir()
    with pytest.raises(BadInput, match="'is a directory', expected a file that can be read"):
        model.load(paths)

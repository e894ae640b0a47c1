"""lab.yaml: what may stand in it, and what is said about what may not.

The models are the one source of the rules: they check the file, and the published JSON schema is made from them.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from labctl.errors import BadInput
from labctl.lab import service_files

SECRETS = tuple(service_files.secrets())
SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"
PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))  # RFC 1918
# VirtualBox creates host-only networks nowhere else, unless /etc/vbox/networks.conf says so (VirtualBox manual, 6.7).
VIRTUALBOX = IPv4Network("192.168.56.0/21")
Provider = Literal["docker", "libvirt", "virtualbox"]


@dataclass(frozen=True)
class ProviderTraits:
    """How labs of a provider differ in what lab.yaml may say and in how their nodes are reached.

    containers: the nodes are containers of an engine, start from images, share the host's processors and memory, and
    are reached at their own addresses with the lab's key. Else they are virtual machines with sizes and a box.
    networks: where a free network for the nodes is looked for. restricted: no other place is possible.
    bridge: how the names of the host's interfaces for such networks begin. every_bridge: all of them are the
    provider's, whatever their network. needs_kvm: nodes are slow without KVM on this machine.
    """

    containers: bool = False
    networks: tuple[IPv4Network, ...] = (VIRTUALBOX, *reversed(PRIVATE))
    restricted: bool = False
    bridge: str | None = None
    every_bridge: bool = False
    needs_kvm: bool = False


PROVIDERS: dict[Provider, ProviderTraits] = {
    "docker": ProviderTraits(containers=True),
    "libvirt": ProviderTraits(bridge="virbr", needs_kvm=True),
    "virtualbox": ProviderTraits(networks=(VIRTUALBOX,), restricted=True, bridge="vboxnet", every_bridge=True),
}
Networking = Literal["neutron", "none"]
CONTROLLER_OFFSET = 11
COMPUTE_OFFSET = 21
OWN_IMAGE = "novalab-guest"  # guest_image_name of the role
SECRET_BYTES = 72  # Keystone's bcrypt reads no more


class Release(StrEnum):
    """An OpenStack release, by its number."""

    EPOXY = "2025.1"
    ZED = "2022.2"

    @property
    def alias(self) -> str:
        """The release's name."""
        return self.name.lower()

    @property
    def suite(self) -> str:
        """The Debian release that packages it."""
        return {Release.EPOXY: "trixie", Release.ZED: "bookworm"}[self]

    @property
    def debian(self) -> int:
        """The number of that Debian release."""
        return {Release.EPOXY: 13, Release.ZED: 12}[self]


def _bad(expected: str, remedy: str | None = None, found: str | None = None) -> PydanticCustomError:
    return PydanticCustomError("lab", "expected {expected}", {"expected": expected, "remedy": remedy, "found": found})


def _release(value: object) -> object:
    """A release's number, its name, or the two in any case."""
    return {release.alias: release for release in Release}.get(str(value).strip().lower(), value)


def release(text: str) -> Release:
    """The release of a number or a name. Raises BadInput with the ones that there are."""
    try:
        return Release(str(_release(text)))
    except ValueError as error:
        known = ", ".join(f"{release} ({release.alias})" for release in Release)
        raise BadInput(f"There is no release {text!r}", f"Releases: {known}") from error


def _network(value: object) -> object:
    expected = "a private IPv4 network such as 192.168.56.0/24"
    if not isinstance(value, str):
        raise _bad(expected)
    address, slash, _ = value.partition("/")
    if ":" in address:
        raise _bad(expected, "The nodes talk IPv4 only.")
    if not slash:
        raise _bad(expected, f"Say how large it is: {value}/24")
    try:
        network = IPv4Network(value, strict=False)
    except ValueError as error:
        raise _bad(expected) from error
    if str(network.network_address) != address:
        raise _bad("the first address of the network", f"Write {network}")
    if not any(network.subnet_of(private) for private in PRIVATE):
        raise _bad("a private network (RFC 1918)", "Choose one inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.")
    if network.prefixlen < 16:
        raise _bad("a network of /16 or smaller", f"Write {network.network_address}/24")
    return network


def _count_for_short(value: object) -> object:
    return {"count": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _secret(value: object) -> object:
    """What was found is never shown: it is a secret also when it is wrong."""
    if not isinstance(value, str):
        raise _bad("a text", found="something other than text")
    if not value:
        raise _bad("at least one character", "Leave the line out to have one generated.", "an empty text")
    for position, character in enumerate(value, start=1):
        if not character.isprintable():
            raise _bad("printable characters only", found=f"U+{ord(character):04X} at position {position}")
    if len(value.encode()) > SECRET_BYTES:
        raise _bad(f"at most {SECRET_BYTES} bytes", "Keystone reads no more.", f"{len(value.encode())} bytes")
    return value


def _sendable(secrets: dict[str, str]) -> dict[str, str]:
    """PyMySQL's Connection sends passwords in Latin-1."""
    wrong = [
        InitErrorDetails(
            type=_bad(
                "characters up to U+00FF in a password for MariaDB",
                "PyMySQL, which the services use, cannot send others.",
                f"U+{ord(character):04X} at position {position}",
            ),
            loc=(name,),
            input=None,
        )
        for name, value in secrets.items()
        if name.startswith("mariadb_")
        for position, character in enumerate(value, start=1)
        if ord(character) > 0xFF
    ]
    if wrong:
        raise ValidationError.from_exception_data("secrets", wrong[:1])
    return secrets


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, title=None)


Count = Annotated[int, Field(strict=True, ge=1, le=100, description="How many, 1 to 100")]
Cpus = Annotated[int, Field(strict=True, ge=1, le=64, description="Processors of each, virtual machines only")]
MEMORY = "Memory of each in MiB, virtual machines only"


class Controller(_Part):
    """The controller."""

    cpus: Cpus = 2
    memory: Annotated[int, Field(strict=True, ge=2560, le=1048576, description=MEMORY)] = 4096


class Computes(_Part):
    """The computes, all alike."""

    count: Count = 2
    cpus: Cpus = 2
    memory: Annotated[int, Field(strict=True, ge=1024, le=1048576, description=MEMORY)] = 2048


DiskFormat = Literal["qcow2", "raw", "iso", "vdi", "vhd", "vhdx", "vmdk"]
ContainerFormat = Literal["bare", "ova", "docker"]
_GIGABYTES = Field(strict=True, ge=0, le=65536, description="Smallest root disk of an instance, in GB")
_MEBIBYTES = Field(strict=True, ge=0, le=1048576, description="Smallest memory of an instance, in MiB")


class Image(_Part):
    """An image for instances, from a file of this machine or from a URL."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="Its name in Glance")]
    path: Annotated[str | None, Field(min_length=1, description="A file; relative paths begin at lab.yaml")] = None
    url: Annotated[str | None, Field(pattern=r"^https?://[^\s/]+/\S+$", description="Where the lab downloads it")] = (
        None
    )
    checksum: Annotated[
        str | None,
        Field(
            pattern=r"^(sha256:[0-9a-fA-F]{64}|sha512:[0-9a-fA-F]{128})$",
            description="The file's checksum, sha256:... or sha512:...; a URL needs one",
        ),
    ] = None
    disk_format: Annotated[DiskFormat, Field(description="What is in the file")] = "qcow2"
    container_format: Annotated[ContainerFormat, Field(description="What is around it")] = "bare"
    min_disk: Annotated[int, _GIGABYTES] = 0
    min_ram: Annotated[int, _MEBIBYTES] = 0
    properties: Annotated[dict[str, str], Field(description="Properties in Glance, such as hw_disk_bus")] = {}


class LabFile(_Part):
    """The description of a novalab lab. Everything may be left out."""

    name: Annotated[
        str,
        Field(pattern=r"^[a-z][a-z0-9-]{0,19}$", description="Name of the lab; nodes are named novalab-NAME-NODE"),
    ] = "lab"
    release: Annotated[
        Release,
        BeforeValidator(_release, json_schema_input_type=Literal["2025.1", "epoxy", "2022.2", "zed"] | float),
        Field(description="OpenStack release, by number or name"),
    ] = Release.EPOXY
    provider: Annotated[
        Literal["auto", "docker", "libvirt", "virtualbox"],
        Field(description="What makes the nodes; auto is docker (containers) on Linux, virtualbox elsewhere"),
    ] = "auto"
    engine: Annotated[
        Literal["auto", "podman", "docker"], Field(description="Which container engine, for provider docker")
    ] = "auto"
    network: Annotated[
        IPv4Network,
        BeforeValidator(_network, json_schema_input_type=str),
        Field(description="Private IPv4 network of the nodes: the controller is .11, the computes are .21, .22, ..."),
    ] = IPv4Network("192.168.56.0/24")
    networking: Annotated[
        Networking, Field(description="What connects instances; with none the lab is Nova's own services and no more")
    ] = "neutron"
    guest_network: Annotated[
        IPv4Network,
        BeforeValidator(_network, json_schema_input_type=str),
        Field(description="Private IPv4 network of the instances, for networking neutron; the controller is its .1"),
    ] = IPv4Network("172.24.4.0/24")
    dashboard: Annotated[
        bool, Field(strict=True, description="Whether the controller has Horizon, OpenStack's web pages, as well")
    ] = False
    controller: Controller = Controller()
    computes: Annotated[
        Computes,
        BeforeValidator(_count_for_short, json_schema_input_type=Computes | Annotated[int, Field(ge=1, le=100)]),
        Field(description="The compute nodes; a number is short for their count"),
    ] = Computes()
    virt_type: Annotated[
        Literal["auto", "kvm", "qemu"],
        Field(description="How instances run; auto tries KVM on each compute and falls back to qemu"),
    ] = "auto"
    box: Annotated[
        str | None,
        Field(min_length=1, description="Vagrant box for virtual machines; by default one of the release's Debian"),
    ] = None
    images: Annotated[
        tuple[Image, ...], Field(description="Images for instances, beside the small one that the lab builds itself")
    ] = ()
    secrets: Annotated[
        dict[Literal[SECRETS], Annotated[str, BeforeValidator(_secret, json_schema_input_type=str)]],  # type: ignore[valid-type]
        AfterValidator(_sendable),
        Field(description="Passwords of your own instead of generated ones, by name", repr=False),
    ] = {}


def schema() -> str:
    """The JSON schema of lab.yaml, as published."""
    document = {"$schema": SCHEMA_ID, **LabFile.model_json_schema(mode="validation"), "title": "lab.yaml"}
    return json.dumps(document, indent=2) + "\n"


def resolved_provider(lab: LabFile, platform: str) -> Provider:
    """The provider, auto resolved. platform is Python's name of the operating system."""
    if lab.provider != "auto":
        return lab.provider
    return "docker" if platform.startswith("linux") else "virtualbox"

"""The keys of lab.yaml. The models check the file, and the published JSON schema is generated from them."""

import json
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from labctl.errors import BadInput
from labctl.lab import service_files

SECRETS = tuple(service_files.secrets())
PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))  # RFC 1918
# VirtualBox creates host-only networks nowhere else, unless /etc/vbox/networks.conf says so (VirtualBox manual, 6.7).
VIRTUALBOX = IPv4Network("192.168.56.0/21")
Provider = Literal["docker", "libvirt", "virtualbox"]
Engine = Literal["auto", "podman", "docker"]
Networking = Literal["neutron", "none"]
VirtType = Literal["auto", "kvm", "qemu"]


@dataclass(frozen=True)
class ProviderTraits:
    """How labs of a provider differ in what lab.yaml may say and in how their nodes are reached.

    containers: the nodes are containers of an engine, start from images, share the host's processors and memory, and
    are reached at their own addresses with the lab's key. Otherwise they are virtual machines with sizes and a box.
    networks: where to look for a free network for the nodes. restricted: no other place is possible.
    bridge: the prefix of the host's interfaces for such networks. every_bridge: all of them are the
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
    """A release from its number or its name, in any case."""
    return {release.alias: release for release in Release}.get(str(value).strip().lower(), value)


def release(text: str) -> Release:
    """The release with a number or name. Raises BadInput, which lists the known ones."""
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
    """What was found is never shown: a wrong password is a secret too."""
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
    for name in (name for name in secrets if name.startswith("mariadb_")):
        for position, character in enumerate(secrets[name], start=1):
            if ord(character) > 0xFF:
                error = _bad(
                    "characters up to U+00FF in a password for MariaDB",
                    "PyMySQL, which the services use, cannot send others.",
                    f"U+{ord(character):04X} at position {position}",
                )
                detail = InitErrorDetails(type=error, loc=(name,), input=None)
                raise ValidationError.from_exception_data("secrets", [detail])
    return secrets


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _number(default: int, least: int, most: int, description: str) -> Any:  # noqa: ANN401 (as pydantic's Field)
    return Field(default, strict=True, ge=least, le=most, description=description)


_CPUS = "Processors of each, virtual machines only"
_MEMORY = "Memory of each in MiB, virtual machines only"
_LARGEST = 1048576  # MiB


class Controller(_Part):
    """The controller."""

    cpus: int = _number(2, 1, 64, _CPUS)
    memory: int = _number(4096, 2560, _LARGEST, _MEMORY)


class Computes(_Part):
    """The computes, all alike."""

    count: int = _number(2, 1, 100, "How many, 1 to 100")
    cpus: int = _number(2, 1, 64, _CPUS)
    memory: int = _number(2048, 1024, _LARGEST, _MEMORY)


class Image(_Part):
    """An image for instances, from a file of this machine or from a URL."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="Its name in Glance")
    path: str | None = Field(None, min_length=1, description="A file; relative paths begin at lab.yaml")
    url: str | None = Field(None, pattern=r"^https?://[^\s/]+/\S+$", description="Where the lab downloads it")
    checksum: str | None = Field(
        None,
        pattern=r"^(sha256:[0-9a-fA-F]{64}|sha512:[0-9a-fA-F]{128})$",
        description="The file's checksum, sha256:... or sha512:...; a URL needs one",
    )
    disk_format: Literal["qcow2", "raw", "iso", "vdi", "vhd", "vhdx", "vmdk"] = Field(
        "qcow2", description="What is in the file"
    )
    container_format: Literal["bare", "ova", "docker"] = Field("bare", description="What is around it")
    min_disk: int = _number(0, 0, 65536, "Smallest root disk of an instance, in GB")
    min_ram: int = _number(0, 0, _LARGEST, "Smallest memory of an instance, in MiB")
    properties: dict[str, str] = Field({}, description="Properties in Glance, such as hw_disk_bus")


_Network = Annotated[IPv4Network, BeforeValidator(_network, json_schema_input_type=str)]
_Secret = Annotated[str, BeforeValidator(_secret, json_schema_input_type=str)]


class LabFile(_Part):
    """The description of a novalab lab. Everything may be left out."""

    name: str = Field(
        "lab", pattern=r"^[a-z][a-z0-9-]{0,19}$", description="Name of the lab; nodes are named novalab-NAME-NODE"
    )
    release: Annotated[
        Release, BeforeValidator(_release, json_schema_input_type=Literal["2025.1", "epoxy", "2022.2", "zed"] | float)
    ] = Field(Release.EPOXY, description="OpenStack release, by number or name")
    provider: Literal["auto", Provider] = Field(
        "auto", description="What makes the nodes; auto is docker (containers) on Linux, virtualbox elsewhere"
    )
    engine: Engine = Field("auto", description="Which container engine, for provider docker")
    network: _Network = Field(
        IPv4Network("192.168.56.0/24"),
        description="Private IPv4 network of the nodes: the controller is .11, the computes are .21, .22, ...",
    )
    networking: Networking = Field(
        "neutron", description="What connects instances; with none the lab is Nova's own services and no more"
    )
    guest_network: _Network = Field(
        IPv4Network("172.24.4.0/24"),
        description="Private IPv4 network of the instances, for networking neutron; the controller is its .1",
    )
    dashboard: bool = Field(
        False, strict=True, description="Whether the controller has Horizon, OpenStack's web pages, as well"
    )
    controller: Controller = Controller()
    computes: Annotated[
        Computes,
        BeforeValidator(_count_for_short, json_schema_input_type=Computes | Annotated[int, Field(ge=1, le=100)]),
    ] = Field(Computes(), description="The compute nodes; a number is short for their count")
    virt_type: VirtType = Field(
        "auto", description="How instances run; auto tries KVM on each compute and falls back to qemu"
    )
    box: str | None = Field(
        None, min_length=1, description="Vagrant box for virtual machines; by default one of the release's Debian"
    )
    images: tuple[Image, ...] = Field(
        (), description="Images for instances, beside the small one that the lab builds itself"
    )
    secrets: Annotated[
        dict[Literal[SECRETS], _Secret],  # type: ignore[valid-type]
        AfterValidator(_sendable),
    ] = Field({}, description="Passwords of your own instead of generated ones, by name", repr=False)


def schema() -> str:
    """The JSON schema of lab.yaml, as published."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(dialect | LabFile.model_json_schema() | {"title": "lab.yaml"}, indent=2) + "\n"


def resolved_provider(lab: LabFile, platform: str) -> Provider:
    """The provider, auto resolved. platform is Python's name of the operating system."""
    if lab.provider != "auto":
        return lab.provider
    return "docker" if platform.startswith("linux") else "virtualbox"

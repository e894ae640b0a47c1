"""The facts about this machine that a lab depends on. Everything is read, nothing is changed."""

import contextlib
import importlib.metadata
import os
import resource
import shutil
import stat
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from labctl.diagnostics.doctor.probes import system
from labctl.errors import LabError
from labctl.lab import image_files
from labctl.lab.paths import LabPaths
from labctl.lifecycle import conflicts
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.preflight import make_plan
from labctl.providers import inotify_limit, node_images
from labctl.providers.engine import Engine, may_be_root

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_LISTENING_TCP, _BOUND_UDP = "0A", "07"  # states in /proc/net, include/net/tcp_states.h
_DNS = 53
_KVM = Path("/dev/kvm")
_PACKAGES = ("ansible-core", "ansible-runner", "ansible", "openstacksdk", "python-vagrant")


@dataclass(frozen=True)
class Room:
    """A file system: what is kept there, where, and its free and total size in bytes."""

    what: str
    path: str
    free: int
    size: int


@dataclass(frozen=True)
class HostFacts:
    """The state of this machine. Texts named problem are empty if there is none; None is what cannot be known.

    network_problem and description_problem are what `labctl up` would refuse. inotify and processes are (in use,
    limit). private has the files that only their owner may read, with their modes. pages has what is wrong with the
    pages of consoles, by URL; it is filled in after the nodes have been asked.
    """

    engine: str = ""
    engine_problem: str = ""
    missing: tuple[tuple[str, str], ...] = ()
    can_install: bool = True
    cgroups: bool = True
    open_files: int = 1 << 20
    inotify: tuple[int, int] | None = None
    processes: tuple[int, int] | None = None
    memory: int = 1 << 40
    memory_total: int = 1 << 40
    rooms: tuple[Room, ...] = ()
    images: bool = True
    dns_taken: tuple[str, ...] = ()
    network_problem: str = ""
    description_problem: str = ""
    image_problem: str = ""
    directory_problem: str = ""
    private: tuple[tuple[str, int], ...] = ()
    ansible_problem: str = ""
    kvm: str = ""
    pages: dict[str, str] = field(default_factory=dict)


def gather(context: LabContext) -> HostFacts:
    """Look at this machine."""
    lab, paths, provider = context.lab, context.paths, context.provider
    engines = provider.engines()
    no_engine = lab.traits.containers and not engines
    memory = system.memory((_PROC / "meminfo").read_text(encoding="ascii"))
    soft_limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return HostFacts(
        engine=provider.engine_kind or "",
        engine_problem=_refusal(lambda: provider.require_engine("The doctor")) if no_engine else "",
        missing=tuple((need.program, need.package) for need in provider.requirements() if not need.there),
        can_install=shutil.which("apt-get") is not None and may_be_root(),
        cgroups=cgroups(_CGROUPS),
        open_files=1 << 20 if soft_limit == resource.RLIM_INFINITY else soft_limit,
        inotify=inotify_limit.in_use(),
        processes=_processes(),
        memory=memory["MemAvailable"],
        memory_total=memory["MemTotal"],
        rooms=tuple(_rooms(paths, engines)),
        images=all(
            engine.has_image(node_images.reference(lab, node.group)) for engine in engines for node in lab.nodes
        ),
        dns_taken=tuple(_wildcards(_DNS)),
        network_problem=_refusal(
            lambda: conflicts.check(lab, paths, conflicts.find_others(lab, paths, context.provider.engines()))
        ),
        description_problem=_refusal(lambda: make_plan(context).check(paths)),
        image_problem=_refusal(lambda: image_files.check(lab.images, paths)),
        directory_problem=_writable(paths),
        private=tuple(_private(paths)),
        ansible_problem=_ansible(),
        kvm=_kvm(),
    )


def _refusal(look: Callable[[], object]) -> str:
    """The message of a function that refuses, empty if it does not."""
    try:
        look()
    except LabError as error:
        return str(error)
    return ""


def cgroups(root: Path) -> bool:
    """Whether systemd in a container can use the control groups: version 2, or systemd's hierarchy of version 1."""
    return any((root / name).exists() for name in ("cgroup.controllers", "systemd", "unified"))


def _processes() -> tuple[int, int] | None:
    """How many threads exist, and how many may."""
    try:
        running = int((_PROC / "loadavg").read_text(encoding="ascii").split()[3].partition("/")[2])
        limits = [int((_PROC / "sys/kernel" / name).read_text(encoding="ascii")) for name in ("pid_max", "threads-max")]
    except (OSError, ValueError):
        return None
    return running, min(limits)


def _rooms(paths: LabPaths, engines: Iterable[Engine]) -> Iterable[Room]:
    """The file systems of the lab's directory and of the engine's images and containers."""
    places = [("the lab's directory", str(paths.directory))]
    for engine in engines:
        template = "{{.Store.GraphRoot}}" if engine.kind == "podman" else "{{.DockerRootDir}}"
        with contextlib.suppress(LabError):  # other checks report an engine that works badly
            places.append((f"{engine.kind}'s images and containers", engine.run("info", "--format", template).strip()))
    for what, path in places:
        with contextlib.suppress(OSError):
            usage = shutil.disk_usage(path)
            if usage.total:  # sysfs and the like have no size
                yield Room(what, path, usage.free, usage.total)


def _wildcards(port: int) -> Iterable[str]:
    """The sockets that have a port at every address: no other program can then listen at one of them."""
    for kind, state in (("tcp", _LISTENING_TCP), ("udp", _BOUND_UDP), ("tcp6", _LISTENING_TCP), ("udp6", _BOUND_UDP)):
        path = _PROC / "net" / kind
        for line in path.read_text(encoding="ascii").splitlines()[1:] if path.exists() else ():
            words = line.split()
            address, _, number = words[1].rpartition(":")
            if words[3] == state and int(number, 16) == port and not address.strip("0"):
                yield f"{kind} {'[::]' if kind.endswith('6') else '0.0.0.0'}:{port}"  # noqa: S104 (only reported)


def _writable(paths: LabPaths) -> str:
    """Why no file can be created in the lab's directory."""
    folder = paths.state if paths.state.is_dir() else paths.directory
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"{folder}: {error.strerror}"


def _private(paths: LabPaths) -> Iterable[tuple[str, int]]:
    for path in (paths.ssh_key, paths.secrets, paths.clouds_yaml):
        with contextlib.suppress(OSError):
            yield str(path), stat.S_IMODE(path.stat().st_mode)


def _ansible() -> str:
    """Why Ansible cannot be used: the program beside this Python, and the packages."""
    program = Path(sys.executable).with_name("ansible-playbook")
    if not os.access(program, os.X_OK):
        return f"{program} is not there"
    for name in _PACKAGES:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return f"the Python package {name} is not installed beside {sys.executable}"
    return ""


def _kvm() -> str:
    """Why guests cannot use KVM, as far as can be said without starting one."""
    if not _KVM.exists():
        return f"{_KVM} is not there"
    return "" if os.access(_KVM, os.R_OK | os.W_OK) else f"{_KVM} cannot be opened"


def page_problem(url: str) -> str:
    """Why a page does not answer, empty if it does."""
    try:
        # A proxy that the user has set does not lead to the lab's own network.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5):
            return ""
    except (OSError, ValueError) as error:  # URLError is an OSError
        return str(getattr(error, "reason", "") or error)

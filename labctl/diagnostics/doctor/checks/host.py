"""Checks of this machine and of the lab's directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.diagnostics.doctor.finding import HOST, Finding, Severity, check
from labctl.providers import inotify_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labctl.diagnostics.doctor.case import Case

_MIB, _GIB = 1 << 20, 1 << 30
_OPEN_FILES = 1024
_THREADS_PER_NODE = 400
_CONTROLLER_MEMORY, _COMPUTE_MEMORY = 1700 * _MIB, 350 * _MIB
_IMAGES_ROOM, _NODE_ROOM, _LEAST_ROOM, _DIRECTORY_ROOM = 5 * _GIB, _GIB // 2, _GIB // 2, 200 * _MIB
_OTHERS = 0o077


def _to_start(case: Case) -> int:
    """How many nodes are yet to be started."""
    return sum(case.states.get(node.name, "missing") != "running" for node in case.lab.nodes)


@check("engine", "a container engine works")
def container_engine(case: Case) -> Iterator[Finding]:
    """Podman or Docker Engine, whichever the lab is to use."""
    if case.host.engine_problem:
        first, _, remedy = case.host.engine_problem.partition("\n")
        parts = first.removeprefix("No container engine works: ").split("; ")
        yield Finding(
            HOST, "no container engine works", tuple(parts), remedy or "labctl setup installs Podman", subject="engine"
        )


@check("programs", "the programs that a lab needs are installed")
def programs(case: Case) -> Iterator[Finding]:
    """What hostpackages would install."""
    if case.host.missing:
        packages = " ".join(sorted({package for _, package in case.host.missing}))
        able = case.host.can_install
        yield Finding(
            HOST,
            f"programs are missing on this machine: {', '.join(program for program, _ in case.host.missing)}",
            tuple(f"{program} is not found (Debian's package {package})" for program, package in case.host.missing),
            "labctl up installs them" if able else f"as root: apt-get install --no-install-recommends {packages}",
            Severity.WARNING if able else Severity.ERROR,
        )


@check("cgroups", "systemd can run in containers")
def cgroup_hierarchy(case: Case) -> Iterator[Finding]:
    """Control groups that systemd in a container can use."""
    if case.lab.traits.containers and not case.host.cgroups:
        yield Finding(
            HOST,
            "no control groups that systemd in containers could use",
            ("/sys/fs/cgroup holds neither version 2 (cgroup.controllers) nor systemd's hierarchy of version 1",),
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup, or start this container with its host's control groups",
        )


@check("limits", "open files, inotify instances and processes suffice")
def limits(case: Case) -> Iterator[Finding]:
    """Limits of the kernel and of this shell that are used up before a lab runs."""
    host, nodes = case.host, _to_start(case)
    if host.open_files < _OPEN_FILES:
        yield Finding(
            HOST,
            f"this shell may open {host.open_files} files only",
            (f"ulimit -n is {host.open_files}, expected {_OPEN_FILES} or more",),
            f"ulimit -n {_OPEN_FILES}",
            Severity.WARNING,
        )
    if host.inotify is not None and case.lab.traits.containers:
        used, limit = host.inotify
        if used + nodes * inotify_limit.NODE > limit or used >= limit:
            yield Finding(
                HOST,
                "too few instances of inotify: systemd in new nodes ends with 'Too many open files'",
                (
                    f"root's processes hold {used} of {limit} (fs.inotify.max_user_instances)",
                    f"a node takes about {inotify_limit.NODE}, and {nodes} are to start",
                ),
                "sysctl -w fs.inotify.max_user_instances=1024",
                Severity.ERROR if nodes else Severity.WARNING,
            )
    if host.processes is not None:
        used, limit = host.processes
        if used + nodes * _THREADS_PER_NODE > limit:
            yield Finding(
                HOST,
                "too few processes are allowed",
                (f"{used} threads of at most {limit} (kernel.pid_max, threads-max), {nodes} nodes are to start",),
                "sysctl -w kernel.pid_max=4194304",
            )


@check("memory", "there is memory for the nodes that are to start")
def memory(case: Case) -> Iterator[Finding]:
    """Memory that the lab would need and this machine does not have."""
    need = 0
    for node in case.lab.nodes:
        if case.states.get(node.name, "missing") != "running":
            in_container = _CONTROLLER_MEMORY if node == case.lab.controller else _COMPUTE_MEMORY
            need += in_container if case.lab.traits.containers else node.memory * _MIB
    if need > case.host.memory:
        yield Finding(
            HOST,
            f"the nodes need {need // _MIB} MiB of memory, {case.host.memory // _MIB} MiB are available",
            (
                f"MemAvailable {case.host.memory // _MIB} of {case.host.memory_total // _MIB} MiB, "
                f"{_to_start(case)} nodes are to start",
            ),
            "end other programs or labs, or take fewer computes in lab.yaml",
            Severity.ERROR if need > case.host.memory * 2 else Severity.WARNING,
        )


@check("disk", "there is room for images and nodes")
def disk(case: Case) -> Iterator[Finding]:
    """File systems on which the lab lies that are too full."""
    for index, room in enumerate(case.host.rooms):
        need = _DIRECTORY_ROOM
        if index:
            need = max(_LEAST_ROOM, _to_start(case) * _NODE_ROOM + (0 if case.host.images else _IMAGES_ROOM))
        if room.free < need:
            yield Finding(
                HOST,
                f"too little room for {room.what}",
                (f"{room.path}: {room.free // _MIB} of {room.size // _MIB} MiB free, {need // _MIB} MiB are needed",),
                f"make room there; {case.host.engine or 'podman'} images lists what may go",
                Severity.ERROR if room.free < need // 2 else Severity.WARNING,
            )


@check("ports", "the name server of the lab's network has its port")
def ports(case: Case) -> Iterator[Finding]:
    """Podman starts a name server at the first address of a network: one that holds every address is in its way."""
    if case.host.engine == "podman" and _to_start(case) and case.host.dns_taken:
        yield Finding(
            HOST,
            "another name server holds port 53 at every address: Podman's own cannot start, and no node with it",
            tuple(f"something listens at {place}" for place in case.host.dns_taken),
            "bind that server (`ss -lnp` names it) to its own addresses; dnsmasq: bind-interfaces, BIND: listen-on",
        )


@check("network", "the lab's network and name are free")
def network(case: Case) -> Iterator[Finding]:
    """Routes, addresses, other networks and labs that the lab's network overlaps."""
    if case.host.network_problem:
        first, _, remedy = case.host.network_problem.partition("\n")
        yield Finding(
            HOST, first.removesuffix("; nothing was changed"), (first,), remedy or "take another network in lab.yaml"
        )


@check("description", "lab.yaml describes the lab that exists, and the files that it names are there")
def described(case: Case) -> Iterator[Finding]:
    """What labctl up would refuse."""
    for problem in (case.host.description_problem, case.host.image_problem):
        if problem:
            first, _, remedy = problem.partition("\n")
            yield Finding(HOST, "labctl up would refuse: lab.yaml does not fit", (first,), remedy or "correct lab.yaml")


@check("virtualisation", "virtual machines run on this machine, where the lab needs that")
def virtualisation(case: Case) -> Iterator[Finding]:
    """KVM that the lab asks for and that is not there. Whether it works, the nodes find out: see acceleration."""
    wanted = case.lab.virt_type == "kvm" or case.lab.traits.needs_kvm
    if case.host.kvm and wanted:
        why = "virt_type: kvm" if case.lab.virt_type == "kvm" else f"provider: {case.lab.provider}"
        yield Finding(
            HOST,
            f"KVM cannot be used on this machine, and lab.yaml says {why}",
            (case.host.kvm,),
            "switch virtualisation on in the firmware or in this machine's host; else virt_type: auto in lab.yaml",
            Severity.ERROR if case.lab.virt_type == "kvm" else Severity.WARNING,
        )


@check("python", "Ansible is whole")
def python(case: Case) -> Iterator[Finding]:
    """The programs and packages that labctl brings along."""
    if case.host.ansible_problem:
        yield Finding(
            HOST,
            "labctl's Python environment is incomplete",
            (case.host.ansible_problem,),
            "make setup, or install novalab again",
        )


@check("directory", "the lab's directory can be written")
def directory(case: Case) -> Iterator[Finding]:
    """A directory in which labctl can keep nothing."""
    if case.host.directory_problem:
        yield Finding(
            HOST,
            "the lab's directory cannot be written",
            (case.host.directory_problem,),
            "choose one of your own: labctl -C DIRECTORY ...",
        )


@check("keys", "keys and secrets are readable by their owner only")
def keys(case: Case) -> Iterator[Finding]:
    """Files with secrets that others can read. ssh takes no key of that kind, and no node is reached then."""
    for path, mode, _ in case.host.private:
        if mode & _OTHERS:
            is_key = "/ssh/" in path
            yield Finding(
                HOST,
                f"{path} can be read by others" + (", so ssh does not take it" if is_key else ""),
                (f"mode {mode:04o}, expected 0600",),
                f"chmod 600 {path}",
                Severity.ERROR if is_key else Severity.WARNING,
                subject="the lab's ssh key" if is_key else "",
            )

"""Checks of this machine and of the lab's directory."""

from labctl.diagnostics.doctor.case import Case, host_check
from labctl.diagnostics.doctor.finding import Findings, Severity, error, warning
from labctl.lab.model import Node
from labctl.providers import inotify_limit

_MIB, _GIB = 1 << 20, 1 << 30
_OPEN_FILES = 1024
_THREADS_PER_NODE = 400
_CONTROLLER_MEMORY, _COMPUTE_MEMORY = 1700 * _MIB, 350 * _MIB
_IMAGES_ROOM, _NODE_ROOM, _LEAST_ROOM, _DIRECTORY_ROOM = 5 * _GIB, _GIB // 2, _GIB // 2, 200 * _MIB
_OTHERS = 0o077


def _to_start(case: Case) -> list[Node]:
    """The nodes that do not run yet."""
    return [node for node in case.lab.nodes if case.state(node.name) != "running"]


def _refused(what: str, problem: str, remedy: str) -> Findings:
    """A finding about a problem, if there is one; its second line says what to do, otherwise remedy does."""
    first, _, advice = problem.partition("\n")
    if problem:
        yield error(what, first, advice or remedy)


@host_check("engine", "a container engine works")
def container_engine(case: Case) -> Findings:
    if case.host.engine_problem:
        first, _, remedy = case.host.engine_problem.partition("\n")
        problems = first.removeprefix("No container engine works: ").split("; ")
        yield error("no container engine works", problems, remedy or "labctl setup installs Podman", subject="engine")


@host_check("programs", "the programs that a lab needs are installed")
def programs(case: Case) -> Findings:
    if case.host.missing:
        packages = " ".join(sorted({package for _, package in case.host.missing}))
        able = case.host.can_install
        yield error(
            f"programs are missing on this machine: {', '.join(program for program, _ in case.host.missing)}",
            [f"{program} is not found (Debian's package {package})" for program, package in case.host.missing],
            "labctl up installs them" if able else f"as root: apt-get install --no-install-recommends {packages}",
            severity=Severity.WARNING if able else Severity.ERROR,
        )


@host_check("cgroups", "systemd can run in containers")
def cgroup_hierarchy(case: Case) -> Findings:
    if case.lab.traits.containers and not case.host.cgroups:
        yield error(
            "no control groups that systemd in containers could use",
            "/sys/fs/cgroup has neither version 2 (cgroup.controllers) nor systemd's hierarchy of version 1",
            "mount -t cgroup2 cgroup2 /sys/fs/cgroup, or start this container with its host's control groups",
        )


@host_check("limits", "open files, inotify instances and processes suffice")
def limits(case: Case) -> Findings:
    host, nodes = case.host, len(_to_start(case))
    if host.open_files < _OPEN_FILES:
        yield warning(
            f"this shell may open {host.open_files} files only",
            f"ulimit -n is {host.open_files}, expected {_OPEN_FILES} or more",
            f"ulimit -n {_OPEN_FILES}",
        )
    if host.inotify is not None and case.lab.traits.containers:
        used, limit = host.inotify
        if used + nodes * inotify_limit.NODE > limit or used >= limit:
            yield error(
                "too few instances of inotify: systemd in new nodes ends with 'Too many open files'",
                (
                    f"root's processes hold {used} of {limit} (fs.inotify.max_user_instances)",
                    f"a node takes about {inotify_limit.NODE}, and {nodes} are to start",
                ),
                "sysctl -w fs.inotify.max_user_instances=1024",
                severity=Severity.ERROR if nodes else Severity.WARNING,
            )
    if host.processes is not None:
        used, limit = host.processes
        if used + nodes * _THREADS_PER_NODE > limit:
            yield error(
                "too few processes are allowed",
                f"{used} threads of at most {limit} (kernel.pid_max, threads-max), {nodes} nodes are to start",
                "sysctl -w kernel.pid_max=4194304",
            )


@host_check("memory", "there is memory for the nodes that are to start")
def memory(case: Case) -> Findings:
    waiting, available = _to_start(case), case.host.memory
    if case.lab.traits.containers:
        need = sum(_CONTROLLER_MEMORY if node == case.lab.controller else _COMPUTE_MEMORY for node in waiting)
    else:
        need = sum(node.memory * _MIB for node in waiting)
    if need > available:
        total = f"MemAvailable {available // _MIB} of {case.host.memory_total // _MIB} MiB"
        yield error(
            f"the nodes need {need // _MIB} MiB of memory, {available // _MIB} MiB are available",
            f"{total}, {len(waiting)} nodes are to start",
            "end other programs or labs, or take fewer computes in lab.yaml",
            severity=Severity.ERROR if need > available * 2 else Severity.WARNING,
        )


@host_check("disk", "there is room for images and nodes")
def disk(case: Case) -> Findings:
    """File systems that are too full: of the lab's directory, which comes first, and of the engines."""
    for index, room in enumerate(case.host.rooms):
        need = _DIRECTORY_ROOM
        if index:
            need = max(_LEAST_ROOM, len(_to_start(case)) * _NODE_ROOM + (0 if case.host.images else _IMAGES_ROOM))
        if room.free < need:
            yield error(
                f"too little room for {room.what}",
                f"{room.path}: {room.free // _MIB} of {room.size // _MIB} MiB free, {need // _MIB} MiB are needed",
                f"make room there; {case.host.engine or 'podman'} images lists what may go",
                severity=Severity.ERROR if room.free < need // 2 else Severity.WARNING,
            )


@host_check("ports", "the name server of the lab's network has its port")
def ports(case: Case) -> Findings:
    """Podman's name server cannot listen at the first address of a network if another one listens at every address."""
    if case.host.engine == "podman" and _to_start(case) and case.host.dns_taken:
        yield error(
            "another name server holds port 53 at every address: Podman's own cannot start, and no node with it",
            [f"something listens at {place}" for place in case.host.dns_taken],
            "bind that server (`ss -lnp` names it) to its own addresses; dnsmasq: bind-interfaces, BIND: listen-on",
        )


@host_check("network", "the lab's network and name are free")
def network(case: Case) -> Findings:
    first = case.host.network_problem.partition("\n")[0].removesuffix("; nothing was changed")
    yield from _refused(first, case.host.network_problem, "take another network in lab.yaml")


@host_check("description", "lab.yaml describes the lab that exists, and the files that it names are there")
def described(case: Case) -> Findings:
    for problem in (case.host.description_problem, case.host.image_problem):
        yield from _refused("labctl up would refuse: lab.yaml does not fit", problem, "correct lab.yaml")


@host_check("virtualisation", "virtual machines run on this machine, where the lab needs that")
def virtualisation(case: Case) -> Findings:
    """KVM that is missing. Whether it works is found out on the nodes: see the check acceleration."""
    kvm = case.lab.virt_type == "kvm"
    if case.host.kvm and (kvm or case.lab.traits.needs_kvm):
        why = "virt_type: kvm" if kvm else f"provider: {case.lab.provider}"
        yield error(
            f"KVM cannot be used on this machine, and lab.yaml says {why}",
            case.host.kvm,
            "switch virtualisation on in the firmware or in this machine's host; else virt_type: auto in lab.yaml",
            severity=Severity.ERROR if kvm else Severity.WARNING,
        )


@host_check("python", "Ansible is complete")
def python(case: Case) -> Findings:
    """The programs and packages that labctl brings along."""
    remedy = "make setup, or install novalab again"
    return _refused("labctl's Python environment is incomplete", case.host.ansible_problem, remedy)


@host_check("directory", "the lab's directory can be written")
def directory(case: Case) -> Findings:
    remedy = "choose one of your own: labctl -C DIRECTORY ..."
    return _refused("the lab's directory cannot be written", case.host.directory_problem, remedy)


@host_check("keys", "keys and secrets are readable by their owner only")
def keys(case: Case) -> Findings:
    """Files with secrets that others can read. ssh refuses such a key, and then no node is reached."""
    for path, mode in case.host.private:
        if mode & _OTHERS:
            is_key = "/ssh/" in path
            yield error(
                f"{path} can be read by others" + (", so ssh does not take it" if is_key else ""),
                f"mode {mode:04o}, expected 0600",
                f"chmod 600 {path}",
                severity=Severity.ERROR if is_key else Severity.WARNING,
                subject="the lab's ssh key" if is_key else "",
            )

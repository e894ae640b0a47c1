"""The container engine that runs the nodes: Podman or Docker Engine, whichever works on this machine."""

import os
import resource
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO, Literal, TypeVar

from labctl.errors import LabError
from labctl.files import write_if_changed
from labctl.lab.paths import LabPaths

T = TypeVar("T")
Kind = Literal["podman", "docker"]
Choice = Literal["auto", "podman", "docker"]

# What a container of an image runs.
START = ("--change", 'CMD ["/sbin/init"]')
_CAP_SYS_RESOURCE = 24  # capability.h
_ENOUGH = 32768  # open files and processes; where limits can be set freely, Podman's own defaults are higher
# Where a node's sshd looks for the lab's key, see images/node.sh.
_KEY_IN_NODE = "/etc/ssh/authorized_keys.d/vagrant"


@dataclass(frozen=True)
class Engine:
    """A container engine that works.

    command starts its command line. environment is what it and its callers need: PATH, where `docker` is this engine
    because Vagrant calls it by that name, and settings for Podman if the machine needs them.
    """

    kind: Kind
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: IO[bytes] | None = None) -> str:
        """Run the engine's command line and return its output. Raises LabError with the engine's own message."""
        command, env = [*self.command, *arguments], {**os.environ, **self.environment}
        done = subprocess.run(command, check=False, capture_output=True, stdin=stdin or subprocess.DEVNULL, env=env)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip() or f"status {done.returncode}"
            raise LabError(f"`{self.kind} {' '.join(arguments)}` failed: {said}")
        return done.stdout.decode(errors="replace")

    def commit(self, containers: Mapping[str, str], *options: str) -> None:
        """Make images of containers, all at the same time. containers has the id or name of each, by image."""
        at_once(lambda item: self.run("commit", *START, *options, item[1], item[0]), containers.items())

    def has_image(self, reference: str) -> bool:
        """Whether an image exists."""
        return bool(self.run("images", "--quiet", reference).strip())

    def node_arguments(self, network: str, address: IPv4Address, public_key: Path) -> list[str]:
        """Arguments with which `docker run` starts a node: systemd as its first process, on the lab's network."""
        common = ["--privileged", "--network", network, "--ip", str(address)]
        common += ["--volume", f"{public_key}:{_KEY_IN_NODE}:ro"]
        # Vagrant wants a published port before it believes that ssh is possible; the address is used in its place.
        common += ["--publish", "127.0.0.1::22"]
        if self.kind == "podman":
            # Without --no-hosts, Podman would rewrite /etc/hosts at every start.
            return [*common, "--systemd=always", "--no-hosts"]
        # What Podman does by itself for systemd; on cgroup v1 it must see the host's hierarchy.
        common += [
            "--stop-signal",
            "SIGRTMIN+3",
            "--tmpfs",
            "/run",
            "--tmpfs",
            "/run/lock",
            "--env",
            "container=docker",
        ]
        if _unified_cgroups():
            return [*common, "--cgroupns=private"]
        return [*common, "--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]


def find(choice: Choice, paths: LabPaths) -> Engine:
    """The first engine that works. Raises LabError with what is wrong with each. Nothing is written."""
    problems = []
    kinds: tuple[Kind, ...] = ("podman", "docker") if choice == "auto" else (choice,)
    for kind in kinds:
        found = _podman(paths) if kind == "podman" else _docker(paths)
        if isinstance(found, Engine):
            return found
        problems.append(f"{kind}: {found}")
    raise LabError(
        f"No container engine works: {'; '.join(problems)}",
        "`labctl setup` installs Podman on Debian and Ubuntu; elsewhere install Podman or start Docker Engine.",
    )


def install(engine: Engine, paths: LabPaths) -> Engine:
    """Write what an engine and its callers need into the lab's state directory, never into the user's /etc.

    That is `docker`, which Vagrant calls, and settings for Podman if this machine needs them. Returns the engine with
    these settings.
    """
    paths.make_state()
    paths.bin.mkdir(mode=0o700, exist_ok=True)
    if engine.kind == "podman" and (settings := podman_settings()):
        write_if_changed(paths.containers_conf, settings)
        engine = find(engine.kind, paths)
    write_if_changed(paths.bin / "docker", f'#!/bin/sh\nexec {shlex.join(engine.command)} "$@"\n', mode=0o700)
    return engine


def working(paths: LabPaths) -> list[Engine]:
    """Every engine that works."""
    return [found for found in (_podman(paths), _docker(paths)) if isinstance(found, Engine)]


def as_root() -> list[str]:
    """The prefix of a command that needs root, as system containers do whose networks the host reaches."""
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def may_be_root() -> bool:
    """Whether a command with the prefix as_root() can run without asking for a password."""
    prefix = as_root()
    return not prefix or (
        shutil.which("sudo") is not None
        and subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0
    )


def _podman(paths: LabPaths) -> Engine | str:
    program = shutil.which("podman")
    if program is None:
        return "not installed"
    if not may_be_root():
        return "needs root for system containers, and sudo is missing or asks for a password"
    # sudo would drop it, and Podman would use a different storage than the caller's.
    environment = {name: os.environ[name] for name in ("CONTAINERS_STORAGE_CONF",) if name in os.environ}
    # Written by install(). Without them Podman can list, but not start containers.
    if podman_settings() and paths.containers_conf.is_file():
        environment["CONTAINERS_CONF"] = str(paths.containers_conf)
    command = [*as_root(), *(["env", *(f"{k}={v}" for k, v in environment.items())] if as_root() else []), program]
    return _usable("podman", command, environment, paths, "{{.Client.Version}}")


def _docker(paths: LabPaths) -> Engine | str:
    """Docker Engine: the first `docker` in PATH that has a daemon and is not Podman in disguise."""
    found: Engine | str = "not installed"
    for folder in os.get_exec_path():
        program = Path(folder, "docker")
        if folder == str(paths.bin) or not os.access(program, os.X_OK):
            continue
        said = subprocess.run([str(program), "--version"], check=False, capture_output=True, text=True)
        if "podman" in (said.stdout + said.stderr).lower():
            found = f"{program} is Podman"
        else:
            found = _usable("docker", [str(program)], {}, paths, "{{.Server.Version}}")
        if isinstance(found, Engine):
            break
    return found


def _usable(kind: Kind, command: list[str], environment: dict[str, str], paths: LabPaths, version: str) -> Engine | str:
    """The engine if it answers, else the reason why not."""
    asked, env = [*command, "version", "--format", version], {**os.environ, **environment}
    done = subprocess.run(asked, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env)
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or [f"{command[-1]}: status {done.returncode}"])[-1]
    folders = [folder for folder in os.get_exec_path() if folder != str(paths.bin)]
    return Engine(kind, tuple(command), {**environment, "PATH": os.pathsep.join([str(paths.bin), *folders])})


def podman_settings() -> str:
    """A containers.conf for what this machine lacks, empty on an ordinary one.

    crun refuses the hybrid hierarchy of cgroup v1, which runc accepts. Podman's default limits cannot be set without
    CAP_SYS_RESOURCE, which root lacks in some sandboxes. Without systemd nothing manages cgroups or keeps events.
    """
    containers_part, engine_part = [], []
    if os.geteuid() == 0 and not _effective_capability(_CAP_SYS_RESOURCE):
        limits = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
        values = ", ".join(f'"{name}={_limit(number)}"' for name, number in limits.items())
        containers_part.append(f"default_ulimits = [{values}]")
    if not Path("/run/systemd/system").is_dir():
        engine_part += ['cgroup_manager = "cgroupfs"', 'events_logger = "file"']
        containers_part.append('log_driver = "k8s-file"')
    if not _unified_cgroups():
        engine_part.append('runtime = "runc"')
    parts = (("containers", containers_part), ("engine", engine_part))
    return "\n".join(line for name, lines in parts if lines for line in (f"[{name}]", *lines, ""))


def _limit(number: int) -> str:
    """A limit that this process may pass on, as SOFT:HARD, high enough for a node's services."""
    hard = resource.getrlimit(number)[1]
    value = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    return f"{value}:{value}"


def _effective_capability(number: int) -> bool:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(line.split()[1], 16) >> number & 1)


def _unified_cgroups() -> bool:
    return Path("/sys/fs/cgroup/cgroup.controllers").exists()


def needed_runtime() -> Literal["runc", "crun"]:
    """The OCI runtime that works with this machine's cgroups."""
    return "crun" if _unified_cgroups() else "runc"


def at_once(action: Callable[[T], object], items: Iterable[T]) -> None:
    """Do something with all items at the same time. When all have ended, raises the first error."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(action, items))

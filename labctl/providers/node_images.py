"""The images that nodes start from: a bare node, and based on it one with the packages of each kind of node.

The name of an image has a digest of what it is made of, so it is made again only if something of that changes.
"""

import contextlib
import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Literal

from labctl.ansible import playbook, services
from labctl.ansible.inventory import quoted
from labctl.errors import LabError
from labctl.files import cache_directory, write_private
from labctl.lab.model import Group, Lab, Release
from labctl.lab.paths import LabPaths, assets
from labctl.providers import containers, engine
from labctl.providers.engine import Engine
from labctl.ui.progress import Progress, Step

REPOSITORY = "localhost/novalab"
Kind = Literal["node", "controller", "compute"]
Groups = Collection[Group]
_KINDS: dict[Group, Kind] = {"controller_nodes": "controller", "compute_nodes": "compute"}
# Documentation and translations are a tenth of the time and a third of the files.
_EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_INCLUDED = ("/usr/share/doc/*/copyright",)
_KVM = Path("/dev/kvm")
_CONNECTIONS = {"podman": "containers.podman.podman", "docker": "community.docker.docker"}


def reference(lab: Lab, group: Group) -> str:
    """The image of a group's nodes, such as localhost/novalab-compute:trixie-0123456789ab."""
    return f"{REPOSITORY}-{_KINDS[group]}:{lab.release.suite}-{_key(lab.release, services.roles(lab, group))}"


def bare_reference(release: Release) -> str:
    """The image of a node without OpenStack's packages."""
    return f"{REPOSITORY}-node:{release.suite}-{_key(release)}"


def ensure_kind(lab: Lab, kind: Kind, engine_: Engine, paths: LabPaths, progress: Progress) -> str:
    """Make the image of a kind of node unless it exists, and return its name."""
    groups = [group for group, name in _KINDS.items() if name == kind]
    ensure(lab, engine_, paths, progress, groups=groups or None)
    return reference(lab, groups[0]) if groups else bare_reference(lab.release)


def ensure(
    lab: Lab, engine_: Engine, paths: LabPaths, progress: Progress, *, groups: Groups | None, network: str | None = None
) -> None:
    """Make the lab's images if that of one of these groups is missing; if groups is None, the bare node's.

    network is the engine's network through which packages are downloaded, by default the engine's own. Raises LabError;
    no incomplete image is kept.
    """
    bare = bare_reference(lab.release)
    wanted = [bare] if groups is None else [reference(lab, group) for group in groups]

    def complete() -> bool:
        return all(engine_.has_image(image) for image in wanted)

    if complete():
        return
    with _alone(progress):
        if complete():  # by the process that was waited for
            return
        if not engine_.has_image(bare):
            with progress.step(f"Node image, Debian {lab.release.suite}") as step:
                _bare(lab.release, engine_, bare, step)
                step.note(bare)
        if groups is not None:
            _with_packages(lab, engine_, paths, progress, bare, network)


@contextlib.contextmanager
def _alone(progress: Progress) -> Iterator[None]:
    """One labctl at a time makes images; the others wait and use them."""
    lock = cache_directory() / "images.lock"
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock.open("a", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.tell("Waiting for another labctl that is making images")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _key(release: Release, roles: list[str] | None = None) -> str:
    """A digest of everything that an image is made of, other than the packages' versions."""
    root = assets()
    files = [path for path in sorted((root / "images").iterdir()) if path.is_file()]
    if roles is not None:
        files += [
            root / "playbooks" / "images.yaml",
            *sorted((root / "roles" / "node" / "templates").glob("*.sources.j2")),
        ]
        for role in ["_common", *roles]:
            # A role names its packages in tasks/main.yml, unless it installs more than packages.
            names = ("vars/main.yml", f"vars/debian-{release.debian}.yml", "tasks/main.yml", "tasks/install.yml")
            files += [path for name in names if (path := root / "roles" / role / name).is_file()]
            files += [path for path in sorted((root / "roles" / role / "files").rglob("*")) if path.is_file()]
    digest = hashlib.sha256(repr((release.suite, _EXCLUDED, _INCLUDED)).encode())
    for file in files:
        digest.update(f"\0{file.relative_to(root)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _bare(release: Release, engine_: Engine, tag: str, step: Step) -> None:
    root = assets() / "images"
    if shutil.which("mmdebstrap") is None:  # then Debian's own image is the base
        recipe = ("--build-arg", f"SUITE={release.suite}", "--file", str(root / "Containerfile"))
        engine_.run("build", *recipe, "--tag", tag, str(root))
        return
    packages = ",".join((root / "packages").read_text(encoding="utf-8").split())
    basic = ("--variant=minbase", "--skip=cleanup/apt/lists", f"--include={packages}")
    command = [*engine.as_root(), "mmdebstrap", *basic]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED]
    command += [f"--dpkgopt=path-include={pattern}" for pattern in _INCLUDED]
    command += [f"--aptopt={option}" for option in _apt_proxy()]
    command += [f"--customize-hook=copy-in '{root / 'node.sh'}' /tmp", '--customize-hook=chroot "$1" sh /tmp/node.sh']
    command += ['--customize-hook=rm "$1/tmp/node.sh"', release.suite, "-"]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said) as process:
            assert process.stdout is not None  # noqa: S101 (it is a pipe)
            # It gets its name only when it is complete: a run that is killed here leaves an image without a name.
            image = engine_.run("import", *engine.START, "-", stdin=process.stdout).split()[-1]
        said.seek(0)
        lines = said.read().splitlines()
    for line in lines:
        step.detail(line)
    if process.returncode != 0:
        engine_.run("rmi", image)
        raise LabError(f"mmdebstrap ended with status {process.returncode}:\n" + "\n".join(lines[-15:]))
    engine_.run("tag", image, tag)


def _apt_proxy() -> list[str]:
    """The options for the proxy of this machine's apt, none if it listens on the loopback only."""
    if shutil.which("apt-config") is None:
        return []
    said = subprocess.run(["apt-config", "dump", "Acquire::http::Proxy"], check=False, capture_output=True, text=True)
    lines = [line.rstrip(";") for line in said.stdout.splitlines() if line.startswith("Acquire::http::Proxy ")]
    return [line for line in lines if "localhost" not in line and "//127." not in line and not line.endswith('""')]


def _with_packages(
    lab: Lab, engine_: Engine, paths: LabPaths, progress: Progress, bare: str, network: str | None
) -> None:
    """Run the roles' install stage in a container of each kind, both at once, and make images of the result."""
    # With an underscore, which no lab has in its name.
    builders = {group: f"novalab_image-{lab.name}-{kind}" for group, kind in _KINDS.items()}
    options = [*(("--network", network) if network else ()), *_devices(), *containers.labels(paths)]
    inventory = paths.state / "images.ini"
    _remove(engine_, builders.values())
    try:
        for name in builders.values():
            engine_.run("run", "--detach", "--name", name, *options, bare, "sleep", "infinity")
        write_private(inventory, _inventory(lab, engine_, paths, builders))
        playbook.run(
            "playbooks/images.yaml",
            paths=paths,
            inventory=inventory,
            progress=progress,
            title=f"Package images, OpenStack {lab.release}",
            tags="image,install",
            environment=engine_.environment,
        )
        with progress.step("Saving the images") as step:
            images = {reference(lab, group): name for group, name in builders.items()}
            engine_.commit(images)  # an image gets its name only when it is complete
            step.note(", ".join(images))
    finally:
        _remove(engine_, builders.values())


def _devices() -> list[str]:
    """What a privileged node has anyway: the device with which the role probes for KVM."""
    return ["--device", str(_KVM)] if _KVM.exists() else []


def _inventory(lab: Lab, engine_: Engine, paths: LabPaths, builders: dict[Group, str]) -> str:
    """An inventory in which the containers stand for the nodes of their group."""
    lines = []
    for group, name in builders.items():
        lines += [f"[{group}]", f"{_KINDS[group]} ansible_host={name} node_address=127.0.0.1", ""]
    variables = {
        "ansible_connection": _CONNECTIONS[engine_.kind],
        "ansible_python_interpreter": "/usr/bin/python3",
        f"ansible_{engine_.kind}_executable": quoted(paths.bin / "docker"),
        "ansible_become": "false",
        "lab_name": lab.name,
        "lab_provider": lab.provider,
        "lab_virt_type": "auto",
        "lab_features": json.dumps(lab.features),
        "lab_network": str(lab.network),
        "lab_host": str(lab.host_address),
        "lab_guest_network": str(lab.guest_network),
        "lab_guest_gateway": str(lab.guest_gateway),
        "lab_images": '"[]"',
        # Ansible checks all arguments of a role; the install stage uses none of the secrets.
        "lab_secrets_file": quoted(paths.secrets),
    }
    return "\n".join([*lines, "[all:vars]", *(f"{name}={value}" for name, value in variables.items()), ""])


def _remove(engine_: Engine, names: Iterable[str]) -> None:
    """Remove builders, also those of a run that was killed."""
    if present := set(engine_.run("ps", "--all", "--format", "{{.Names}}").split()).intersection(names):
        with contextlib.suppress(LabError):  # one may have ended
            engine_.run("kill", *present)  # at once, where `rm` would wait for its end first
        engine_.run("rm", "--force", "--volumes", *present)

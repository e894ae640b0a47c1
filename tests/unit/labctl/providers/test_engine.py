"""The container engine: what a machine needs of settings, and how a node is started."""

from __future__ import annotations

import os
import resource
import stat
import tomllib
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from labctl.errors import LabError
from labctl.providers import engine
from labctl.providers.engine import Engine

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths

LIMITS = {resource.RLIMIT_NOFILE: 1024, resource.RLIMIT_NPROC: resource.RLIM_INFINITY}


@pytest.mark.parametrize(
    ("root", "capable", "systemd", "unified", "expected"),
    [
        (True, True, True, True, {}),
        # Limits are the user's own matter where nobody is root.
        (False, False, True, True, {}),
        (True, False, True, True, {"containers": {"default_ulimits": ["nofile=1024:1024", "nproc=32768:32768"]}}),
        (
            *(True, True, False, True),
            {
                "containers": {"log_driver": "k8s-file"},
                "engine": {"cgroup_manager": "cgroupfs", "events_logger": "file"},
            },
        ),
        (True, True, True, False, {"engine": {"runtime": "runc"}}),
        (
            *(True, False, False, False),
            {
                "containers": {
                    "default_ulimits": ["nofile=1024:1024", "nproc=32768:32768"],
                    "log_driver": "k8s-file",
                },
                "engine": {"cgroup_manager": "cgroupfs", "events_logger": "file", "runtime": "runc"},
            },
        ),
    ],
)
def test_settings_for_podman_suit_the_machine(
    monkeypatch: pytest.MonkeyPatch, root: bool, capable: bool, systemd: bool, unified: bool, expected: dict[str, Any]
) -> None:
    is_dir = Path.is_dir
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(engine, "_effective_capability", lambda number: capable or number != 24)
    monkeypatch.setattr(engine, "_unified_cgroups", lambda: unified)
    monkeypatch.setattr(Path, "is_dir", lambda path: systemd if str(path) == "/run/systemd/system" else is_dir(path))
    monkeypatch.setattr(resource, "getrlimit", lambda number: (0, LIMITS[number]))
    text = engine.podman_settings()
    assert tomllib.loads(text) == expected
    assert bool(text) is bool(expected)


@pytest.mark.parametrize(("effective", "able"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_capability_is_read_from_the_process_status(
    monkeypatch: pytest.MonkeyPatch, effective: str, able: bool
) -> None:
    status = f"Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t{effective}\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: status)
    assert engine._effective_capability(24) is able


@pytest.mark.parametrize(
    ("kind", "unified", "expected"),
    [
        ("podman", True, ["--systemd=always", "--no-hosts"]),
        ("podman", False, ["--systemd=always", "--no-hosts"]),
        ("docker", True, ["--cgroupns=private"]),
        ("docker", False, ["--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]),
    ],
)
def test_node_arguments_suit_engine_and_cgroups(
    monkeypatch: pytest.MonkeyPatch, kind: engine.Kind, unified: bool, expected: list[str]
) -> None:
    monkeypatch.setattr(engine, "_unified_cgroups", lambda: unified)
    arguments = Engine(kind, (kind,)).node_arguments(
        "novalab-lab", IPv4Address("192.168.56.21"), Path("/labs/a b/k.pub")
    )
    assert arguments[:5] == ["--privileged", "--network", "novalab-lab", "--ip", "192.168.56.21"]
    assert "/labs/a b/k.pub:/etc/ssh/authorized_keys.d/vagrant:ro" in arguments
    assert "127.0.0.1::22" in arguments
    assert arguments[-len(expected) :] == expected
    systemd = ["--stop-signal", "SIGRTMIN+3", "--tmpfs", "/run", "--tmpfs", "/run/lock", "--env", "container=docker"]
    assert (systemd == [word for word in arguments if word in systemd]) is (kind == "docker")


def fake(folder: Path, name: str, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


DEAD = (
    'case $1 in --version) echo "Docker version 27";; *) echo "Cannot connect to the Docker daemon" >&2; exit 1;; esac'
)
DISGUISED = 'echo "podman version 5.4.2"'
ALIVE = 'case $1 in --version) echo "Docker version 27";; fail) echo "no such thing" >&2; exit 1;; *) echo "$@";; esac'


def test_docker_is_the_first_that_works(paths: LabPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("disguised", "dead", "alive")]
    for folder, script in zip(folders, (DISGUISED, DEAD, ALIVE), strict=True):
        fake(folder, "docker", script)
    path = os.pathsep.join(map(str, folders))
    monkeypatch.setenv("PATH", path)
    found = engine.find("auto", paths)
    assert (found.kind, found.command) == ("docker", (str(folders[2] / "docker"),))
    # Vagrant finds this very engine under the name docker.
    assert found.environment["PATH"] == f"{paths.bin}{os.pathsep}{path}"
    assert not paths.state.exists()
    assert engine.install(found, paths) == found
    assert stat.S_IMODE((paths.bin / "docker").stat().st_mode) == 0o700
    assert found.run("image", "a b") == "image a b\n"
    with pytest.raises(LabError, match="`docker fail now` failed: no such thing"):
        found.run("fail", "now")


@pytest.mark.parametrize("user", [0, 1000])
def test_a_storage_of_the_callers_choice_survives_sudo(
    paths: LabPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int
) -> None:
    fake(tmp_path / "bin", "podman", 'echo "$CONTAINERS_STORAGE_CONF"')
    # As sudo does with variables that its settings do not name.
    fake(tmp_path / "bin", "sudo", 'shift\nunset CONTAINERS_STORAGE_CONF\nexec "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", "/own/storage.conf")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(engine, "podman_settings", str)
    found = engine.find("podman", paths)
    assert found.run("info") == "/own/storage.conf\n"
    assert found.environment["CONTAINERS_STORAGE_CONF"] == "/own/storage.conf"


def test_podman_comes_first_and_gets_its_settings(
    paths: LabPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = fake(tmp_path / "bin", "podman", 'echo "$CONTAINERS_CONF"')
    fake(tmp_path / "bin", "docker", ALIVE)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(engine, "podman_settings", lambda: "[engine]\n")
    found = engine.find("auto", paths)
    assert (found.kind, found.command, found.run("info").strip()) == ("podman", (str(program),), "")
    assert not paths.state.exists()
    assert engine.install(found, paths).run("info").strip() == str(paths.containers_conf)
    assert engine.find("auto", paths).run("info").strip() == str(paths.containers_conf)
    assert paths.containers_conf.read_text(encoding="utf-8") == "[engine]\n"
    assert engine.find("docker", paths).kind == "docker"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (DISGUISED, "docker: {program} is Podman"),
        (DEAD, "docker: Cannot connect to the Docker daemon"),
        (None, "docker: not installed"),
    ],
)
def test_engine_that_does_not_work_is_reported(
    paths: LabPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str | None, problem: str
) -> None:
    program = fake(tmp_path / "bin", "docker", script) if script else tmp_path
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(LabError) as caught:
        engine.find("auto", paths)
    assert caught.value.message == (
        f"No container engine works: podman: not installed; {problem.format(program=program)}"
    )
    assert not paths.state.exists()

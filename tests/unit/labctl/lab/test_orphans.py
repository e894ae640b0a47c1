"""Which processes of an earlier run are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.lab import orphans
from labctl.lab.paths import LabPaths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")


@contextlib.contextmanager
def child(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that would live on, in a session of its own as Ansible's."""
    with subprocess.Popen(["sleep", "60"], env={**os.environ, **environment}, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_end_ends_processes_of_this_lab_only(paths: LabPaths) -> None:
    longer = LabPaths(paths.directory.with_name("lab2"))
    with child(orphans.mark(paths)) as own, child(orphans.mark(longer)) as other, child({}) as stranger:
        assert orphans.end(paths) == 1
        assert own.wait(timeout=5) == -signal.SIGKILL
        assert (other.poll(), stranger.poll()) == (None, None)
    assert orphans.end(paths) == 0


def test_end_spares_its_own_process(paths: LabPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A process's environment in /proc is the one it was started with, hence one made up.
    entry = tmp_path / str(os.getpid())
    entry.mkdir()
    (entry / "environ").write_bytes(f"HOME=/\0NOVALAB_RUN={paths.directory}\0".encode())
    monkeypatch.setattr(orphans, "_PROC", tmp_path)
    assert orphans.end(paths) == 0


def test_end_without_proc_does_nothing(paths: LabPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(orphans, "_PROC", tmp_path / "none")
    assert orphans.end(paths) == 0

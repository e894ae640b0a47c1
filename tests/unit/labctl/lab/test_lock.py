"""One labctl at a time in a directory, and which processes of an earlier one are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from labctl.errors import LabError
from labctl.lab import lock
from labctl.lab.paths import LabPaths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")


def test_lock_held_by_another_is_refused(paths: LabPaths) -> None:
    with lock.held(paths, "up"), pytest.raises(LabError) as caught, lock.held(paths, "destroy"):
        pytest.fail("held twice")
    assert caught.value.message == (f"The lab in {paths.directory} is in use by labctl up (process {os.getpid()})")
    assert caught.value.remedy == "Wait until it ends, then try again."


def test_lock_after_an_error_is_free(paths: LabPaths) -> None:
    with pytest.raises(RuntimeError), lock.held(paths, "up"):
        raise RuntimeError
    with lock.held(paths, "destroy"):
        assert paths.lock.read_text(encoding="utf-8") == f"labctl destroy (process {os.getpid()})"
    assert paths.lock.read_text(encoding="utf-8") == ""


def test_a_file_that_stayed_behind_blocks_nobody(paths: LabPaths) -> None:
    paths.make_state()
    paths.lock.write_text("labctl up (process 1) and more than the next one writes", encoding="utf-8")
    with lock.held(paths, "halt"):
        assert paths.lock.read_text(encoding="utf-8") == f"labctl halt (process {os.getpid()})"


@contextlib.contextmanager
def child(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that would live on, in a session of its own as Ansible's."""
    with subprocess.Popen(["sleep", "60"], env={**os.environ, **environment}, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


@needs_proc
def test_end_orphans_kills_processes_of_this_lab_only(paths: LabPaths) -> None:
    longer = LabPaths(paths.directory.with_name("lab2"))
    with child(lock.mark(paths)) as own, child(lock.mark(longer)) as other, child({}) as stranger:
        assert lock.end_orphans(paths) == 1
        assert own.wait(timeout=5) == -signal.SIGKILL
        assert (other.poll(), stranger.poll()) == (None, None)
    assert lock.end_orphans(paths) == 0


@needs_proc
def test_end_orphans_spares_its_own_process(paths: LabPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A process's environment in /proc is the one it was started with, hence one made up.
    entry = tmp_path / str(os.getpid())
    entry.mkdir()
    (entry / "environ").write_bytes(f"HOME=/\0NOVALAB_RUN={paths.directory}\0".encode())
    monkeypatch.setattr(lock, "_PROC", tmp_path)
    assert lock.end_orphans(paths) == 0


@needs_proc
def test_end_orphans_without_proc_does_nothing(
    paths: LabPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lock, "_PROC", tmp_path / "none")
    assert lock.end_orphans(paths) == 0

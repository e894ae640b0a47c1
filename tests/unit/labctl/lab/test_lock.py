"""One labctl at a time in a directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from labctl.errors import LabError
from labctl.lab import lock

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths


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

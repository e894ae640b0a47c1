"""The limit of inotify instances, as a machine answers for it."""

import sys

import pytest

from labctl.errors import BadInput
from labctl.providers import inotify_limit


@pytest.mark.parametrize("said", ["27", "30", "", "no python"])
def test_inotify_limit_that_is_enough_or_unknown_passes(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setattr(inotify_limit, "as_root", lambda: ["sh", "-c", f"echo {said}"])
    inotify_limit.check(3)


def test_inotify_limit_that_is_too_low_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inotify_limit, "as_root", lambda: ["sh", "-c", "echo 23"])
    with pytest.raises(BadInput, match="3 nodes need 27 inotify instances, and root has 23 of") as caught:
        inotify_limit.check(3)
    assert "fs.inotify.max_user_instances" in str(caught.value.remedy)


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_inotify_instances_in_use_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer file descriptors than asked for there is no room, whatever the machine's limit."""
    monkeypatch.setattr(inotify_limit, "as_root", lambda: ["sh", "-c", 'ulimit -n 20; exec "$@"', "sh"])
    inotify_limit.check(1)
    with pytest.raises(BadInput, match="9 nodes need 81"):
        inotify_limit.check(9)

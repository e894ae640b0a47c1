"""Programs on nodes, with an ssh in PATH that runs them here."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from labctl.remote import ssh as remote
from labctl.remote.access import SshHost

if TYPE_CHECKING:
    from pathlib import Path

HERE = (sys.executable, "-I", "-")
# Options and the command follow user@host; a host named "gone" is one that ssh does not reach.
SSH = """#!/bin/sh
while [ "${1#*@}" = "$1" ]; do shift; done
if [ "${1#*@}" = gone ]; then echo "ssh: connect to host gone port 22: No route to host" >&2; exit 255; fi
shift
while [ "$1" = -o ]; do shift 2; done
exec "$@"
"""


@pytest.fixture(autouse=True)
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text(SSH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


def host(name: str) -> SshHost:
    return SshHost(name, 22, "vagrant", "/key")


def test_every_node_answers_for_itself() -> None:
    hosts = {"controller": host("10.0.0.11"), "compute1": host("gone")}
    answers = remote.run(hosts, "print('here')", command=HERE)
    assert answers["controller"] == remote.Answer("here\n")
    assert not answers["compute1"].ok
    assert answers["compute1"].problem.startswith("not reached by ssh: ssh: connect to host gone")


def test_a_program_that_fails_says_why() -> None:
    answer = remote.run({"controller": host("a")}, "print('half'); raise SystemExit('no such unit')", command=HERE)
    assert answer["controller"] == remote.Answer("half\n", "no such unit")


def test_a_program_that_hangs_is_given_up() -> None:
    answer = remote.run({"controller": host("a")}, "import time; time.sleep(60)", command=HERE, timeout=1)
    assert answer["controller"].problem == "no answer within 1 s"


def test_without_hosts_there_is_nothing_to_ask() -> None:
    assert remote.run({}, "print()") == {}

"""Running programs on the nodes by ssh, on all of them at the same time."""

import contextlib
import shlex
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labctl.errors import LabError
from labctl.remote.access import SshHost

_SSH_FAILED = 255  # ssh(1), EXIT STATUS
# The nodes' own Python, isolated from what a user may have put into its path.
PYTHON = ("sudo", "-n", "/usr/bin/python3", "-I", "-")


@dataclass(frozen=True)
class Answer:
    """What a program on a node has printed. problem says how it failed, empty if it ended with status 0."""

    output: str
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether the program ended well."""
        return not self.problem


def run(
    hosts: Mapping[str, SshHost], program: str, *, command: Sequence[str] = PYTHON, timeout: float = 60.0
) -> dict[str, Answer]:
    """Do run_on for every host, and return the answers by node."""
    with ThreadPoolExecutor(max_workers=max(1, len(hosts))) as pool:
        answers = pool.map(lambda host: run_on(host, program, command=command, timeout=timeout), hosts.values())
        return dict(zip(hosts, answers, strict=True))


def run_on(host: SshHost, program: str, *, command: Sequence[str] = PYTHON, timeout: float = 60.0) -> Answer:
    """Hand a program to a command on a host by standard input.

    command is Python as root; its words are read by the node's shell. A node that cannot be reached or a program that
    does not end within timeout seconds is an answer with a problem, never an exception.
    """
    line = host.command(*command, batch=True)
    try:
        done = subprocess.run(line, input=program, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return Answer("", f"no answer within {timeout:.0f} s")
    if done.returncode == 0:
        return Answer(done.stdout)
    said = done.stderr.strip() or f"ended with status {done.returncode}"
    return Answer(done.stdout, f"not reached by ssh: {said}" if done.returncode == _SSH_FAILED else said)


def stream(host: SshHost, program: str) -> "subprocess.Popen[str]":
    """Start Python as root on a host, and leave its standard input open behind the program.

    The input ends with ssh, and ssh with labctl, so a program that runs until then leaves nothing behind.
    """
    size = len(program.encode())
    words = shlex.join([*PYTHON[:-1], "-c", f"import sys; exec(sys.stdin.buffer.read({size}).decode())"])
    pipe = subprocess.PIPE
    line = host.command(words, batch=True)
    process = subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8")
    assert process.stdin is not None  # noqa: S101 (it is a pipe)
    with contextlib.suppress(BrokenPipeError):  # ssh itself says why it has ended
        process.stdin.write(program)
        process.stdin.flush()
    return process


def wait_for_ssh(hosts: Mapping[str, SshHost], *, timeout: float = 120.0) -> None:
    """Wait until every node accepts a login. Raises LabError with the last message of ssh after timeout seconds."""
    end = time.monotonic() + timeout
    with ThreadPoolExecutor(max_workers=max(1, len(hosts))) as pool:
        problems = pool.map(lambda host: _try(host, end), hosts.values())
    for (name, host), problem in zip(hosts.items(), problems, strict=True):
        if problem is not None:
            raise LabError(
                f"{name} ({host.host} port {host.port}) does not answer by ssh within {timeout:.0f} s: {problem}",
                "Look at `vagrant status`, and at the journal on the node.",
            )


def _try(host: SshHost, end: float) -> str | None:
    """The banner says that sshd is there, a login that it lets us in: pam_nologin forbids that while a node boots."""
    while True:
        try:
            with socket.create_connection((host.host, host.port), timeout=5) as connection:
                connection.settimeout(5)
                connection.recv(4)
            line = host.command("true", batch=True)
            done = subprocess.run(line, capture_output=True, text=True, timeout=20, check=False)
            if done.returncode == 0:
                return None
            problem = done.stderr.strip() or f"ssh ended with status {done.returncode}"
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = str(error)
        if time.monotonic() > end:
            return problem
        time.sleep(0.2)

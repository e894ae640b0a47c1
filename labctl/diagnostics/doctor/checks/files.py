"""Checks of the configuration files on the nodes, and of what secrets can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.ansible import services
from labctl.diagnostics.doctor.case import Case, Facts, settings_subject
from labctl.diagnostics.doctor.finding import Finding, Severity, check
from labctl.lab.service_files import ConfigFile

if TYPE_CHECKING:
    from collections.abc import Iterator

_OTHERS = 0o007


def _seen(file: Facts, expected: ConfigFile) -> str:
    seen = f"{file['path']} is {file['mode']:04o} {file['owner']}:{file['group']}"
    return f"{seen}; expected {expected.mode} {expected.owner}:{expected.group}"


def _expected(case: Case, node: str, file: Facts) -> ConfigFile:
    """How a file should be; one that no role describes is for its service alone."""
    known = {file.path: file for role in services.of(case.lab, case.lab.node(node)) for file in role.files}
    return known.get(file["path"]) or ConfigFile(path=file["path"], group=file["user"], mode="0640")


@check("file-open", "no file with secrets is open to everybody")
def file_open(case: Case) -> Iterator[Finding]:
    """Files with passwords or keys that any user of the node can read."""
    for name, facts in case.nodes.items():
        for file in facts["files"]:
            if file["secret"] and file["mode"] & _OTHERS:
                yield Finding(
                    name,
                    f"every user on {name} can get at the secrets in {file['path']}",
                    (_seen(file, _expected(case, name, file)),),
                    f"labctl ssh {name} -- sudo chmod o= {file['path']}, or labctl up",
                    Severity.WARNING,
                )


@check("file-unreadable", "every service can read its settings")
def file_unreadable(case: Case) -> Iterator[Finding]:
    """Settings that the service's own user cannot read: it ends at its next start."""
    for name, facts in case.nodes.items():
        for file in facts["files"]:
            if not file["readable"]:
                expected = _expected(case, name, file)
                yield Finding(
                    name,
                    f"the user {file['user']} cannot read {file['path']} on {name}",
                    (_seen(file, _expected(case, name, file)),),
                    f"labctl ssh {name} -- 'sudo chown {expected.owner}:{expected.group} {file['path']}; "
                    f"sudo chmod {expected.mode} {file['path']}', or labctl up",
                    subject=settings_subject(name, file["user"]),
                )


@check("file-broken", "every settings file can be understood")
def file_broken(case: Case) -> Iterator[Finding]:
    """Files that oslo.config cannot parse: the service ends at its next start."""
    for name, facts in case.nodes.items():
        for file in facts["files"]:
            if file["flaw"]:
                yield Finding(
                    name,
                    f"{file['path']} on {name} is not a settings file",
                    (file["flaw"],),
                    "labctl up rewrites it",
                    subject=settings_subject(name, file["user"]),
                )


@check("secret-seen", "no command line and no log shows a secret")
def secret_seen(case: Case) -> Iterator[Finding]:
    """Passwords where others can read them. They are not repeated here."""
    for name, facts in case.nodes.items():
        if facts["exposed"]:
            yield Finding(
                name,
                f"a password of a service can be read on {name}",
                tuple(f"it is in {place}" for place in facts["exposed"][:8]),
                "end the process or remove the log; give passwords by files only. A new password: lab.yaml, secrets",
                Severity.WARNING,
            )

"""Checks of the configuration files on the nodes, and of who can see secrets."""

from labctl.ansible import services
from labctl.diagnostics.doctor.case import Facts, NodeCase, node_check
from labctl.diagnostics.doctor.finding import Findings, error, settings_subject, warning
from labctl.lab.service_files import ConfigFile

_OTHERS = 0o007


def _expected(node: NodeCase, file: Facts) -> tuple[ConfigFile, str]:
    """How a file should be, and how it is; a file that no role describes is for its service alone."""
    lab = node.case.lab
    known = {file.path: file for role in services.of(lab, lab.node(node.name)) for file in role.files}
    expected = known.get(file["path"]) or ConfigFile(path=file["path"], group=file["user"], mode="0640")
    seen = f"{file['path']} is {file['mode']:04o} {file['owner']}:{file['group']}"
    return expected, f"{seen}; expected {expected.mode} {expected.owner}:{expected.group}"


@node_check("file-open", "no file with secrets is open to everybody")
def file_open(node: NodeCase) -> Findings:
    for file in node.facts["files"]:
        if file["secret"] and file["mode"] & _OTHERS:
            yield warning(
                f"every user on {node.name} can get at the secrets in {file['path']}",
                _expected(node, file)[1],
                f"labctl ssh {node.name} -- sudo chmod o= {file['path']}, or labctl up",
            )


@node_check("file-unreadable", "every service can read its settings")
def file_unreadable(node: NodeCase) -> Findings:
    """Settings that the service's own user cannot read: the service fails at its next start."""
    for file in node.facts["files"]:
        if not file["readable"]:
            expected, evidence = _expected(node, file)
            yield error(
                f"the user {file['user']} cannot read {file['path']} on {node.name}",
                evidence,
                f"labctl ssh {node.name} -- 'sudo chown {expected.owner}:{expected.group} {file['path']}; "
                f"sudo chmod {expected.mode} {file['path']}', or labctl up",
                subject=settings_subject(node.name, file["user"]),
            )


@node_check("file-broken", "every settings file can be understood")
def file_broken(node: NodeCase) -> Findings:
    """Files that oslo.config cannot parse: the service fails at its next start."""
    for file in node.facts["files"]:
        if file["flaw"]:
            yield error(
                f"{file['path']} on {node.name} is not a settings file",
                file["flaw"],
                "labctl up rewrites it",
                subject=settings_subject(node.name, file["user"]),
            )


@node_check("secret-seen", "no command line and no log shows a secret")
def secret_seen(node: NodeCase) -> Findings:
    """Passwords where others can read them. The findings do not repeat them."""
    if node.facts["exposed"]:
        yield warning(
            f"a password of a service can be read on {node.name}",
            [f"it is in {place}" for place in node.facts["exposed"][:8]],
            "end the process or remove the log; give passwords by files only. A new password: lab.yaml, secrets",
        )

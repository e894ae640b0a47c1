# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Several command lines of one service's own tool, side by side, for the price of importing it once."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from ansible_collections.novalab.openstack.plugins.module_utils import service_database

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

LAST_LINES = 15

# Imports what the commands' console scripts import, which takes two seconds of processor for Nova, then forks for each.
# Standard input has the commands, and in their environment what nobody is to see in a list of processes.
PROGRAM = r"""
import importlib.metadata, json, logging, os, sys, tempfile, traceback

def main_of(name):
    found = importlib.metadata.entry_points(group="console_scripts", name=name)
    return next(iter(found)).load()

def run(main, command, output):
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(command["environment"])
    sys.argv = command["words"]
    try:
        code = main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(code or 0)

rounds = json.load(sys.stdin)
mains = {name: main_of(name) for name in {command["words"][0] for commands in rounds for command in commands}}
answers = []
for commands in rounds:
    running = []
    for command in commands:
        file = tempfile.TemporaryFile()
        process = os.fork()
        if process == 0:
            run(mains[command["words"][0]], command, file.fileno())
        running.append((process, file))
    for process, file in running:
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        file.seek(0)
        answers.append([code, file.read().decode(errors="replace")])
    if any(code for code, _ in answers):
        break
json.dump(answers, sys.stdout)
"""


@dataclass(frozen=True)
class Command:
    """A console script with its arguments, and variables of its environment that may be secret."""

    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The command as people would type it."""
        return " ".join(self.words)


def logged(command: Command, config: str) -> Command:
    """The command with a log file of its tool's name, where the service keeps its logs in a folder.

    oslo.log would name the file after the program that runs, which is none: "<string>.log".
    """
    try:
        service_database.option(config, "DEFAULT", "log_dir")
    except (KeyError, OSError):
        return command
    return replace(command, environment={"OS_DEFAULT__LOG_FILE": f"{command.words[0]}.log", **command.environment})


def run(module: AnsibleModule, user: str, *rounds: list[Command]) -> None:
    """Run commands as the service's user: round after round, those of each at the same time.

    The module fails with the words of those that fail, and later rounds are not run.
    """
    commands = [command for of_round in rounds for command in of_round]
    if not commands:
        return
    code, out, err = module.run_command(
        ["runuser", "-u", user, "--", "/usr/bin/python3", "-I", "-c", PROGRAM],
        data=json.dumps([[asdict(command) for command in of_round] for of_round in rounds]),
    )
    if code != 0:
        titles = "', '".join(command.title for command in commands)
        module.fail_json(msg=f"'{titles}' did not run: {last_lines(err or out)}")
    failures = [
        f"'{command.title}' ended with status {status}: {last_lines(said)}"
        for command, (status, said) in zip(commands, json.loads(out), strict=False)
        if status != 0
    ]
    if failures:
        module.fail_json(msg="\n".join(failures))


def last_lines(text: str) -> str:
    """The end of what a command has said."""
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])

#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""The lines of log files that belong to a request or an instance."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: log_lines
short_description: Find the lines of log files that belong to a request or an instance
version_added: "0.1.0"
description:
  - Finds the lines that hold one of some words, such as the ids of requests and of an instance, in all files that a
    pattern matches, ordered by time. Leaves out the inner lines of tracebacks and what services log at every request.
author:
  - novalab contributors (@novalab)
options:
  paths:
    description: Patterns of the files' paths.
    type: list
    elements: str
    required: true
  words:
    description: What a line must hold one of.
    type: list
    elements: str
    required: true
  last:
    description: How many lines at most, the last ones.
    type: int
    default: 40
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: What Nova has logged of a request
  novalab.openstack.log_lines:
    paths: [/var/log/nova/nova-*.log]
    words: [req-d727dccb-2a4d-41d3-9040-b497b5458ecf]
"""

RETURN = r"""
lines:
  description: The lines. A long one lacks its middle, since its end says what it is about.
  type: list
  elements: str
  returned: always
"""

import glob
import re
from typing import TYPE_CHECKING

from ansible.module_utils.basic import AnsibleModule

if TYPE_CHECKING:
    from collections.abc import Iterable

HALF = 1000
# oslo.log's lines: time, process, level, logger, then the message.
LINE = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \d+ (?:INFO|WARNING|ERROR|CRITICAL) (\S+) (.*)$")
# What a line of a traceback looks like behind the logger's name and the instance.
TRACEBACK = re.compile(
    r"^(?:\[instance: [^\]]*\] ?)?(?: {2,}\S.*| *\^+ *| *~+\^*~* *|Traceback .*|During handling of .*| *)$"
)
# Each request to an API, and each time that somebody reads a console.
ROUTINE = re.compile(r"^nova\.api\.openstack\.requestlog |^nova\.privsep\.| Get console output$")


def select(lines: Iterable[str], words: list[str]) -> list[str]:
    """The lines that say something about one of the words, each message once."""
    found: dict[str, str] = {}
    for line in lines:
        match = LINE.match(line)
        if match is None or not any(word in line for word in words):
            continue
        logger, message = match.groups()[1:]
        if TRACEBACK.match(message) or ROUTINE.search(f"{logger} {message}"):
            continue
        found.setdefault(message, line if len(line) <= 2 * HALF else f"{line[:HALF]} ... {line[-HALF:]}")
    return sorted(found.values())


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "str", "required": True},
            "words": {"type": "list", "elements": "str", "required": True},
            "last": {"type": "int", "default": 40},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    found: list[str] = []
    for path in sorted({path for pattern in parameters["paths"] for path in glob.glob(pattern)}):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                found += select((line.rstrip("\n") for line in file), parameters["words"])
        except OSError as error:
            module.fail_json(msg=f"cannot read {path}: {error.strerror}")
    module.exit_json(changed=False, lines=sorted(found)[-parameters["last"] :])


if __name__ == "__main__":
    main()

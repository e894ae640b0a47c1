#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Ask Nova's own readiness check."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: check_upgrade
short_description: Ask Nova's own readiness check
version_added: "0.1.0"
description:
  - Runs C(nova-status upgrade check). Status 0 is success, 1 means that one of its checks warns, which is told and
    passes, and 2 or more fails.
  - A check that fails is reported in RV(checks) and does not fail the module.
author:
  - novalab contributors (@novalab)
options:
  node:
    description: The node's name in the lab.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Only reads.
  diff_mode:
    support: none
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Ask Nova
  novalab.openstack.check_upgrade:
    node: controller
"""

RETURN = r"""
checks:
  description: What was compared.
  type: list
  elements: dict
  returned: always
  sample:
    - {name: nova-status, node: controller, expected: "no failure", found: "7 of 7 succeed", ok: true}
"""

import re
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils.checks import Check, listed, result

COMMAND = ["runuser", "-u", "nova", "--", "nova-status", "upgrade", "check"]
WARNING = 1
# Why a check of nova-status may warn in a lab that is as it should be.
HARMLESS = {
    "Cinder API": "the lab has no Cinder",
    "hw_machine_type unset": "instances were made before the computes had a machine type of their own",
    "Older than N-1 computes": "a compute that was removed still has its row",
}
FIELD = re.compile(r"^\|\s*(?P<text>.*?)\s*\|$")


@dataclass(frozen=True)
class Answer:
    """One check of nova-status."""

    name: str
    verdict: str
    details: str


def parse(output: str) -> list[Answer]:
    """The boxes that nova-status draws; details that go over several lines are joined."""
    answers: list[Answer] = []
    current: dict[str, str] = {}
    field = ""
    for line in output.splitlines():
        match = FIELD.match(line.strip())
        if match is None:
            if "Check" in current:
                answers.append(Answer(current["Check"], current.get("Result", ""), current.get("Details", "")))
            current, field = {}, ""
            continue
        name, separator, value = match["text"].partition(": ")
        if separator and name in ("Check", "Result", "Details"):
            field = name
            current[field] = value
        elif field:
            current[field] = f"{current[field]} {match['text']}".strip()
    return answers


def judge(node: str, code: int, output: str, error: str) -> Check:
    """What the exit status and the boxes mean; without boxes the command itself failed."""
    answers = parse(output)
    expected = "'nova-status upgrade check' without a failure"
    if not answers:
        last = (error or output).strip().splitlines()[-3:]
        return Check(
            "nova-status",
            node,
            expected,
            f"status {code} and no answers: {listed(last)}",
            ok=False,
            remedy="look at /var/log/nova/nova-status.log and at the units mariadb and keystone",
        )
    bad = [answer for answer in answers if answer.verdict != "Success"]
    notes = [f"{answer.name}: {answer.verdict} ({HARMLESS.get(answer.name, answer.details)})" for answer in bad]
    found = f"status {code}: {len(answers) - len(bad)} of {len(answers)} succeed"
    return Check(
        "nova-status",
        node,
        expected,
        "; ".join([found, *notes]),
        ok=code <= WARNING,
        detail=tuple(f"{answer.name}: {answer.details}" for answer in bad),
        remedy="each check is described in Nova's manual, nova-status(1)",
    )


def main() -> None:
    module = AnsibleModule(argument_spec={"node": {"type": "str", "required": True}}, supports_check_mode=True)
    code, out, err = module.run_command(COMMAND, environ_update={"LC_ALL": "C.UTF-8"})
    module.exit_json(**result([judge(module.params["node"], code, out, err)]))


if __name__ == "__main__":
    main()

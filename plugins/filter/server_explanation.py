# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a server is not up, in words."""

from __future__ import annotations

DOCUMENTATION = r"""
name: server_explanation
short_description: Say why a server is not up
version_added: "0.1.0"
description:
  - Puts together what M(novalab.openstack.server_diagnosis) found out about a server and what the nodes logged about
    it, and says which resource, filter, compute or image is the cause.
options:
  _input:
    description: The facts of the server, as M(novalab.openstack.server_diagnosis) returns them.
    type: dict
    required: true
  logs:
    description: The lines of each node, as M(novalab.openstack.log_lines) returns them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Say why
  ansible.builtin.debug:
    msg: "{{ (fault.facts | novalab.openstack.server_explanation(logs)).text }}"
"""

RETURN = r"""
_value:
  description: The keys server, up, causes, evidence and remedy, and all of them as text.
  type: dict
"""

from typing import TYPE_CHECKING, Any

from ansible_collections.novalab.openstack.plugins.module_utils import explanation

if TYPE_CHECKING:
    from collections.abc import Callable


def server_explanation(facts: dict[str, Any], logs: dict[str, list[str]]) -> dict[str, Any]:
    """The explanation, with its text."""
    result = explanation.explain(facts, logs)
    return {**result, "text": explanation.text(result)}


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"server_explanation": server_explanation}

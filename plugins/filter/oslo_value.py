# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""The filter oslo_value: any printable string as the value of an oslo.config option."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: oslo_value
short_description: Write a string as the value of an oslo.config option
version_added: "0.1.0"
description:
  - Puts the string into double quotes, which oslo.config takes off again, so that leading and trailing spaces and
    quotes survive, and puts a backslash before C($), which oslo.config would take for a reference to another option.
author: ["novalab contributors (@novalab)"]
options:
  _input:
    description: The string.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: A password with special characters
  ansible.builtin.debug:
    msg: "password = {{ 'p$x' | novalab.openstack.oslo_value }}"
"""

RETURN = r"""
_value:
  description: The value as it stands in the file.
  type: str
"""


def oslo_value(text: str) -> str:
    """Any one-line string as an oslo.config value (oslo_config.iniparser and its C($) interpolation)."""
    if "\n" in text:
        raise ValueError("a value of an oslo.config option must be one line")
    return '"' + text.replace("$", "\\$") + '"'


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"oslo_value": oslo_value}

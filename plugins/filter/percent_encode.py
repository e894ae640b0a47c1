# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""The filter percent_encode: any string as a part of a URL."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: percent_encode
short_description: Write a string as one part of a URL
version_added: "0.1.0"
description:
  - Encodes every character outside the unreserved set of RFC 3986, also C(/), which P(ansible.builtin.urlencode#filter)
    leaves as it is. So a password of any printable characters can stand in a database or transport URL.
author: ["novalab contributors (@novalab)"]
options:
  _input:
    description: The string.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: A database URL
  ansible.builtin.debug:
    msg: "mysql+pymysql://nova:{{ 'p@:/#' | novalab.openstack.percent_encode }}@192.168.56.11/nova"
"""

RETURN = r"""
_value:
  description: The encoded string.
  type: str
"""


def percent_encode(text: str) -> str:
    """A string as one part of a URL (RFC 3986, section 2)."""
    return urllib.parse.quote(text, safe="")


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"percent_encode": percent_encode}

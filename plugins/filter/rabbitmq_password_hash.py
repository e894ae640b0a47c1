# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""The filter rabbitmq_password_hash: a password as RabbitMQ keeps it in its definitions."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

DOCUMENTATION = r"""
name: rabbitmq_password_hash
short_description: Hash a password as RabbitMQ's definitions want it
version_added: "0.1.0"
description:
  - Gives the salted SHA-256 hash that RabbitMQ's C(rabbit_password_hashing_sha256) checks, in base 64.
  - The salt is derived from the user's name and the password, so that the same password gives the same text and the
    definitions file changes only when the password does.
author: ["novalab contributors (@novalab)"]
options:
  _input:
    description: The password.
    type: str
    required: true
  user:
    description: The user's name.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The hash of a user's password
  ansible.builtin.debug:
    msg: "{{ 'secret' | novalab.openstack.rabbitmq_password_hash('nova') }}"
"""

RETURN = r"""
_value:
  description: Four bytes of salt and the hash of salt and password, in base 64.
  type: str
"""

SALT_BYTES = 4


def rabbitmq_password_hash(password: str, user: str) -> str:
    """RabbitMQ's salted hash of a password (RabbitMQ manual, "Passwords", "Computing a Password Hash")."""
    salt = hashlib.sha256(f"{user}\0{password}".encode()).digest()[:SALT_BYTES]
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"rabbitmq_password_hash": rabbitmq_password_hash}

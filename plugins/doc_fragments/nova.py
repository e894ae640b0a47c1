# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What modules say of Nova's configuration."""

from __future__ import annotations


class ModuleDocFragment:
    """The option of modules that work with Nova's own code or credentials."""

    DOCUMENTATION = r"""
options:
  config:
    description: Nova's configuration file.
    type: path
    default: /etc/nova/nova.conf
"""

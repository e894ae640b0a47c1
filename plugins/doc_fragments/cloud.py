# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What modules say of the cloud that they talk to; module_utils/cloud.py has the arguments."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that read a C(clouds.yaml)."""

    DOCUMENTATION = r"""
requirements:
  - openstacksdk >= 4
options:
  clouds_file:
    description: The C(clouds.yaml) to read.
    type: path
    required: true
  cloud:
    description: The cloud's name in it, with an administrator's credentials.
    type: str
    required: true
"""

    PROJECT = r"""
options:
  project:
    description: The project to act in, if it is not the cloud's own.
    type: str
"""

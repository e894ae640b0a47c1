# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Fills in the templates of the module of the same name, and hands all texts over at once."""

from __future__ import annotations

import base64
import json
import os
import zlib
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

# As ansible.builtin.template has it.
OPTIONS = {"trim_blocks": True, "lstrip_blocks": False}
MANAGED = "Ansible managed"  # the default of Ansible itself


def packed(texts: list[str]) -> str:
    """Texts as one word, small because all of it travels through the pipe of one ssh."""
    return base64.b64encode(zlib.compress(json.dumps(texts).encode())).decode()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Everything about the files but their texts is the module's business."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        task_vars = task_vars or {}
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        files = arguments.get("files")
        if not isinstance(files, list) or not all(isinstance(file, dict) and file.get("src") for file in files):
            raise AnsibleActionFail(f"expected files as a list of dictionaries with src and dest, found {type(files)}")
        files = [file for file in files if boolean(file.get("wanted", True))]
        arguments["contents"] = packed([self._text(file, task_vars) for file in files])
        # What only templates need stays here.
        arguments["files"] = [{name: value for name, value in file.items() if name != "item"} for file in files]
        result.update(
            self._execute_module(
                module_name="novalab.openstack.template_files", module_args=arguments, task_vars=task_vars
            )
        )
        return result

    def _text(self, file: dict[str, Any], task_vars: dict[str, Any]) -> str:
        path = self._find_needle("templates", file["src"])
        names = {**task_vars, "ansible_managed": task_vars.get("ansible_managed", MANAGED)}
        if "item" in file:
            names["item"] = file["item"]
        templar = self._templar.copy_with_new_env(searchpath=[os.path.dirname(path)], available_variables=names)
        template = trust_as_template(self._loader.get_text_file_contents(path))
        text = templar.template(template, escape_backslashes=False, overrides=OPTIONS)
        return "" if text is None else str(text)

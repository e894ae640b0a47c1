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
from ansible_collections.novalab.openstack.plugins.module_utils import oslo_ini

# As ansible.builtin.template has it.
OPTIONS = {"trim_blocks": True, "lstrip_blocks": False}
MANAGED = "Ansible managed"  # the default of Ansible itself


def packed(texts: list[str]) -> str:
    """Texts as one word, small because all of it travels through the pipe of one ssh."""
    return base64.b64encode(zlib.compress(json.dumps(texts).encode())).decode()


def _read(path: str) -> str:
    """A file that is data and never a template. Raises AnsibleActionFail when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise AnsibleActionFail(f"{path} cannot be read: {error}") from error


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
        texts = [self._text(file, task_vars) for file in files]
        overrides = [self._overrides(file, text, task_vars) for file, text in zip(files, texts, strict=True)]
        arguments["contents"] = packed(texts)
        arguments["overrides"] = packed([json.dumps(found) for found in overrides]) if any(overrides) else None
        # What only templates need stays here.
        arguments["files"] = [{name: value for name, value in file.items() if name != "item"} for file in files]
        result.update(
            self._execute_module(
                module_name="novalab.openstack.template_files", module_args=arguments, task_vars=task_vars
            )
        )
        return result

    def _overrides(self, file: dict[str, Any], text: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """What is to be merged into a file, and what its service's options are; empty when there is nothing."""
        folder = str(self._templar.template(task_vars.get("template_files_overrides", "")) or "")
        if not folder or not os.path.isdir(folder) or not oslo_ini.has_sections(text):
            return {}
        dest = str(self._templar.template(file["dest"]))
        # From the general to the special: every node, groups, this node.
        places = ["", *sorted(task_vars.get("group_names", [])), str(task_vars.get("inventory_hostname", ""))]
        names = dict.fromkeys(os.path.join(place, os.path.basename(dest)) for place in places)
        found = [(name, path) for name in names if os.path.isfile(path := os.path.join(folder, name))]
        if not found:
            return {}
        options = self._templar.template(task_vars.get("template_files_options", {})).get(dest, {})
        return {
            "files": [[f"overrides/{name}", _read(path)] for name, path in found],
            "namespaces": list(options.get("namespaces", [])),
            "aliases": dict(options.get("aliases", {})),
        }

    def _text(self, file: dict[str, Any], task_vars: dict[str, Any]) -> str:
        path = self._find_needle("templates", file["src"])
        names = {**task_vars, "ansible_managed": task_vars.get("ansible_managed", MANAGED)}
        if "item" in file:
            names["item"] = file["item"]
        templar = self._templar.copy_with_new_env(searchpath=[os.path.dirname(path)], available_variables=names)
        template = trust_as_template(self._loader.get_text_file_contents(path))
        text = templar.template(template, escape_backslashes=False, overrides=OPTIONS)
        return "" if text is None else str(text)

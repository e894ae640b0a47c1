#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Keep several files as their templates say, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: template_files
short_description: Keep several files as their templates say, in one call
version_added: "0.1.0"
description:
  - Fills in templates on the controller and writes them on the node. All files of a call are compared and written by
    one process, where M(ansible.builtin.template) starts two for each, and more when the file differs.
  - A file that differs is written beside its place, gets its owner and mode there, and is then moved. A reader finds
    the old text or the new one, and a secret is never readable by others, not even for a moment.
author:
  - novalab contributors (@novalab)
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      src:
        description: The template, looked for where M(ansible.builtin.template) looks.
        type: str
        required: true
      dest:
        description: The file on the node. Missing folders are made. A symbolic link stays, and its target is written.
        type: path
        required: true
      owner:
        description: Who owns the file. By default it is the user that the task runs as, who with C(become) is root.
        type: str
      group:
        description: The file's group, by default that of the same user.
        type: str
      mode:
        description: The permissions as an octal number.
        type: str
        default: "0644"
      item:
        description: What the template finds as C(item).
        type: raw
      wanted:
        description: Whether this file is dealt with at all.
        type: bool
        default: true
      secret:
        description: Whether the text is kept out of differences that are shown.
        type: bool
        default: false
      unsafe_writes:
        description: Write into the file as it is, which cannot be replaced by another one because it is mounted.
        type: bool
        default: false
  contents:
    description: The texts, packed. The action plugin fills this in.
    type: str
  overrides:
    description: What is merged into them, packed. The action plugin fills this in.
    type: str
notes:
  - If the variable C(template_files_overrides) names a directory on the controller, files in it are merged into INI
    files of the same name, after the template was filled in. C(NAME) is for every node, C(GROUP/NAME) for a group and
    C(NODE/NAME) for a node; an option there replaces all of its name. They are data, never templates.
  - C(template_files_options) has, by the path of a file, the C(namespaces) of its service's options and C(aliases) of
    sections. An option that the service does not know, or whose value it cannot read, fails the task before the file is
    written, where oslo.config is installed.
attributes:
  check_mode:
    support: full
    description: Says which files would change.
  diff_mode:
    support: full
    description: Shows the text of each file before and after, unless it is O(files[].secret).
"""

EXAMPLES = r"""
- name: Configure Placement
  novalab.openstack.template_files:
    files:
      - {src: placement.conf.j2, dest: /etc/placement/placement.conf, group: placement, mode: "0640", secret: true}
      - {src: environment.j2, dest: /etc/default/placement-api}
"""

RETURN = r"""
written:
  description: The files whose text, owner, group or mode was changed.
  type: list
  elements: str
  returned: always
  sample: [/etc/placement/placement.conf]
"""

import base64
import contextlib
import grp
import json
import os
import pwd
import stat
import tempfile
import zlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule


def unpacked(contents: str) -> list[str]:
    """The texts as the action plugin has packed them."""
    texts: list[str] = json.loads(zlib.decompress(base64.b64decode(contents)))
    return texts


def with_overrides(text: str, overrides: dict[str, Any]) -> str:
    """A text into which overrides are merged. Raises ValueError with everything that is wrong with them."""
    if not overrides:
        return text
    # Costs more than everything else here, and few labs have overrides.
    from ansible_collections.novalab.openstack.plugins.module_utils import oslo_ini, oslo_options

    wrong = []
    for name, more in overrides["files"]:
        job = {"namespaces": overrides["namespaces"], "aliases": overrides["aliases"], "template": text, "text": more}
        try:
            wrong += [
                f"{name}, line {found['line']}: found {found['found']}, expected {found['expected']}"
                for found in oslo_options.complaints(job)
            ]
        except oslo_ini.IniSyntaxError as problem:
            wrong.append(f"{name}, {problem}")
    if wrong:
        raise ValueError("nothing was written, because of the overrides:\n" + "\n".join(wrong))
    merged: str = oslo_ini.merged(text, overrides["files"])
    return merged


def text_of(path: str) -> str | None:
    """What a file holds, None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def attributes(path: str) -> tuple[int, int, int] | None:
    """Owner, group and mode of a file, None when there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def write(path: str, text: str, wanted: tuple[int, int, int], in_place: bool) -> None:
    """Write a file as a whole, and never readable by others than it is meant for."""
    owner, group, mode = wanted
    if in_place and os.path.exists(path):
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return
    folder = os.path.dirname(path)
    os.makedirs(folder, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            os.fchown(file.fileno(), owner, group)
            os.fchmod(file.fileno(), mode)
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def keep(file: dict[str, Any], text: str, check: bool) -> dict[str, str] | None:
    """Make one file what it should be. Its difference when something was due, else None.

    Raises LookupError for an owner or group that does not exist, ValueError for a mode that is none, and OSError.
    """
    path = os.path.realpath(file["dest"])
    owner = pwd.getpwnam(file["owner"]).pw_uid if file["owner"] else os.geteuid()
    group = grp.getgrnam(file["group"]).gr_gid if file["group"] else os.getegid()
    wanted = (owner, group, int(file["mode"], 8))
    before, had = text_of(path), attributes(path)
    if before == text and had == wanted:
        return None
    if not check:
        if before != text:
            write(path, text, wanted, file["unsafe_writes"])
        if attributes(path) != wanted:
            os.chown(path, *wanted[:2])
            os.chmod(path, wanted[2])
    shown = ("", "") if file["secret"] else (before or "", text)
    facts = ["" if it is None else f"owner {it[0]}, group {it[1]}, mode {it[2]:04o}\n" for it in (had, wanted)]
    if had == wanted:
        facts = ["", ""]
    header = f"{file['dest']} (secret)" if file["secret"] else file["dest"]
    return {
        "before_header": header,
        "after_header": header,
        "before": facts[0] + shown[0],
        "after": facts[1] + shown[1],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "src": {"type": "str", "required": True},
                    "dest": {"type": "path", "required": True},
                    "owner": {"type": "str"},
                    "group": {"type": "str"},
                    "mode": {"type": "str", "default": "0644"},
                    "item": {"type": "raw"},
                    "wanted": {"type": "bool", "default": True},
                    "secret": {"type": "bool", "default": False},
                    "unsafe_writes": {"type": "bool", "default": False},
                },
            },
            "contents": {"type": "str", "no_log": True},
            "overrides": {"type": "str", "no_log": True},
        },
        supports_check_mode=True,
    )
    differences = []
    written: list[str] = []
    texts = unpacked(module.params["contents"])
    packed = module.params["overrides"]
    overrides = [json.loads(found) for found in unpacked(packed)] if packed else [{}] * len(texts)
    try:  # before anything is written
        texts = [with_overrides(text, more) for text, more in zip(texts, overrides, strict=True)]
    except ValueError as error:
        module.fail_json(msg=str(error), written=written)
    for file, text in zip(module.params["files"], texts, strict=True):
        try:
            difference = keep(file, text, module.check_mode)
        except (LookupError, ValueError, OSError) as error:
            module.fail_json(msg=f"{file['dest']}: {error}", written=written)
        if difference is not None:
            written.append(file["dest"])
            differences.append(difference)
    module.exit_json(changed=bool(written), written=written, diff=differences)


if __name__ == "__main__":
    main()

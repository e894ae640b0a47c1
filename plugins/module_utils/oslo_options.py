# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a service knows options and can read their values. Runs where the service is installed.

oslo-config-validator, of the same library, reports neither lines nor wrong values, and does not know what the plugins
of keystoneauth read.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import Any

from ansible_collections.novalab.openstack.plugins.module_utils import oslo_ini


class Known:
    """The options of a service: those of namespaces (entry points of oslo.config.opts), and of its login plugins.

    sections has options by section and name; it is empty where oslo.config or the service is not installed.
    """

    def __init__(self, namespaces: Iterable[str], aliases: dict[str, str], template: list[oslo_ini.Option]) -> None:
        self.sections: dict[str, dict[str, Any]] = {}
        for group, option in _listed(namespaces):
            self.sections.setdefault(group, {})[option.dest] = option
            for old in option.deprecated_opts:
                name = (old.name or option.dest).replace("-", "_")
                self.sections.setdefault(old.group or group, {})[name] = option
        if not self.sections:
            return
        for section, like in aliases.items():
            self.sections[section] = self.sections.get(like, {})
        for option in template:
            if option.key == "auth_type":
                self.sections.setdefault(option.section, {}).update(_of_plugin(option.value))

    def complaint(self, option: oslo_ini.Option) -> tuple[str, str] | None:
        """What was found and what was expected in the place of an option, None when nothing is wrong."""
        section, key = option.name
        if section not in self.sections:
            return f"the section [{section}]", _near(section, self.sections, "a section that the service reads")
        if key not in self.sections[section]:
            return f"the option {option.key}", _near(key, self.sections[section], f"an option of [{section}]")
        if "$" in option.value:  # of another option
            return None
        kind = self.sections[section][key].type
        try:
            kind(option.value)
        except ValueError as error:
            return f"{option.key} = {option.value}", f"{kind} ({error})"
        return None


def complaints(job: dict[str, Any]) -> list[dict[str, Any]]:
    """What is wrong with the options of an override.

    job has text, the override; namespaces; aliases, names of sections by the section whose options they have; template,
    the text that the role writes, in which everything is right. Each complaint has line, key, found, expected. There is
    none where oslo.config is not installed: what cannot be checked is not refused.
    """
    template = oslo_ini.options(job["template"])
    given = {option.name for option in template}
    known = Known(job["namespaces"], job["aliases"], template)
    found = []
    for option in oslo_ini.options(job["text"]) if known.sections else ():
        if (wrong := known.complaint(option)) is None:
            continue
        if option.name in given and wrong[0].startswith("the "):  # the role sets it, so the service knows it
            continue
        found.append({"line": option.number, "key": "/".join(option.name), "found": wrong[0], "expected": wrong[1]})
    return found


def _near(word: str, names: Iterable[str], expected: str) -> str:
    near = difflib.get_close_matches(word, list(names), n=1)
    return f"{expected}; did you mean {near[0]}?" if near else expected


def _listed(namespaces: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """The options of namespaces, each with the name of its section."""
    for name in namespaces:
        for entry in entry_points(group="oslo.config.opts", name=name):
            for group, options in entry.load()():
                section = str(getattr(group, "name", group) or "DEFAULT")
                yield from ((section, option) for option in options)


def _of_plugin(plugin: str) -> dict[str, Any]:
    """What keystoneauth's plugin reads in its section; services do not list it for every one."""
    try:
        from keystoneauth1 import loading

        options = [*loading.get_auth_common_conf_options(), *loading.get_auth_plugin_conf_options(plugin)]
    except Exception:  # noqa: BLE001 (without keystoneauth, or the plugin, nothing is known of it)
        return {}
    return {option.dest: option for option in options}

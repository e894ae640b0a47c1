"""Runs on a node, with the services' own packages: which options of a file does its service not know, or not for long?

Reads a JSON object with path, namespaces and aliases, and writes one with complaints.
"""

import configparser
import json
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

from keystoneauth1 import loading


def known(namespaces: list[str]) -> dict[str, Any]:
    """The options of the namespaces, as oslo-config-generator writes them for oslo-config-validator."""
    command = ["oslo-config-generator", "--format", "json", *(f"--namespace={name}" for name in namespaces)]
    data: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return data


def add_auth_plugin(data: dict[str, Any], section: str, plugin: str) -> None:
    """What keystoneauth's plugin reads in a section; services do not list it for every one."""
    options = data["options"].setdefault(section, {"opts": []})["opts"]
    for option in [*loading.get_auth_common_conf_options(), *loading.get_auth_plugin_conf_options(plugin)]:
        options.append({"name": option.name, "dest": option.dest, "deprecated": option.deprecated_for_removal})
        former = [{"name": other.name, "dest": other.name} for other in option.deprecated_opts]
        data["deprecated_options"].setdefault(section, []).extend(former)


def validator(data: dict[str, Any], path: str) -> list[str]:
    """What oslo-config-validator has against the file."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(data, file)  # JSON is YAML
        file.flush()
        command = ["oslo-config-validator", "--fatal-warnings", "--opt-data", file.name, "--input-file", path]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    lines = (done.stderr + done.stdout).splitlines()
    # It excuses this section as a whole, because it does not know the plugins' options; here they are known.
    excused = [line for line in lines if "Ignoring missing option" in line]
    return (lines or [f"status {done.returncode}"]) if done.returncode else excused


def leaving(data: dict[str, Any], sections: configparser.RawConfigParser) -> list[str]:
    """Options that a later release drops, of which oslo-config-validator says nothing."""
    return [
        f"{section}/{option['name']} will be removed"
        for section, group in data["options"].items()
        for option in group["opts"]
        if option.get("deprecated") and section in written(sections)
        if {option["name"], option.get("dest")} & set(written(sections)[section])
    ]


def written(sections: configparser.RawConfigParser) -> dict[str, list[str]]:
    """The names of the options that the file sets, by section."""
    return {section: list(sections[section]) for section in sections.sections()}


def main() -> None:
    job = json.load(sys.stdin)
    # DEFAULT is a section like others here.
    sections = configparser.RawConfigParser(strict=False, default_section="")
    sections.read_string(pathlib.Path(job["path"]).read_text(encoding="utf-8"))
    data = known(job["namespaces"])
    for section in sections.sections():
        if "auth_type" in sections[section]:
            add_auth_plugin(data, section, sections[section]["auth_type"])
    for section, like in job["aliases"].items():
        data["options"][section] = data["options"][like]
    json.dump({"complaints": validator(data, job["path"]) + leaving(data, sections)}, sys.stdout)


if __name__ == "__main__":
    main()

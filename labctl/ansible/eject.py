"""Playbooks and Vagrantfile for people who continue by hand, without labctl."""

import shlex
import shutil
import sys
import sysconfig
from pathlib import Path

import jinja2

from labctl.errors import BadInput, LabError
from labctl.lab.paths import COLLECTION, LabPaths, assets

# Ansible and Vagrant start from these; they find the rest of the collection where it is installed.
_PARTS = ("Vagrantfile", "site.yaml", "hosts.ini.j2", "group_vars", "playbooks")
# Variables are beside the inventory, and only labctl builds images.
_NOT_OF_PLAYBOOKS = ("group_vars", "images.yaml")
_OF_COLLECTION = ("galaxy.yml", "meta", "plugins", "roles")


def eject(paths: LabPaths, *, roles: bool = False) -> list[str]:
    """Write the files into the lab's directory, which is created if it is missing. Returns their names.

    With roles this includes the entire collection. Raises BadInput when one of the files already exists.
    """
    root = assets()
    names = [*_PARTS, "ansible.cfg", "README.md", *([COLLECTION.parts[0]] if roles else [])]
    if present := ", ".join(name for name in names if (paths.directory / name).exists()):
        remedy = "Choose another directory, or move them away first."
        raise BadInput(f"{paths.directory} already has: {present}; nothing was changed", remedy)
    try:
        paths.directory.mkdir(parents=True, exist_ok=True)
        for name in _PARTS:
            _copy(root / name, paths.directory / name, leave=_NOT_OF_PLAYBOOKS if name == "playbooks" else ())
        if roles:
            for name in _OF_COLLECTION:
                _copy(root / name, paths.directory / COLLECTION / name)
        settings = _ansible_cfg((root / "ansible.cfg").read_text(encoding="utf-8"), roles=roles)
        (paths.directory / "ansible.cfg").write_text(settings, encoding="utf-8")
        (paths.directory / "README.md").write_text(_readme(paths, roles=roles), encoding="utf-8")
    except OSError as error:
        raise LabError(f"{error.filename or paths.directory} cannot be written: {error.strerror}") from error
    return names


def _copy(source: Path, target: Path, *, leave: tuple[str, ...] = ()) -> None:
    """Copy a file or directory; links are followed."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", *leave))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _ansible_cfg(text: str, *, roles: bool) -> str:
    """The settings, with the places of collections: ejected roles come first."""
    places = [*([str(Path())] if roles else []), "~/.ansible/collections", sysconfig.get_path("purelib")]
    head = "[defaults]\n"
    if head not in text:
        raise LabError(f"{assets() / 'ansible.cfg'} has no section [defaults]", "Install novalab again.")
    return text.replace(head, f"{head}# Where novalab.openstack is.\ncollections_path = {':'.join(places)}\n", 1)


def _readme(paths: LabPaths, *, roles: bool) -> str:
    text = (Path(__file__).parent / "ejected.md.j2").read_text(encoding="utf-8")
    template = jinja2.Template(text, undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
    # Not resolved: a virtual environment's Python is a link, beside the environment's other programs.
    programs = shlex.quote(str(Path(sys.executable).parent))
    return str(template.render(programs=programs, directory=shlex.quote(str(paths.directory)), roles=roles))

"""What Galaxy gets: the collection as it is built, and that its parts say the same of it."""

from __future__ import annotations

import json
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from packaging.specifiers import SpecifierSet

from tools import artefact, role_docs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT = artefact.CHECKOUT
TOP = {
    *("CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "site.yaml"),
    *("changelogs", "docs", "group_vars", "meta", "playbooks", "plugins", "roles"),
}
SUFFIXES = {".cnf", ".conf", ".j2", ".json", ".keep", ".md", ".png", ".py", ".svg", ".yaml", ".yml", ""}
# What somebody needs who builds a cloud with it.
NEEDED = {"site.yaml", "playbooks/verify.yaml", "playbooks/group_vars/all/lab.yml", "group_vars/all/roles.yml"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection, built and unpacked."""
    folder = tmp_path_factory.mktemp("artefact")
    artefact.unpack(artefact.build(folder), folder / "collection")
    return folder / "collection"


def galaxy() -> dict[str, Any]:
    data: dict[str, Any] = role_docs.load(ROOT / "galaxy.yml")
    return data


def test_artefact_has_nothing_of_labctl_or_development(built: Path) -> None:
    assert {path.name for path in built.iterdir()} == TOP
    files = [path.relative_to(built) for path in built.rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix not in SUFFIXES or "__pycache__" in path.parts] == []


def test_artefact_has_what_is_needed(built: Path) -> None:
    assert {path for path in NEEDED if not (built / path).is_file()} == set()
    for role in role_docs.ROLES.iterdir():
        parts = {"README.md", "defaults/main.yml", "meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml"}
        assert {part for part in parts if not (built / "roles" / role.name / part).is_file()} == set()


def test_manifest_has_name_and_license(built: Path) -> None:
    info = json.loads((built / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]
    assert (info["namespace"], info["name"], info["license"]) == ("novalab", "openstack", ["Apache-2.0"])
    assert "Apache License" in (built / "LICENSE").read_text(encoding="utf-8")


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    released = role_docs.load(ROOT / "changelogs" / "changelog.yaml")["releases"]
    assert galaxy()["version"] == project["version"]
    assert galaxy()["version"] in released


def test_one_least_ansible_everywhere() -> None:
    required = SpecifierSet(role_docs.load(ROOT / "meta" / "runtime.yml")["requires_ansible"])
    (least,) = required
    for role in role_docs.ROLES.iterdir():
        info = role_docs.load(role / "meta" / "main.yml")["galaxy_info"]
        assert (least.operator, least.version) == (">=", f"{info['min_ansible_version']}.0")
        assert info["license"] == "Apache-2.0"
        assert info["description"] == role_docs.entries(role)["main"]["short_description"]


def keys(value: Any) -> Iterator[str]:  # noqa: ANN401 (a file of tasks)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


def test_dependencies_are_declared() -> None:
    """Every collection whose modules roles and playbooks use; playbooks/images.yaml is not in the artefact."""
    files = [*role_docs.ROLES.glob("*/tasks/*.yml"), ROOT / "playbooks" / "verify.yaml", ROOT / "site.yaml"]
    files += (ROOT / "playbooks" / "tasks").rglob("*.yml")
    tasks = [key for path in files for key in keys(role_docs.load(path))]
    used = {key.rpartition(".")[0] for key in tasks if key.count(".") == 2}
    assert used - {"ansible.builtin", "novalab.openstack"} == set(galaxy()["dependencies"])


def test_playbooks_have_the_variables_of_the_root() -> None:
    """Ansible looks for variables beside the playbook; links to files, because Galaxy takes none to folders."""
    root, beside = ROOT / "group_vars", ROOT / "playbooks" / "group_vars"
    files = {path.relative_to(root) for path in root.rglob("*.yml")}
    assert {path.relative_to(beside) for path in beside.rglob("*.yml")} == files
    assert [path for path in files if (beside / path).resolve() != root / path] == []


def test_the_changelog_names_every_new_plugin() -> None:
    release = role_docs.load(ROOT / "changelogs" / "changelog.yaml")["releases"][galaxy()["version"]]
    told = {plugin["name"] for plugin in [*release["modules"], *release["plugins"]["filter"]]}
    found = {path.stem for folder in ("modules", "filter") for path in (ROOT / "plugins" / folder).glob("*.py")}
    assert told == found, "run: antsibull-changelog release --is-collection --update-existing --reload-plugins"


def test_links_of_the_checkout_lead_somewhere() -> None:
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    links = [line.partition("\t")[2] for line in listed.splitlines() if line.startswith("120000")]
    assert [link for link in links if not (ROOT / link).exists()] == []

"""The beginning of a lab: lab.yaml, and files to go on by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.errors import BadInput
from labctl.lab import model, records, registry
from labctl.lab.paths import LabPaths, assets
from labctl.lifecycle import init

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from labctl.lab.model import Lab


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """No engine and no routes: what is around this machine is no matter."""
    monkeypatch.setattr("labctl.providers.engine.working", lambda _: [])
    monkeypatch.setattr("labctl.providers.host_networks.of_host", list)


@pytest.fixture
def another(tmp_path: Path, make_lab: Callable[..., Lab]) -> None:
    """A lab with the default name and network, in another directory."""
    paths = LabPaths(tmp_path / "another")
    paths.directory.mkdir()
    registry.remember(paths, make_lab())
    records.remember(paths, make_lab(), None)


def test_init_writes_the_defaults_as_comments(paths: LabPaths) -> None:
    assert init.init(paths) == {}
    assert paths.lab_yaml.read_text(encoding="utf-8") == (assets() / "lab.yaml").read_text(encoding="utf-8")
    assert model.load(paths).name == "lab"


def test_init_makes_the_directory(tmp_path: Path) -> None:
    init.init(LabPaths(tmp_path / "a" / "b"), name="zed")
    assert model.load(LabPaths(tmp_path / "a" / "b")).name == "zed"


@pytest.mark.usefixtures("another")
def test_init_beside_another_lab(paths: LabPaths) -> None:
    assert init.init(paths) == {"name": "lab2", "network": "192.168.57.0/24"}
    lab = model.load(paths)
    assert (lab.name, str(lab.network)) == ("lab2", "192.168.57.0/24")


@pytest.mark.usefixtures("another")
@pytest.mark.parametrize(
    ("name", "said"), [("lab", "The name 'lab' is taken"), ("Lab 2", "'Lab 2' is no name for a lab")]
)
def test_init_with_a_bad_name_is_refused(paths: LabPaths, name: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        init.init(paths, name=name)
    assert not paths.lab_yaml.exists()


def test_init_overwrites_nothing(paths: LabPaths) -> None:
    paths.lab_yaml.write_text("computes: 1\n", encoding="utf-8")
    with pytest.raises(BadInput, match="already exists"):
        init.init(paths)
    assert paths.lab_yaml.read_text(encoding="utf-8") == "computes: 1\n"

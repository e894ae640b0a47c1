"""labctl list."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from labctl.lab import records, registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths


def test_list_shows_a_lab_that_lab_option_finds(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, make_lab: Callable[..., Lab]
) -> None:
    assert labctl("list")[:2] == (0, "There is no lab. `labctl up` builds one in the current directory.\n")
    paths.lab_yaml.write_text("name: vms\nprovider: libvirt\n", encoding="utf-8")
    lab = make_lab(name="vms", provider="libvirt")
    records.remember(paths, lab, None)
    registry.remember(paths, lab)
    head, row = labctl("list")[1].splitlines()
    assert head.split() == ["NAME", "STATE", "NETWORK", "SINCE", "(UTC)", "DIRECTORY"]
    assert (row.startswith("vms   no nodes  192.168.56.0/24  20"), row.endswith(str(paths.directory))) == (True, True)
    (said,) = json.loads(labctl("list", "--json")[1])["labs"]
    assert (said["name"], said["state"], said["directory"]) == ("vms", "no nodes", str(paths.directory))
    assert json.loads(labctl("--lab", "vms", "describe", "--json")[1])["directory"] == str(paths.directory)

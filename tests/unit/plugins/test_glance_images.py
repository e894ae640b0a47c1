# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""What is done about an image in Glance, with a stand-in for its API."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.novalab.openstack.plugins.modules import glance_images

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"an image"


class Glance:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    def create_image(self, name: str, **values: object) -> None:
        self.asked.append(("create", name, values))

    def update_image(self, image: Any, **values: object) -> None:  # noqa: ANN401 (as the SDK's)
        self.asked.append(("update", image.id, values))

    def delete_image(self, image: Any) -> None:  # noqa: ANN401 (as the SDK's)
        self.asked.append(("delete", image.id, {}))


def image(data: bytes = DATA, **values: Any) -> Any:  # noqa: ANN401 (as the SDK's)
    attributes = {
        "id": "1",
        "name": "a",
        "status": "active",
        "disk_format": "raw",
        "container_format": "bare",
        "hash_algo": "sha512",
        "hash_value": hashlib.sha512(data).hexdigest(),
        "tags": ["novalab"],
        "min_disk": 0,
        "min_ram": 0,
        "visibility": "public",
        "hw_disk_bus": "sata",
        "properties": {"own": "x", "kept": "y"},
        **values,
    }
    return SimpleNamespace(**attributes, to_dict=lambda: attributes)


@pytest.fixture
def wanted(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "file").write_bytes(DATA)
    return {
        "name": "a",
        "path": str(tmp_path / "file"),
        "checksum": None,
        "disk_format": "raw",
        "container_format": "bare",
        "min_disk": 0,
        "min_ram": 0,
        "visibility": "public",
        "properties": {"hw_disk_bus": "sata", "own": "x"},
    }


@pytest.mark.parametrize(
    ("existing", "asked"),
    [
        ([image()], []),
        ([image(tags=[])], []),
        ([], ["create a"]),
        ([image(b"other")], ["create a", "delete 1"]),
        # Somebody else's image of this name stays.
        ([image(b"other", tags=[])], ["create a"]),
        ([image(status="queued", hash_algo=None, hash_value=None)], ["create a", "delete 1"]),
        ([image(disk_format="qcow2")], ["create a", "delete 1"]),
        ([image(b"other", id="1"), image(id="2")], ["delete 1"]),
        ([image(min_ram=64)], ["update 1 min_ram=0"]),
        ([image(visibility="shared", hw_disk_bus=None)], ["update 1 hw_disk_bus=sata visibility=public"]),
        ([image(properties={})], ["update 1 own=x"]),
    ],
)
@pytest.mark.parametrize("check_mode", [False, True])
def test_image_is_made_updated_or_left_alone(
    wanted: dict[str, Any], existing: list[Any], asked: list[str], check_mode: bool
) -> None:
    glance = Glance()
    module: Any = SimpleNamespace(check_mode=check_mode)
    images = glance_images.Images(module, glance)
    images.keep(wanted, existing)
    done = [
        " ".join([verb, name, *(f"{key}={value}" for key, value in sorted(values.items()) if verb == "update")])
        for verb, name, values in glance.asked
    ]
    assert done == ([] if check_mode else asked)
    assert len(images.changes) == len(asked)


def test_upload_passes_file_and_properties(wanted: dict[str, Any]) -> None:
    glance = Glance()
    module: Any = SimpleNamespace(check_mode=False)
    glance_images.Images(module, glance).upload({**wanted, "min_ram": 96})
    ((_, name, values),) = glance.asked
    assert (name, values["filename"], values["min_ram"], values["tags"]) == ("a", wanted["path"], 96, ["novalab"])
    assert (values["hw_disk_bus"], values["own"], values["visibility"]) == ("sata", "x", "public")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_checksum_that_differs_is_reported(wanted: dict[str, Any], algorithm: str) -> None:
    value = hashlib.new(algorithm, DATA).hexdigest()
    assert glance_images.wrong_checksum({**wanted, "checksum": f"{algorithm}:{value.upper()}"}) is None
    problem = glance_images.wrong_checksum({**wanted, "checksum": f"{algorithm}:{'0' * len(value)}"})
    assert problem is not None
    assert f"found {value}" in problem
    assert glance_images.wrong_checksum(wanted) is None

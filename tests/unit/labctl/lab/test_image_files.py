"""Files of images: looked at before anything is changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from labctl.errors import BadInput
from labctl.lab import image_files
from labctl.lab.schema import Image

if TYPE_CHECKING:
    from labctl.lab.paths import LabPaths

DATA = b"an image"


@pytest.mark.parametrize("algorithm", [None, "sha256", "sha512"])
def test_file_beside_lab_yaml_is_found(paths: LabPaths, algorithm: str | None) -> None:
    (paths.directory / "a.raw").write_bytes(DATA)
    checksum = f"{algorithm}:{hashlib.new(algorithm, DATA).hexdigest().upper()}" if algorithm else None
    image_files.check([Image(name="a", path="a.raw", checksum=checksum)], paths)
    image_files.check([Image(name="a", path=str(paths.directory / "a.raw"), checksum=checksum)], paths)


@pytest.mark.parametrize("path", ["a.raw", "/nowhere/a.raw", "."])
def test_file_that_is_missing_is_refused(paths: LabPaths, path: str) -> None:
    with pytest.raises(BadInput, match="The file of image a cannot be read"):
        image_files.check([Image(name="a", path=path)], paths)


def test_file_with_a_different_checksum_is_refused(paths: LabPaths) -> None:
    (paths.directory / "a.raw").write_bytes(DATA)
    expected = hashlib.sha256(b"another image").hexdigest()
    with pytest.raises(BadInput, match=f"has {hashlib.sha256(DATA).hexdigest()}, expected {expected}"):
        image_files.check([Image(name="a", path="a.raw", checksum=f"sha256:{expected}")], paths)


def test_what_is_downloaded_is_not_looked_for_here(paths: LabPaths) -> None:
    image_files.check([Image(name="a", url="https://x/y", checksum=f"sha256:{'0' * 64}")], paths)

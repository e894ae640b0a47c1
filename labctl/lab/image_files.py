"""The files of images for instances on this machine."""

import hashlib
from collections.abc import Iterable

from labctl.errors import BadInput
from labctl.lab.paths import LabPaths
from labctl.lab.schema import Image


def check(images: Iterable[Image], paths: LabPaths) -> None:
    """Raise BadInput for a file that is missing or does not match its checksum."""
    for image in images:
        if image.path is None:
            continue
        path = paths.directory / image.path
        algorithm, _, expected = (image.checksum or "").partition(":")
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, algorithm).hexdigest() if algorithm else ""
        except OSError as error:
            raise BadInput(
                f"The file of image {image.name} cannot be read: {path}: {error.strerror}",
                "Put the file there, or correct the path in lab.yaml. Relative paths begin at lab.yaml.",
            ) from error
        if found != expected.lower():
            raise BadInput(
                f"The file of image {image.name} does not match its checksum: {path} has {found}, expected {expected}",
                "Get the file again, or correct the checksum in lab.yaml.",
            )

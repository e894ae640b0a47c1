"""The images of a snapshot's nodes in the engine, and which nodes start from one.

A lab that was restored has nodes from a snapshot. If one of them is lost, it comes back from its image there, with the
identity that the rest of the lab knows.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping

from labctl.errors import LabError
from labctl.files import write_private
from labctl.lab import snapshot_store
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.providers.engine import Engine

REPOSITORY = "localhost/novalab-snapshot"


def _key(paths: LabPaths) -> str:
    """The lab's directory, in characters that a label and an image's name may hold."""
    return hashlib.sha256(str(paths.directory).encode()).hexdigest()[:12]


def label(paths: LabPaths) -> str:
    """The label of the images of this lab's nodes."""
    return f"novalab.snapshot={_key(paths)}"


def reference(lab: Lab, paths: LabPaths, name: str, node: str) -> str:
    """The name of a node's image in a snapshot."""
    return f"{REPOSITORY}/{lab.name}-{_key(paths)}/{name}:{node}"


def note(paths: LabPaths, chosen: Mapping[str, str]) -> None:
    """Have the nodes of these names start from these images, and all others from those of the release."""
    write_private(paths.node_images, json.dumps(dict(chosen), indent=2) + "\n")


def _noted(paths: LabPaths) -> dict[str, str]:
    """The images that note() was given by node, whether they still exist or not."""
    try:
        found = json.loads(paths.node_images.read_text(encoding="utf-8"))
        return {str(name): str(image) for name, image in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def own(paths: LabPaths, engine: Engine, node: str) -> str | None:
    """The image that a node starts from, None if that is the release's or was removed with its snapshot."""
    found = _noted(paths).get(node)
    return found if found and engine.has_image(found) else None


def prune(engine: Engine, paths: LabPaths) -> None:
    """Remove the images of this lab's nodes that belong to no snapshot and no node."""
    kept = {image for snapshot in snapshot_store.every(paths) for image in snapshot.images.values()}
    kept.update(_noted(paths).values())
    found = engine.run(
        *("images", "--no-trunc", "--filter", f"label={label(paths)}", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")
    )
    for line in found.splitlines():
        identity, _, name = line.partition(" ")
        if name not in kept:
            with contextlib.suppress(LabError):  # it is gone, or a node runs from it and a later call removes it
                engine.run("rmi", identity if name.startswith("<none>") else name)

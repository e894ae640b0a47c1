"""The images that the nodes of this lab start from, where they are not those of the release.

A lab that was restored has nodes from a snapshot. One of them that is lost comes back from there, with the identity
that the rest of the lab knows.
"""

import json
from collections.abc import Mapping

from labctl.files import write_private
from labctl.lab.model import Lab, Node
from labctl.lab.paths import LabPaths
from labctl.providers import node_images
from labctl.providers.engine import Engine


def note(paths: LabPaths, chosen: Mapping[str, str]) -> None:
    """Have the nodes of these names start from these images, all others from those of the release."""
    write_private(paths.node_images, json.dumps(dict(chosen), indent=2) + "\n")


def reference(lab: Lab, paths: LabPaths, engine: Engine, node: Node) -> str:
    """The image that a node starts from."""
    return _own(paths, engine, node.name) or node_images.reference(lab, node.group)


def own(lab: Lab, paths: LabPaths, engine: Engine) -> set[str]:
    """The names of the nodes that need no image of the release."""
    return {node.name for node in lab.nodes if _own(paths, engine, node.name)}


def noted(paths: LabPaths) -> dict[str, str]:
    """The images that note() was given, by the names of their nodes, whether they are still there or not."""
    try:
        found = json.loads(paths.node_images.read_text(encoding="utf-8"))
        return {str(name): str(image) for name, image in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _own(paths: LabPaths, engine: Engine, name: str) -> str | None:
    """An image that was removed with its snapshot counts for nothing."""
    found = noted(paths).get(name)
    return found if found and engine.has_image(found) else None

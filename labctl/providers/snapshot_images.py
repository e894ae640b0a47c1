"""The images of a snapshot's nodes in the engine, known by the lab that they are of."""

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from labctl.errors import LabError
from labctl.lab import snapshot_store
from labctl.lab.model import Lab
from labctl.lab.paths import LabPaths
from labctl.providers import image_overrides
from labctl.providers.engine import Engine

T = TypeVar("T")

REPOSITORY = "localhost/novalab-snapshot"
LABEL = "novalab.snapshot"  # its value is the key of a lab
_START = ("--change", 'CMD ["/sbin/init"]')


def key(paths: LabPaths) -> str:
    """What the images of this lab's nodes are known by: its directory, in characters that any label may hold."""
    return hashlib.sha256(str(paths.directory).encode()).hexdigest()[:12]


def reference(lab: Lab, paths: LabPaths, name: str, node: str) -> str:
    """The name of a node's image in a snapshot."""
    return f"{REPOSITORY}/{lab.name}-{key(paths)}/{name}:{node}"


def prune(engine: Engine, paths: LabPaths) -> None:
    """Remove the images of nodes of this lab that neither a snapshot nor a node has."""
    kept = {image for snapshot in snapshot_store.every(paths) for image in snapshot.images.values()}
    kept.update(image_overrides.noted(paths).values())
    found = engine.run(
        *("images", "--no-trunc", "--filter", f"label={LABEL}={key(paths)}"),
        *("--format", "{{.ID}} {{.Repository}}:{{.Tag}}"),
    )
    for line in found.splitlines():
        identity, _, name = line.partition(" ")
        if name in kept:
            continue
        with contextlib.suppress(LabError):  # a node runs from it, so it goes with a later call; or it is gone
            engine.run("rmi", identity if name.startswith("<none>") else name)


def make(engine: Engine, paths: LabPaths, nodes: Mapping[str, str]) -> None:
    """Make images of containers, whose ids are given by the images' names, all at once."""
    change = (*_START, "--change", f"LABEL {LABEL}={key(paths)}")
    at_once(lambda item: engine.run("commit", *change, item[1], item[0]), nodes.items())


def at_once(action: Callable[[T], object], items: Iterable[T]) -> None:
    """Do something with all items at the same time. Raises the first error when all have ended."""
    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(action, items))

"""One lab for all tests of this folder, which use it in the order of their files and names."""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.lab import LiveLab


@pytest.fixture(scope="session")
def lab() -> Iterator[LiveLab]:
    """A lab as `labctl up` makes it; removed at the end unless NOVALAB_KEEP is set."""
    live = LiveLab()
    live.prepare()
    live.up()
    yield live
    if not os.environ.get("NOVALAB_KEEP"):
        live.labctl("destroy")
        shutil.rmtree(live.directory)

"""labctl image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labctl.lifecycle import up

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.context import LabContext


def test_image_prints_its_name_and_nothing_else(
    labctl: Callable[..., tuple[int, str, str]], paths: LabPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def image(context: LabContext, kind: str) -> str:
        with context.progress.step("Some image"):
            return f"{kind}-of-{context.lab.release}"

    monkeypatch.setattr(up, "make_image", image)
    status, output, errors = labctl("-C", paths.directory, "image", "ensure", "--kind", "compute", "--release", "ZED")
    assert (status, output) == (0, "compute-of-2022.2\n")
    assert "Some image: done in" in errors

"""That each provider is named in the tables, and what each of their words for a state means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from labctl.lab import schema
from labctl.providers import host_packages
from labctl.providers.select import PROVIDERS, provider_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths


def test_providers_have_an_implementation_and_traits() -> None:
    assert set(PROVIDERS) == set(schema.PROVIDERS)


def test_provider_unknown_is_never_taken_for_another(make_lab: Callable[..., Lab], paths: LabPaths) -> None:
    lab = make_lab().model_copy(update={"provider": "hyperv"})
    with pytest.raises(KeyError, match="hyperv"):
        provider_of(lab, paths)
    with pytest.raises(KeyError, match="hyperv"):
        host_packages.for_machines(lab)

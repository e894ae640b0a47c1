"""Placement counts what a provider has, and offers it."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

testinfra_hosts = ["ansible://controller"]
UNITS = ["placement-api"]
LOGS = ["/var/log/placement/placement-api.log"]


@pytest.fixture
def provider(cloud: Any) -> Iterator[Any]:  # noqa: ANN401 (the SDK's types are not checked)
    made = cloud.placement.create_resource_provider(name=f"molecule-{uuid.uuid4()}")
    cloud.placement.create_resource_provider_inventory(made, "VCPU", total=2)
    cloud.placement.create_resource_provider_inventory(made, "MEMORY_MB", total=1024)
    yield made
    cloud.placement.delete_resource_provider(made)


@pytest.mark.parametrize(("resources", "fits"), [("VCPU:2,MEMORY_MB:512", True), ("VCPU:3,MEMORY_MB:512", False)])
def test_candidates_of_a_provider_are_found(cloud: Any, provider: Any, resources: str, fits: bool) -> None:  # noqa: ANN401
    answer = cloud.placement.get("/allocation_candidates", params={"resources": resources}, microversion="1.12")
    assert answer.status_code == 200
    found = [request["allocations"] for request in answer.json()["allocation_requests"]]
    assert any(provider.id in allocations for allocations in found) == fits

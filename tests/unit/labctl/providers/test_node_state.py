"""The states of nodes, from the words of engines and Vagrant."""

from __future__ import annotations

import pytest

from labctl.providers.node_state import NodeState, node_state


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("running", NodeState.RUNNING),
        ("exited", NodeState.STOPPED),
        ("poweroff", NodeState.STOPPED),
        ("shutoff", NodeState.STOPPED),
        ("saved", NodeState.PAUSED),
        ("created", NodeState.HALF_MADE),
        ("not_created", NodeState.NOT_CREATED),
        ("gurumeditation", NodeState.UNKNOWN),
    ],
)
def test_state_of_a_word(word: str, state: NodeState) -> None:
    assert node_state(word) is state

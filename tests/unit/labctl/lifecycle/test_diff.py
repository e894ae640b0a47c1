"""What an edit of lab.yaml means for a lab that is there: the whole table of what is done and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from labctl.errors import BadInput
from labctl.lab import records, service_files
from labctl.lifecycle import diff
from labctl.lifecycle.diff import Existing
from labctl.providers.node_state import NodeState

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.diff import Plan

PASSWORDS = dict.fromkeys(service_files.secrets(), "old")
DEMO = {"compute2": ("demo-compute2 (ACTIVE)",)}
KEEP = "no file and no service changes"
LEAVES = (
    "its service disabled, then stopped; service, host mapping, resource provider, Neutron's agents and node removed"
)


def there(lab: Lab, *, engine: str | None = "podman", **more: Any) -> Existing:  # noqa: ANN401 (fields of Existing)
    """A lab that was made and is whole."""
    whole: dict[str, Any] = {
        "nodes": {node.name: NodeState.RUNNING for node in lab.nodes},
        "made": records.facts(lab, engine),
        "software": records.software(lab, {}),
        "passwords": PASSWORDS,
        "engine": engine,
        **more,
    }
    return Existing(**whole)


def planned(lab: Lab, present: Existing, **options: bool) -> Plan:
    going = lab.former_computes({*present.nodes, *records.names(present.made, "nodes")})
    return diff.compare(lab, present, tuple(node.name for node in going), **options)


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        ({}, {}, [f"= controller, compute1, compute2: {KEEP}"]),
        (
            {},
            {"computes": 3},
            [
                "+ node compute3: 192.168.56.23, installed, registered and mapped to its cell",
                "~ controller, compute1, compute2: a line for compute3 in /etc/hosts; no service restarts",
            ],
        ),
        (
            {},
            {"computes": 1},
            [
                f"- node compute2: {LEAVES}",
                "~ controller, compute1: no line for compute2 in /etc/hosts; no service restarts",
            ],
        ),
        (
            {},
            {"dashboard": True},
            [
                "+ dashboard: Horizon on the controller, http://192.168.56.11/",
                f"= compute1, compute2: {KEEP}",
            ],
        ),
        (
            {},
            {"virt_type": "qemu"},
            [
                "~ virt_type: was auto, now qemu; nova-compute restarts if it makes a difference",
                f"= controller: {KEEP}",
            ],
        ),
        (
            {},
            {"secrets": {"keystone_glance": "new"}},
            [
                "~ password keystone_glance: glance-api restarts (the controller)",
                f"= compute1, compute2: {KEEP}",
            ],
        ),
        (
            {},
            {"secrets": {"rabbitmq_nova": "new", "keystone_demo": "old"}},
            ["~ password rabbitmq_nova: Nova's services restart (every node)"],
        ),
        # What was taken out stays in force.
        ({"secrets": {"rabbitmq_nova": "old"}}, {}, [f"= controller, compute1, compute2: {KEEP}"]),
        (
            {"images": [{"name": "a", "path": "a.img"}, {"name": "b", "path": "b.img"}]},
            {"images": [{"name": "a", "path": "other.img"}, {"name": "c", "path": "c.img"}]},
            [
                "~ image a: in Glance",
                "+ image c: in Glance",
                "= image b: stays in Glance; `openstack image delete b` removes it",
                f"= compute1, compute2: {KEEP}",
            ],
        ),
        # Containers have no sizes.
        ({}, {"controller": {"memory": 8192}}, [f"= controller, compute1, compute2: {KEEP}"]),
    ],
)
def test_change_that_is_possible_is_planned(
    make_lab: Callable[..., Lab], before: dict[str, object], now: dict[str, object], lines: list[str]
) -> None:
    plan = planned(make_lab(**now), there(make_lab(**before)))
    assert (list(plan.lines()), plan.refusals) == (lines, ())
    assert plan.due is any(line[0] != "=" for line in lines)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({}, {"name": "other"}, "name was lab, now other"),
        ({}, {"release": "zed"}, "release was 2025.1, now 2022.2: a node stays on the Debian that it was created with"),
        ({}, {"provider": "libvirt"}, "provider was docker, now libvirt"),
        ({}, {"network": "192.168.57.0/24"}, "network was 192.168.56.0/24, now 192.168.57.0/24"),
        ({}, {"networking": "none"}, "networking was neutron, now none"),
        ({"networking": "none"}, {}, "networking was none, now neutron"),
        ({}, {"guest_network": "172.24.5.0/24"}, "guest_network was 172.24.4.0/24, now 172.24.5.0/24"),
        ({"dashboard": True}, {}, "dashboard was true, now false"),
    ],
)
def test_change_that_is_impossible_is_refused(
    make_lab: Callable[..., Lab], paths: LabPaths, before: dict[str, object], now: dict[str, object], said: str
) -> None:
    plan = planned(make_lab(**now), there(make_lab(**before)))
    with pytest.raises(BadInput, match=r"exists and cannot become what lab\.yaml says; nothing was changed") as caught:
        plan.check(paths)
    assert f"  {said}" in caught.value.message
    assert caught.value.remedy == "Restore lab.yaml, or rebuild the lab: `labctl destroy`, then `labctl up`."


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"controller": {"memory": 8192}}, "controller was 2 processors, 4096 MiB, now 2 processors, 8192 MiB"),
        ({"computes": {"cpus": 4}}, "computes was 2 processors, 2048 MiB, now 4 processors, 2048 MiB"),
        ({"box": "my/box"}, "box was debian/trixie64, now my/box"),
    ],
)
def test_refused_for_virtual_machines(make_lab: Callable[..., Lab], now: dict[str, object], said: str) -> None:
    plan = planned(make_lab(provider="libvirt", **now), there(make_lab(provider="libvirt"), engine=None))
    assert [refusal.text.partition(":")[0] for refusal in plan.refusals] == [said]


def test_another_engine_is_refused(make_lab: Callable[..., Lab]) -> None:
    before = there(make_lab())
    plan = planned(make_lab(), Existing(nodes={}, made=before.made, engine="docker"))
    assert [refusal.key for refusal in plan.refusals] == ["engine"]


def test_changes_and_refusals_are_listed_together(make_lab: Callable[..., Lab], paths: LabPaths) -> None:
    plan = planned(make_lab(name="other", computes=1), there(make_lab(), servers=DEMO))
    assert [refusal.key for refusal in plan.refusals] == ["name", "computes"]
    with pytest.raises(BadInput) as caught:
        plan.check(paths)
    assert len((caught.value.remedy or "").splitlines()) == 2


def test_servers_keep_a_node(make_lab: Callable[..., Lab], paths: LabPaths) -> None:
    lab, present = make_lab(computes=1), there(make_lab(), servers=DEMO)
    with pytest.raises(BadInput, match=r"computes was 2, now 1: servers are there, on compute2: demo-compute2 \(ACTIV"):
        planned(lab, present).check(paths)
    evicting = planned(lab, present, evict=True)
    assert (evicting.refusals, evicting.leaving) == ((), ("compute2",))
    assert list(evicting.lines())[:2] == [
        "- servers demo-compute2 (ACTIVE): deleted with their disks, which are on compute2",
        f"- node compute2: {LEAVES}",
    ]


def test_a_silent_nova_keeps_a_node(make_lab: Callable[..., Lab]) -> None:
    lab, present = make_lab(computes=1), there(make_lab(), unknown="Nova does not answer")
    (refusal,) = planned(lab, present).refusals
    assert "Nova cannot be asked what servers are on compute2: Nova does not answer" in refusal.text
    evicting = planned(lab, present, evict=True)
    assert evicting.refusals == ()
    assert "whatever there are" in next(iter(evicting.lines()))


def test_a_lab_that_was_never_whole_keeps_its_nodes(make_lab: Callable[..., Lab]) -> None:
    present = there(make_lab(), cloud=False, software=None)
    assert [r.key for r in planned(make_lab(computes=1), present, evict=True).refusals] == ["computes"]


def test_only_up_removes_nodes(make_lab: Callable[..., Lab]) -> None:
    (refusal,) = planned(make_lab(computes=1), there(make_lab()), remove=False).refusals
    assert (refusal.reason, refusal.way) == ("compute2 must leave", "`labctl up` removes them.")


def test_new_admin_password_while_computes_leave_is_refused(make_lab: Callable[..., Lab]) -> None:
    """The removal would log in with a password that Keystone does not know yet."""
    lab = make_lab(computes=1, secrets={"keystone_admin": "new", "rabbitmq_nova": "new"})
    (refusal,) = planned(lab, there(make_lab())).refusals
    assert (refusal.key, "new" in refusal.was) == ("secrets.keystone_admin", False)


def test_node_that_is_dead_may_leave(make_lab: Callable[..., Lab]) -> None:
    present = there(make_lab(), nodes={"controller": "running", "compute1": "running"})
    plan = planned(make_lab(computes=1), present)
    assert plan.leaving == ("compute2",)
    assert "- node compute2: " in "\n".join(plan.lines())
    assert "(the node itself is gone already)" in "\n".join(plan.lines())


def test_a_lost_node_is_made_again(make_lab: Callable[..., Lab]) -> None:
    present = there(make_lab(), nodes={"controller": "running", "compute1": "exited"})
    lines = list(planned(make_lab(), present).lines())
    assert lines[0] == "> node compute1: it is exited"
    assert lines[1].startswith("+ node compute2: ")
    assert lines[1].endswith("the one before is gone, with everything on it")


def test_plan_of_a_new_lab_creates_everything(make_lab: Callable[..., Lab]) -> None:
    plan = planned(make_lab(computes=1), Existing())
    assert [(change.action, change.what) for change in plan.changes] == [
        ("create", "network novalab-lab"),
        ("create", "node controller"),
        ("create", "node compute1"),
    ]


@pytest.mark.parametrize(
    ("now", "local"),
    [
        ({}, False),  # whatever may have been changed by hand is put right
        ({"computes": 3}, True),
        ({"computes": 1}, True),
        ({"computes": 3, "dashboard": True}, False),
        ({"computes": 1, "secrets": {"rabbitmq_nova": "new"}}, False),
    ],
)
def test_the_controller_has_no_part_in_computes_that_come_and_go(
    make_lab: Callable[..., Lab], now: dict[str, object], local: bool
) -> None:
    """Unless the last run was interrupted, the controller is gone or off, or novalab is another one."""
    lab, before = make_lab(**now), there(make_lab())
    assert planned(lab, before).local is local
    for more in (
        {"software": None},
        {"software": {**records.software(make_lab(), {}), "roles": "another"}},
        {"nodes": {"compute1": "running", "compute2": "running"}},
        {"nodes": {"controller": "exited", "compute1": "running", "compute2": "running"}},
    ):
        assert not planned(lab, there(make_lab(), **more)).local
    assert not planned(lab, Existing()).local


def test_an_interrupted_run_goes_on(make_lab: Callable[..., Lab]) -> None:
    lines = list(planned(make_lab(), there(make_lab(), software=None)).lines())
    assert lines == ["~ software: the last `labctl up` did not finish; the rest follows"]


def test_a_node_that_was_about_to_leave_stays(make_lab: Callable[..., Lab]) -> None:
    record = records.facts(make_lab(computes=1), "podman", leaving=["compute2"])
    plan = planned(make_lab(), there(make_lab(), made=record, software=None))
    assert plan.returning == ("compute2",)
    assert "~ compute2: was about to be removed and stays" in next(iter(plan.lines()))

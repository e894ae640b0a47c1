"""What a snapshot keeps and gives back, what is refused, and which images go."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from labctl.errors import BadInput, LabError
from labctl.lab import fingerprint, records, snapshot_store
from labctl.lifecycle import destroy, pause, snapshot
from labctl.providers import inotify_limit, snapshot_images
from labctl.providers.container_nodes import ContainerNodes
from labctl.providers.engine import Engine
from labctl.providers.vagrant import Machines
from labctl.remote.ssh import Answer
from labctl.ui.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.lab.model import Lab
    from labctl.lab.paths import LabPaths
    from labctl.lifecycle.context import LabContext

SECRET = "hunter2"
NODES = ("controller", "compute1", "compute2")


class FakeEngine(Engine):
    """Containers of one lab by their state, images by name, and what was done."""

    def __init__(self, paths: LabPaths, states: dict[str, str], images: dict[str, str]) -> None:
        super().__init__("podman", ("podman",))
        self.__dict__.update(directory=str(paths.directory), states=states, images=images, used=set(), orders=[])

    def run(self, *arguments: str, **_: object) -> str:
        match arguments:
            case ("ps", *_):
                return " ".join(self.states)
            case ("container", "inspect", *_):
                return json.dumps(
                    [
                        {
                            "Id": name,
                            "Name": f"novalab-lab-{name}",
                            "State": {"Status": state},
                            "Config": {"Labels": {"novalab.directory": self.directory}},
                        }
                        for name, state in self.states.items()
                    ]
                )
            case ("images", "--no-trunc", *_):
                return "\n".join(f"{identity} {name}" for name, identity in self.images.items())
            case ("images", "--quiet", name):
                return self.images.get(name, "")
            case ("commit", *_, name):
                self.orders.append(f"commit {arguments[-2]}")
                self.images[name] = f"id-{arguments[-2]}"
            case ("rmi", name) if name in self.used:
                raise LabError("image is in use by a container")
            case ("pause" | "unpause" as verb, *names):
                self.orders.append(" ".join(arguments))
                self.states.update(dict.fromkeys(names, "paused" if verb == "pause" else "running"))
            case _:
                self.orders.append(" ".join(arguments))
        return ""

    states: dict[str, str]
    images: dict[str, str]
    used: set[str]
    orders: list[str]
    directory: str


@pytest.fixture
def engine(paths: LabPaths, monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """A lab that runs, with its files."""
    fake = FakeEngine(paths, dict.fromkeys(NODES, "running"), {})
    monkeypatch.setattr("labctl.providers.engine.install", lambda found, _: found)
    monkeypatch.setattr("labctl.providers.engine.find", lambda *_: fake)
    monkeypatch.setattr(inotify_limit, "check", lambda _: None)
    for file in snapshot_store.FILES:
        (paths.directory / file).parent.mkdir(exist_ok=True)
        (paths.directory / file).write_text("{}", encoding="utf-8")
    paths.secrets.write_text(SECRET, encoding="utf-8")
    return fake


@pytest.fixture
def progress(paths: LabPaths) -> Progress:
    return Progress(paths.logs / "x.log")


def save(context: Callable[..., LabContext], make_lab: Callable[..., Lab], name: str = "one") -> None:
    snapshot.check_save(context(make_lab()), name)
    snapshot.save(context(make_lab()), name)


@pytest.mark.parametrize("before", ["running", "paused"])
def test_save_holds_all_nodes_and_restores_their_state(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
    before: str,
) -> None:
    """All nodes are held while images are made of them, and go on only if they did before."""
    engine.states.update(dict.fromkeys(NODES, before))
    save(context, make_lab)
    held, *kept, last = [f"pause {before}", *engine.orders, ""] if before == "paused" else engine.orders
    assert (held.split()[0], sorted(kept)) == ("pause", ["commit compute1", "commit compute2", "commit controller"])
    assert last.split()[:1] == (["unpause"] if before == "running" else [])
    found = snapshot_store.get(paths, "one")
    assert (found.engine, found.nodes, found.lab) == ("podman", NODES, "lab")
    assert set(engine.images) == set(found.images.values())
    files = [path for path in (paths.snapshots / "one").rglob("*") if path.is_file()]
    assert len(files) == len(snapshot_store.FILES) + 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_save_that_fails_leaves_nothing_and_lets_the_nodes_go_on(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise LabError("no space left on device")

    monkeypatch.setattr(Engine, "commit", fail)
    with pytest.raises(LabError, match="no space"):
        save(context, make_lab)
    assert engine.orders[-1].startswith("unpause")
    assert list(paths.snapshots.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("one", "There is a snapshot 'one' already"),
        ("One", "is not a valid name"),
        ("-x", "is not a valid name"),
        ("a/b", "is not a valid name"),
    ],
)
def test_name_that_is_bad_is_refused(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
    name: str,
    said: str,
) -> None:
    save(context, make_lab)
    engine.orders.clear()
    with pytest.raises(BadInput, match=said):
        snapshot.check_save(context(make_lab()), name)
    assert engine.orders == []


def test_a_lab_that_does_not_run_is_not_saved(
    engine: FakeEngine, make_lab: Callable[..., Lab], context: Callable[..., LabContext], paths: LabPaths
) -> None:
    engine.states["compute1"] = "exited"
    with pytest.raises(BadInput, match="compute1 is stopped"):
        snapshot.check_save(context(make_lab()), "one")


def test_restore_brings_the_files_back(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
) -> None:
    """As they were; lab.yaml is the user's, who finds what it said before beside it."""
    paths.clouds_yaml.unlink()
    save(context, make_lab)
    assert engine.images
    paths.secrets.write_text("another", encoding="utf-8")
    paths.clouds_yaml.write_text("later", encoding="utf-8")
    paths.lab_yaml.write_text("computes: 3", encoding="utf-8")
    paths.lab_yaml.chmod(0o640)
    kept = snapshot_store.put_back(paths, snapshot_store.get(paths, "one"))
    assert (paths.secrets.read_text(encoding="utf-8"), paths.clouds_yaml.exists()) == (SECRET, False)
    assert stat.S_IMODE(paths.secrets.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.ssh_public_key.stat().st_mode) == 0o644
    assert (paths.lab_yaml.read_text(encoding="utf-8"), stat.S_IMODE(paths.lab_yaml.stat().st_mode)) == ("{}", 0o640)
    assert kept is not None
    assert kept.read_text(encoding="utf-8") == "computes: 3"
    assert snapshot_store.put_back(paths, snapshot_store.get(paths, "one")) is None


def test_restore_that_cannot_work_is_refused(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save(context, make_lab)
    records.remember(paths, make_lab(), "podman")
    assert snapshot.check_restore(paths, "one").lab == make_lab()
    with pytest.raises(BadInput, match=r"no snapshot 'two'.*\nSnapshots: one"):
        snapshot.check_restore(paths, "two")
    records.remember(paths, make_lab(network="10.0.0.0/24"), "podman")
    with pytest.raises(BadInput, match=r"network was 192.168.56.0/24 then, is 10.0.0.0/24 now"):
        snapshot.check_restore(paths, "one")
    records.remember(paths, make_lab(computes=3), "podman")  # nodes may come and go
    snapshot.check_restore(paths, "one")
    monkeypatch.setattr(engine, "images", {})
    with pytest.raises(BadInput, match="Images of snapshot 'one' are gone from podman: controller, compute1, compute2"):
        snapshot.check_restore(paths, "one")
    (paths.snapshots / "one" / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(BadInput, match=r"manifest\.json cannot be read"):
        snapshot.check_restore(paths, "one")
    assert snapshot_store.every(paths) == []


def test_restore_replaces_nodes_and_waits_for_reports(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old nodes go, the new ones come, the computes are held until the conductor answers, all report."""
    save(context, make_lab)
    engine.orders.clear()
    order = engine.orders
    monkeypatch.setattr(Machines, "__init__", lambda *_: None)
    monkeypatch.setattr(Machines, "up", lambda _, names: order.append(f"up {' '.join(names)}"))
    monkeypatch.setattr("labctl.remote.ssh.wait_for_ssh", lambda hosts: order.append(f"ssh {' '.join(hosts)}"))
    monkeypatch.setattr(
        ContainerNodes, "_hold", lambda _, look: order.append(f"hold {' '.join(item.id for item in look())}")
    )
    monkeypatch.setattr(ContainerNodes, "_release", lambda _, nodes: order.append(f"release {len(nodes)}"))
    monkeypatch.setattr("labctl.providers.containers.ensure_network", lambda *_: order.append("network"))
    monkeypatch.setattr(snapshot, "wait_for_conductor", lambda *_: order.append("conductor"))
    monkeypatch.setattr(snapshot, "wait_for_all", lambda *_: order.append("reports"))
    (paths.dotfile / "machines" / "compute3" / "docker").mkdir(parents=True)
    fingerprint.remember(paths, "of the nodes that go", "t0")
    snapshot.restore(context(make_lab()), "one")
    assert not paths.whole.exists()
    gone = sorted(order[:6])
    assert gone == sorted(f"{verb}{name}" for name in NODES for verb in ("kill ", "rm --force --volumes "))
    assert order[6:] == [
        *("network", "up controller compute1 compute2", "hold compute1 compute2"),
        *("ssh controller", "conductor", "release 3", "ssh controller compute1 compute2", "reports"),
    ]
    assert not (paths.dotfile / "machines" / "compute3" / "docker").exists()
    images = snapshot_store.get(paths, "one").images
    assert {node: snapshot_images.own(paths, engine, node) for node in NODES} == images
    assert snapshot_images.own(paths, engine, "compute3") is None
    engine.images.clear()  # with its snapshot
    assert snapshot_images.own(paths, engine, "compute1") is None


def test_computes_that_are_held_go_on_when_there_is_no_conductor(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise LabError("The conductor does not start")

    monkeypatch.setattr(Machines, "__init__", lambda *_: None)
    monkeypatch.setattr(Machines, "up", lambda *_: engine.states.update(compute1="running", compute2="running"))
    monkeypatch.setattr("labctl.remote.ssh.wait_for_ssh", lambda _: engine.states.update(compute2="running"))
    monkeypatch.setattr("labctl.providers.containers.ensure_network", lambda *_: None)
    with pytest.raises(LabError, match="The conductor does not start"):
        context(make_lab()).provider.start_from({}, progress, fail)
    assert engine.orders[-2:] == ["pause compute1 compute2", "unpause compute1"]


def test_what_was_held_before_a_pause_failed_goes_on(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(*arguments: str, **_: object) -> str:
        said = FakeEngine.run(engine, *arguments)
        if arguments[0] == "pause":
            engine.states.update(compute2="running")
            raise LabError("unable to freeze")
        return said

    monkeypatch.setitem(engine.__dict__, "run", run)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(LabError, match="unable to freeze"):
        save(context, make_lab)
    assert set(engine.states.values()) == {"running"}


def test_images_that_nobody_has_go(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
) -> None:
    """Those by which a node runs stay until that node is gone."""
    save(context, make_lab)
    save(context, make_lab, "two")
    two = snapshot_store.get(paths, "two").images
    engine.images["<none>:<none>"] = "left"
    snapshot_images.note(paths, {"compute1": two["compute1"]})
    engine.orders.clear()
    snapshot.check_delete(context(make_lab()), "two")
    snapshot.delete(context(make_lab()), "two")
    assert sorted(engine.orders) == sorted(["rmi left", f"rmi {two['controller']}", f"rmi {two['compute2']}"])
    assert [item.name for item in snapshot_store.every(paths)] == ["one"]
    with pytest.raises(BadInput, match="no snapshot 'two'"):
        snapshot.check_delete(context(make_lab()), "two")
    engine.used.update(two.values())
    snapshot_images.prune(engine, paths)


def test_a_damaged_snapshot_can_be_removed(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
) -> None:
    (paths.snapshots / "one").mkdir(parents=True)
    snapshot.check_delete(context(make_lab()), "one")
    snapshot.delete(context(make_lab()), "one")
    assert (list(paths.snapshots.iterdir()), engine.orders) == ([], [])


def test_no_secret_in_the_manifest(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
) -> None:
    save(context, make_lab)
    assert SECRET not in json.dumps(asdict(snapshot_store.get(paths, "one")))
    assert engine.orders


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch, paths: LabPaths) -> list[str]:
    """Virtual machines, of which Vagrant knows the snapshot one; what it is told to do, and what else happens."""
    told: list[str] = []
    paths.make_state()
    (paths.dotfile / "machines").mkdir(parents=True)
    monkeypatch.setattr(Machines, "__init__", lambda *_: None)
    monkeypatch.setattr(Machines, "run", lambda _, verb, *names: told.append(f"{verb} {names}"))
    monkeypatch.setattr(Machines, "up", lambda _, *names: told.append(f"up {names}"))
    monkeypatch.setattr(Machines, "snapshots", lambda _: {"one"})
    monkeypatch.setattr(Machines, "ssh_hosts", lambda _: {})
    monkeypatch.setattr(Machines, "states", lambda _: dict.fromkeys(NODES, "running"))
    monkeypatch.setattr(pause, "step_clocks", lambda *_: told.append("clocks"))
    monkeypatch.setattr(snapshot, "wait_for_all", lambda _, since: told.append(f"reports since {since}"))
    return told


def test_snapshot_of_machines_is_vagrants(
    machines: list[str],
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
) -> None:
    """Vagrant keeps them; what is reported counts from when their clocks are right."""
    paths.lab_yaml.write_text("provider: libvirt", encoding="utf-8")
    lab = make_lab(provider="libvirt")
    snapshot.check_save(context(lab), "one")
    snapshot.save(context(lab), "one")
    assert machines == ["suspend ()", "snapshot save ('one',)", "resume ()", "clocks"]
    machines.clear()
    records.remember(paths, lab, None)
    assert snapshot.check_restore(paths, "one").lab == lab
    snapshot.restore(context(lab), "one")
    assert machines == ["snapshot restore ('one',)", f"up ({list(NODES)},)", "clocks", "reports since None"]
    machines.clear()
    snapshot.delete(context(lab), "one")
    assert (machines, snapshot_store.every(paths)) == (["snapshot delete ('one',)"], [])


def test_virtual_machines_whose_snapshot_is_gone(
    machines: list[str],
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths.lab_yaml.write_text("provider: libvirt", encoding="utf-8")
    lab = make_lab(provider="libvirt")
    snapshot.save(context(lab), "one")
    records.remember(paths, lab, None)
    monkeypatch.setattr(Machines, "snapshots", lambda _: set())
    machines.clear()
    with pytest.raises(BadInput, match="Vagrant does not know the snapshot 'one'"):
        snapshot.check_restore(paths, "one")
    snapshot.delete(context(lab), "one")
    assert machines == []


@pytest.mark.parametrize("keep", [False, True])
def test_destroy_removes_the_snapshots(
    engine: FakeEngine,
    make_lab: Callable[..., Lab],
    context: Callable[..., LabContext],
    paths: LabPaths,
    progress: Progress,
    monkeypatch: pytest.MonkeyPatch,
    keep: bool,
) -> None:
    save(context, make_lab)
    snapshot_images.note(paths, snapshot_store.get(paths, "one").images)
    engine.orders.clear()
    monkeypatch.setattr("labctl.providers.containers.networks", lambda _: [])
    removed = destroy.destroy(context(make_lab()), keep_snapshots=keep)
    images = [order for order in engine.orders if order.startswith("rmi")]
    assert len(images) == (0 if keep else 3)
    assert [item.name for item in snapshot_store.every(paths)] == (["one"] if keep else [])
    assert ("one" in removed, paths.secrets.exists(), paths.node_images.exists()) == (not keep, False, False)


def test_reports_are_of_all_services(
    make_lab: Callable[..., Lab], context: Callable[..., LabContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def ask(
        _: object,
        __: object,
        nodes: list[object],
        name: str,
        arguments: Callable[..., dict[str, object]],
        **___: object,
    ) -> dict[str, Answer]:
        asked.append({**arguments(nodes[0]), "program": name})
        return {"controller": Answer("", "" if len(asked) == 1 else "nova-compute on compute2 has not reported")}

    monkeypatch.setattr("labctl.lifecycle.snapshot.ask", ask)
    lab = make_lab(networking="none")
    snapshot.wait_for_conductor(context(lab))
    with pytest.raises(LabError, match="since the restore: nova-compute on compute2 has not"):
        snapshot.wait_for_all(context(lab), 7.5)
    assert asked[0]["services"] == {}
    assert asked[1] == {
        "services": {
            "controller": ["nova-conductor", "nova-scheduler"],
            "compute1": ["nova-compute"],
            "compute2": ["nova-compute"],
        },
        "since": 7.5,
        "timeout": 120,
        "network": False,
        "program": "reports",
    }

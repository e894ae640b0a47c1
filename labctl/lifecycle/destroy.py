"""Shut a lab down, and remove it."""

import shutil

from labctl.lab import records, registry, snapshot_store
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.preflight import make_plan
from labctl.providers.select import provider_of


def halt(context: LabContext) -> None:
    """Shut the nodes down. Their contents stay."""
    context.provider.connect()
    with context.progress.step("Halt") as step:
        context.provider.halt(step)
        context.paths.ssh_hosts.unlink(missing_ok=True)


def destroy(context: LabContext, *, keep_snapshots: bool = False) -> list[str]:
    """Remove nodes, network, inventory, secrets and state, as far as they exist. Logs and images stay.

    Snapshots of containers can stay; those of virtual machines are removed with them. Returns what was removed.
    Containers and network are found by their labels, whatever lab.yaml says now; virtual machines only by lab.yaml.
    Raises LabError if the nodes cannot be reached, and then removes nothing.
    """
    paths, provider, progress = context.paths, context.provider, context.progress
    if (made_by := records.provider(paths)) is not None:
        provider = provider_of(context.lab.model_copy(update={"provider": made_by}), paths)
        if not provider.keeps_snapshots:  # then lab.yaml says which machines they are
            make_plan(context).check(paths)
        provider.connect()
    with progress.step("Nodes") as step:
        removed = provider.destroy(step.note)
    if not keep_snapshots:
        removed += snapshot_store.forget_all(paths)
    removed += provider.remove_leftovers(progress)
    with progress.step("State") as step:
        keep = {paths.logs, paths.lock, paths.snapshots}  # the lock is held now; snapshots are dealt with already
        state = set(paths.state.iterdir()) - keep if paths.state.is_dir() else ()
        for path in (paths.hosts_ini, paths.clouds_yaml, *sorted(state)):
            if path.exists() or path.is_symlink():
                step.detail(f"removing {path}")
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                removed.append(str(path))
    registry.forget(paths.directory)
    return removed

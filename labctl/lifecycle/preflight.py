"""What has to be done to a lab, or is refused, before anything is touched."""

from labctl.errors import LabError
from labctl.lab import image_files, overrides, records
from labctl.lab import secrets as lab_secrets
from labctl.lab.paths import LabPaths
from labctl.lifecycle import conflicts, diff, option_check, scale_down
from labctl.lifecycle.context import LabContext
from labctl.lifecycle.plan import Plan


def preflight(context: LabContext, *, evict: bool = False, remove: bool = False) -> Plan:
    """What has to be done, or is refused. Raises BadInput for what else cannot be.

    Nothing is changed, not even in the lab's directory. Nodes may leave only with remove.
    """
    lab, paths = context.lab, context.paths
    image_files.check(lab.images, paths)
    plan = make_plan(context, evict=evict, remove=remove)
    option_check.check(context)
    if not plan.refusals:
        conflicts.check(lab, paths, conflicts.find_others(lab, paths, context.provider.engines()))
    return plan


def make_plan(context: LabContext, *, evict: bool = False, remove: bool = True) -> Plan:
    """What `labctl up` would do. Nothing is changed.

    Nova is asked for the servers on nodes that leave, unless remove says that none may.
    """
    lab, paths = context.lab, context.paths
    nodes = context.provider.present()
    going = lab.former_computes({*records.nodes(paths), *nodes})
    servers: dict[str, tuple[str, ...]] = {}
    unknown = ""
    cloud = paths.clouds_yaml.is_file()  # written when Neutron and Nova answer
    if going and remove and cloud:
        try:
            servers = scale_down.servers(lab, paths, going)
        except LabError as error:
            unknown = error.message
    found = diff.Existing(
        nodes=nodes,
        made=records.read(paths),
        software=records.read_software(paths),
        passwords=_passwords(paths),
        engine=context.provider.engine_kind,
        servers=servers,
        cloud=cloud,
        unknown=unknown,
        options=overrides.facts(overrides.read(lab, paths)),
    )
    return diff.compare(lab, found, tuple(node.name for node in going), evict=evict, remove=remove)


def _passwords(paths: LabPaths) -> dict[str, str]:
    """The passwords in force; none when the file is not readable, which the next step reports."""
    try:
        return lab_secrets.read(paths.secrets)
    except LabError:
        return {}

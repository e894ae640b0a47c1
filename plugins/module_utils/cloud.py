# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""A cloud by the SDK: as a C(clouds.yaml) names it, or with the password of its administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import missing_required_lib

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

try:
    from keystoneauth1.exceptions import ClientException, ConnectFailure
    from openstack.config import OpenStackConfig
    from openstack.connection import Connection
    from openstack.exceptions import SDKException

    SDK_ERROR = ""
    ERRORS: tuple[type[Exception], ...] = (SDKException, ClientException)
except ImportError as error:
    SDK_ERROR = str(error)
    ERRORS = ()

# The description of ports that are made for a server and belong to it, which Neutron does not know.
PORT_MARK = "made for a server"
# Nova keeps this as a server's fault when it was asked for the diagnostics of a machine that is off.
_NO_DIAGNOSTICS = "Cannot get_diagnostics"
ARGUMENTS: dict[str, dict[str, Any]] = {
    "clouds_file": {"type": "path", "required": True},
    "cloud": {"type": "str", "required": True},
    "project": {"type": "str"},
}
ADMIN_ARGUMENTS: dict[str, dict[str, Any]] = {
    "identity_url": {"type": "str", "required": True},
    "admin_password": {"type": "str", "required": True, "no_log": True},
    "region": {"type": "str", "default": "RegionOne"},
}


def connect(module: AnsibleModule) -> Connection:
    """The cloud of the module's arguments, in its own project or in the one that they name."""
    _require_sdk(module)
    parameters = module.params
    project = parameters.get("project")
    more: dict[str, Any] = {"auth": {"project_name": project}} if project else {}
    config = OpenStackConfig(config_files=[parameters["clouds_file"]], load_envvars=False)
    return Connection(config=config.get_one(cloud=parameters["cloud"], **more))


def connect_as_admin(module: AnsibleModule) -> Connection:
    """The cloud as the user admin in the project admin, from ADMIN_ARGUMENTS; for nodes, which have no clouds.yaml."""
    _require_sdk(module)
    config = OpenStackConfig(load_yaml_config=False, load_envvars=False)
    auth = {
        "auth_url": module.params["identity_url"],
        "username": "admin",
        "password": module.params["admin_password"],
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    region = module.params["region"]
    return Connection(config=config.get_one(auth=auth, region_name=region, identity_api_version="3"))


def _require_sdk(module: AnsibleModule) -> None:
    if SDK_ERROR:
        module.fail_json(msg=missing_required_lib("openstacksdk"), exception=SDK_ERROR)


def may_pass(error: Exception) -> bool:
    """Whether an error is that of services which are about to start: nobody listens, or a server's error."""
    # The SDK's word for it, then keystoneauth's.
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None) or 0
    return isinstance(error, ConnectFailure) or status >= 500


def is_conflict(error: Exception) -> bool:
    """Whether a service refused because it is changing the same thing right now."""
    return getattr(error, "status_code", None) == 409


def fault(server: dict[str, Any]) -> str:
    """What Nova says went wrong with a server; nothing when there is no fault, or only that of our own question."""
    message = str((server.get("fault") or {}).get("message") or "").strip()
    return "" if _NO_DIAGNOSTICS in message else message


def raise_for(answer: Any) -> None:
    """Raise an SDKException with the service's own words unless the answer is a success."""
    if answer.status_code >= 400:
        try:
            (said,) = answer.json().values()
            words = said["message"]
        except (ValueError, TypeError, KeyError, AttributeError):
            words = answer.text
        raise SDKException(f"{answer.request.method} {answer.url}: status {answer.status_code}: {words}")

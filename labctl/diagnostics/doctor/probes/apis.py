"""The APIs as this node sees them: can they be reached, do they answer, does Placement know the node."""

import json
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labctl.diagnostics.doctor.probes import logins


def gather(
    identities: list[dict[str, Any]], node: str, wanted: list[dict[str, str]], *, compute: bool
) -> dict[str, Any]:
    """The wanted endpoints of the catalog that Nova gets here, and on a compute Placement's answer to Nova's own user.

    wanted has the type of each API, and the path by which it is tried.
    """
    nova = [login for login in identities if login["service"] == "nova"]
    known = next((login for login in nova if login["kind"] == "ok"), None)
    if known is None:
        return {"endpoints": [], "missing": [], "placement": None}
    catalog = known["catalog"]
    with ThreadPoolExecutor() as pool:
        present = [(api["type"], catalog[api["type"]], api["probe"]) for api in wanted if api["type"] in catalog]
        asked = list(pool.map(_endpoint, present))
    # The user of [placement] may differ from that of the other sections.
    own = next((login for login in nova if "placement" in login["sections"]), None)
    placement = _placement(own, node) if compute and own and own["kind"] == "ok" else None
    missing = [api["type"] for api in wanted if api["type"] not in catalog]
    return {"endpoints": asked, "missing": missing, "placement": placement}


def _endpoint(item: tuple[str, str, str]) -> dict[str, Any]:
    """Whether an endpoint answers, even with a refusal: the request has no token."""
    kind, url, path = item
    parts = urllib.parse.urlsplit(url)
    answer = logins.ask(f"{parts.scheme}://{parts.netloc}{path}")
    status = answer.get("status", 200)
    bad = answer["kind"] == "unreachable" or status >= 500
    return {"type": kind, "url": url, "port": parts.port or 80, "problem": answer["error"] if bad else ""}


def _placement(login: dict[str, Any], node: str) -> dict[str, Any]:
    url = login["catalog"].get("placement", "")
    result = {"url": url, "kind": "ok", "error": "", "providers": 0, "user": login["user"]}
    if not url:
        return {**result, "kind": "missing", "error": "the catalog has no endpoint of Placement"}
    base = f"{url.rstrip('/')}/resource_providers"
    answer = logins.ask(f"{base}?{urllib.parse.urlencode({'name': node})}", token=login["_token"])
    if answer["kind"] != "ok":
        return {**result, "kind": answer["kind"], "error": answer["error"]}
    providers = json.loads(answer["body"])["resource_providers"]
    result["providers"] = len(providers)
    if len(providers) == 1:
        inventories = logins.ask(f"{base}/{providers[0]['uuid']}/inventories", token=login["_token"])
        if inventories["kind"] == "ok":
            result["inventory"] = sorted(json.loads(inventories["body"])["inventories"])
            result["uuid"] = providers[0]["uuid"]
    return result


def memcached(services: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Every server of memcached that a service here uses, and why it does not answer."""
    found: dict[str, str] = {}
    for cache in filter(None, (role["cache"] for role in services)):
        for server in logins.setting(cache["file"], cache["section"], cache["option"]).split(","):
            if server.strip():
                found.setdefault(server.strip(), cache["file"])
    result = []
    for server, path in found.items():
        host, _, port = server.rpartition(":")
        problem = logins.reach(host, int(port) if port.isdigit() else 11211)
        result.append({"server": server, "file": path, "problem": problem})
    return result

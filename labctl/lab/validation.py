"""Check lab.yaml against its schema. Each mistake has its line, what was found and what was expected."""

import difflib
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any

from pydantic import ValidationError

from labctl.lab.schema import (
    COMPUTE_OFFSET,
    OWN_IMAGE,
    PROVIDERS,
    SECRETS,
    Computes,
    Controller,
    Image,
    LabFile,
    resolved_provider,
)
from labctl.lab.yaml_reader import KeyPath, Mistake, YamlFile

# Expectations where pydantic's message would be hard to understand.
_EXPECTED: dict[KeyPath, tuple[str, str | None]] = {
    ("name",): ("a lower-case letter, then up to 19 lower-case letters, digits or hyphens", None),
    ("release",): ('"2025.1" (epoxy) or "2022.2" (zed)', None),
    ("dashboard",): ("true or false", None),
    ("controller",): ("a mapping with cpus and memory", "For example: controller: {cpus: 2, memory: 4096}"),
    ("controller", "cpus"): ("a whole number from 1 to 64", None),
    ("controller", "memory"): ("a whole number of MiB, at least 2560", None),
    ("computes",): ("a number, or a mapping with count, cpus and memory", "For example: computes: 2"),
    ("computes", "count"): ("a whole number from 1 to 100", None),
    ("computes", "cpus"): ("a whole number from 1 to 64", None),
    ("computes", "memory"): ("a whole number of MiB, at least 1024", None),
    ("box",): ("the name of a Vagrant box", None),
    ("images",): ("a list of images", "For example: images: [{name: cirros, path: cirros.qcow2}]"),
    ("images", "*"): ("a mapping with name, and path or url", "For example: {name: cirros, path: cirros.qcow2}"),
    ("images", "*", "name"): ("letters, digits, dots, hyphens and underscores, at most 63", None),
    ("images", "*", "path"): ("the path of a file", None),
    ("images", "*", "url"): ("a URL that begins with http:// or https://", None),
    ("images", "*", "checksum"): ("sha256: and 64, or sha512: and 128 hexadecimal digits", None),
    ("images", "*", "min_disk"): ("a whole number of GB", None),
    ("images", "*", "min_ram"): ("a whole number of MiB", None),
    ("images", "*", "properties"): ("a mapping of names to texts", "For example: properties: {hw_disk_bus: virtio}"),
    ("images", "*", "properties", "*"): ("a text", None),
    ("secrets",): ("a mapping of names to passwords", f"Names are {', '.join(SECRETS)}."),
}
# What is text even where YAML reads a number or a date, such as an unquoted `release: 2025.1` or a password of digits.
_TEXTS: frozenset[KeyPath] = frozenset(
    [("name",), ("release",), ("box",), ("images", "*", "properties", "*"), ("secrets", "*")]
    + [("images", "*", name) for name in ("name", "path", "url", "checksum")]
)


def check(file: YamlFile, *, platform: str = sys.platform) -> tuple[LabFile, list[Mistake]]:
    """Check the data of a lab.yaml.

    Returns its meaning, with defaults in place of wrong values, and all mistakes, ordered by line.
    """
    mistakes = list(file.mistakes)
    data = file.data if file.data is not None else {}
    if not isinstance(data, dict):
        found = _found((), data, file)
        mistakes.append(Mistake(file.line(()), (), found, "keys and values", "For example: computes: 2"))
        data = {}
    data = _as_meant(data, file)
    wrong: set[str] = set()
    try:
        result = LabFile.model_validate(data)
    except ValidationError as error:
        for problem in error.errors():
            mistake = _mistake(problem, file)
            mistakes.append(mistake)
            wrong.add(mistake.key[0])
        result = LabFile.model_validate({key: value for key, value in data.items() if key not in wrong})
    mistakes += [mistake for keys, mistake in _contradictions(result, file, platform) if not wrong.intersection(keys)]
    return result, sorted(mistakes, key=lambda mistake: mistake.line or 0)


def _as_meant(value: Any, file: YamlFile, key: KeyPath = ()) -> Any:  # noqa: ANN401 (YAML)
    """The value without keys that are left empty, which means their default, and with texts as written."""
    if isinstance(value, list):
        return [_as_meant(item, file, (*key, str(position))) for position, item in enumerate(value)]
    if isinstance(value, dict):
        properties = key[2:] == ("properties",)  # may be empty
        kept = {name: item for name, item in value.items() if item is not None or properties}
        return {name: _as_meant(item, file, (*key, name)) for name, item in kept.items()}
    return file.texts.get(key, value) if _general(key) in _TEXTS else value


def _general(key: KeyPath) -> KeyPath:
    """A key with a star in place of positions in a list and of arbitrary names."""
    general: KeyPath = ()
    for part in key:
        anything = part.isdigit() or general in (("images", "*", "properties"), ("secrets",))
        general = (*general, "*" if anything else part)
    return general


def _mistake(problem: Any, file: YamlFile) -> Mistake:  # noqa: ANN401 (pydantic's ErrorDetails)
    key = tuple(str(part) for part in problem["loc"] if part != "[key]")
    context = problem.get("ctx", {})
    line = file.line(key)
    if problem["type"] == "extra_forbidden" or problem["loc"][-1] == "[key]":
        return Mistake(line, key, "an unknown key", *_known(key))
    found = context.get("found") or _found(key, problem["input"], file)
    if problem["type"] == "lab":
        return Mistake(line, key, found, context["expected"], context["remedy"])
    if problem["type"] == "missing":
        return Mistake(line, key[:-1], f"nothing for {key[-1]}", *_EXPECTED[_general(key[:-1])])
    expected, remedy = _EXPECTED.get(_general(key), (context.get("expected", ""), None))
    if problem["type"] == "literal_error":
        choices = [choice.strip("'") for choice in expected.replace(" or ", ", ").split(", ")]
        near = difflib.get_close_matches(str(problem["input"]).lower(), choices, n=1)
        expected, remedy = f"one of {', '.join(choices)}", f"Did you mean {near[0]}?" if near else None
    return Mistake(line, key, found, expected or problem["msg"].lower(), remedy)


def _known(key: KeyPath) -> tuple[str, str | None]:
    """The keys that are allowed beside an unknown one, and which was probably meant, there or elsewhere."""
    places: dict[KeyPath, list[str]] = {
        (): list(LabFile.model_fields),
        ("controller",): list(Controller.model_fields),
        ("computes",): list(Computes.model_fields),
        ("images", "*"): list(Image.model_fields),
        ("secrets",): list(SECRETS),
    }
    here = places[_general(key[:-1])]
    near = difflib.get_close_matches(key[-1].lower().replace("-", "_"), here, n=1)
    elsewhere = [
        ".".join((*place, key[-1])) for place, names in places.items() if key[-1] in names and "*" not in place
    ]
    meant = elsewhere or near
    return f"one of {', '.join(here)}", f"Did you mean {' or '.join(meant)}?" if meant else None


def _found(key: KeyPath, value: object, file: YamlFile) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = file.texts.get(key, str(value))
    if key[:1] == ("secrets",):
        return "one value"
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return repr(shown) if isinstance(value, str) else shown


def _contradictions(lab: LabFile, file: YamlFile, platform: str) -> Iterator[tuple[set[str], Mistake]]:
    """Values that are valid alone but not together, with the keys that each rule reads."""

    def wrong(keys: tuple[str, ...], found: str, expected: str, remedy: str) -> tuple[set[str], Mistake]:
        """A mistake in the first of the keys that a rule reads, at the line of the first one that is in the file."""
        lines = [file.lines[(key,)] for key in keys if (key,) in file.lines]
        return set(keys), Mistake(lines[0] if lines else None, keys[:1], found, expected, remedy)

    provider = resolved_provider(lab, platform)
    traits = PROVIDERS[provider]
    last = COMPUTE_OFFSET + lab.computes.count - 1
    if last > lab.network.num_addresses - 2:
        prefix = 32 - (last + 1).bit_length()
        yield wrong(
            ("network", "computes"),
            f"{lab.network}, which ends at {lab.network.broadcast_address}",
            f"room for {lab.computes.count} computes, which end at {lab.network.network_address + last}",
            f"Write {IPv4Network(f'{lab.network.network_address}/{prefix}', strict=False)}",
        )
    if lab.networking == "neutron" and lab.guest_network.overlaps(lab.network):
        yield wrong(
            ("guest_network", "network", "networking"),
            f"{lab.guest_network}, which overlaps the nodes' {lab.network}",
            "a separate network for the instances",
            "Choose a different guest_network or network.",
        )
    if lab.dashboard and lab.networking == "none":
        yield wrong(
            ("dashboard", "networking"),
            "true together with networking none",
            "networking: neutron, without which instances cannot be used",
            "Remove dashboard, or write networking: neutron",
        )
    if traits.restricted and not any(lab.network.subnet_of(place) for place in traits.networks):
        yield wrong(
            ("network", "provider"),
            str(lab.network),
            f"a network inside {', '.join(map(str, traits.networks))}, where {provider} allows host-only networks",
            "Write 192.168.57.0/24, for example, or choose another provider.",
        )
    if lab.engine != "auto" and not traits.containers:
        yield wrong(
            ("engine", "provider"),
            f"{lab.engine} together with provider {provider}",
            "a container engine with provider docker only",
            "Remove engine, or write provider: docker",
        )
    if lab.box is not None and traits.containers:
        yield wrong(
            ("box", "provider"),
            f"{lab.box} together with provider docker",
            "a box with provider libvirt or virtualbox only",
            "Remove box: containers start from an image that labctl builds.",
        )
    for key, *words in _images(lab.images):
        yield {"images"}, Mistake(file.line(key), key, *words)


def _images(images: tuple[Image, ...]) -> Iterator[tuple[KeyPath, str, str, str]]:
    """Mistakes in images whose values are valid alone: where, found, expected, remedy."""
    names = {OWN_IMAGE: "the lab's own image"}
    for position, image in enumerate(images):
        name, url = ("images", str(position), "name"), ("images", str(position), "url")
        if image.name in names:
            yield name, f"{image.name}, which is {names[image.name]}", "a unique name", "Choose another."
        names.setdefault(image.name, f"images.{position}")
        if image.path and image.url:
            yield url, "a URL beside a path", "one of the two", "Remove one of the two."
        elif not image.path and not image.url:
            yield name, "neither path nor url", "one of the two", "Say where the file is."
        elif image.url and not image.checksum:
            remedy = "Publishers of images list them beside the file, as SHA256SUMS or SHA512SUMS."
            yield url, "a URL without a checksum", "checksum: sha256:... or sha512:...", remedy

"""lab.yaml checked against its schema, each mistake with its line, what was found and what was expected."""

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

# Expectations where pydantic's own words would need knowledge of pydantic.
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


_WORDS: tuple[KeyPath, ...] = (("name",), ("release",), ("box",))


def check(file: YamlFile, *, platform: str = sys.platform) -> tuple[LabFile, list[Mistake]]:
    """Check the data of a lab.yaml.

    Returns what it means, with defaults in the place of what is wrong, and everything that is wrong, by line.
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


def _as_meant(data: dict[str, Any], file: YamlFile) -> dict[str, Any]:
    """The data without what is left empty, which means its default, and with words as written.

    So an unquoted `release: 2025.1`, a number to YAML, and a password of digits need no quotes.
    """
    meant = {key: value for key, value in data.items() if value is not None}
    for (word,) in _WORDS:
        if word in meant and (word,) in file.texts:
            meant[word] = file.texts[(word,)]
    for key in ("controller", "computes", "secrets"):
        if isinstance(meant.get(key), dict):
            meant[key] = {name: value for name, value in meant[key].items() if value is not None}
    if isinstance(meant.get("images"), list):
        meant["images"] = [_image_as_meant(image, ("images", str(i)), file) for i, image in enumerate(meant["images"])]
    if isinstance(meant.get("secrets"), dict):
        meant["secrets"] = {name: file.texts.get(("secrets", name), value) for name, value in meant["secrets"].items()}
    return meant


def _image_as_meant(image: object, key: KeyPath, file: YamlFile) -> object:
    if not isinstance(image, dict):
        return image
    meant = {name: value for name, value in image.items() if value is not None}
    for word in ("name", "path", "url", "checksum"):
        if word in meant:
            meant[word] = file.texts.get((*key, word), meant[word])
    if isinstance(meant.get("properties"), dict):
        meant["properties"] = {
            name: file.texts.get((*key, "properties", name), value) for name, value in meant["properties"].items()
        }
    return meant


def _general(key: KeyPath) -> KeyPath:
    """A key with a star in the place of positions in a list, and of names that may be any."""
    general = tuple("*" if part.isdigit() else part for part in key)
    return (*general[:3], "*") if general[:3] == ("images", "*", "properties") and len(general) > 3 else general


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
    """What keys there are beside an unknown one, and which one may be meant, in the same place or in another."""
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


def _contradictions(lab: LabFile, file: YamlFile, platform: str) -> list[tuple[set[str], Mistake]]:
    """What is right by itself and wrong together; with the keys that each rule reads."""
    result = []
    provider = resolved_provider(lab, platform)
    traits = PROVIDERS[provider]
    last = COMPUTE_OFFSET + lab.computes.count - 1
    if last > lab.network.num_addresses - 2:
        prefix = 32 - (last + 1).bit_length()
        wider = IPv4Network(f"{lab.network.network_address}/{prefix}", strict=False)
        mistake = Mistake(
            file.line(("network",)) or file.line(("computes", "count")),
            ("network",),
            f"{lab.network}, which ends at {lab.network.broadcast_address}",
            f"room for {lab.computes.count} computes, which end at {lab.network.network_address + last}",
            f"Write {wider}",
        )
        result.append(({"network", "computes"}, mistake))
    if lab.networking == "neutron" and lab.guest_network.overlaps(lab.network):
        mistake = Mistake(
            file.line(("guest_network",)) or file.line(("network",)),
            ("guest_network",),
            f"{lab.guest_network}, which overlaps the nodes' {lab.network}",
            "a network of the instances' own",
            "Choose a different guest_network or network.",
        )
        result.append(({"network", "guest_network", "networking"}, mistake))
    if lab.dashboard and lab.networking == "none":
        mistake = Mistake(
            file.line(("dashboard",)),
            ("dashboard",),
            "true together with networking none",
            "networking: neutron, without which instances cannot be used",
            "Remove dashboard, or write networking: neutron",
        )
        result.append(({"networking", "dashboard"}, mistake))
    if traits.restricted and not any(lab.network.subnet_of(place) for place in traits.networks):
        mistake = Mistake(
            file.line(("network",)),
            ("network",),
            str(lab.network),
            f"a network inside {', '.join(map(str, traits.networks))}, where {provider} allows host-only networks",
            "Write 192.168.57.0/24, for example, or choose another provider.",
        )
        result.append(({"network", "provider"}, mistake))
    if lab.engine != "auto" and not traits.containers:
        mistake = Mistake(
            file.line(("engine",)),
            ("engine",),
            f"{lab.engine} together with provider {provider}",
            "a container engine with provider docker only",
            "Remove engine, or write provider: docker",
        )
        result.append(({"engine", "provider"}, mistake))
    if lab.box is not None and traits.containers:
        mistake = Mistake(
            file.line(("box",)),
            ("box",),
            f"{lab.box} together with provider docker",
            "a box with provider libvirt or virtualbox only",
            "Remove box: containers start from an image that labctl builds.",
        )
        result.append(({"box", "provider"}, mistake))
    result += [({"images"}, mistake) for mistake in _images(lab.images, file)]
    return result


def _images(images: tuple[Image, ...], file: YamlFile) -> Iterator[Mistake]:
    """What is wrong with images whose values are right by themselves."""
    names = {OWN_IMAGE: "the lab's own image"}
    for position, image in enumerate(images):
        key = ("images", str(position))

        def mistake(word: str, found: str, expected: str, remedy: str, key: KeyPath = key) -> Mistake:
            return Mistake(file.line((*key, word)), (*key, word), found, expected, remedy)

        if image.name in names:
            yield mistake("name", f"{image.name}, which is {names[image.name]}", "a name of its own", "Choose another.")
        names.setdefault(image.name, f"images.{position}")
        if image.path and image.url:
            yield mistake("url", "a URL beside a path", "one of the two", "Remove one of the two.")
        elif not image.path and not image.url:
            yield mistake("name", "neither path nor url", "one of the two", "Say where the file is.")
        elif image.url and not image.checksum:
            remedy = "Publishers of images list them beside the file, as SHA256SUMS or SHA512SUMS."
            yield mistake("url", "a URL without a checksum", "checksum: sha256:... or sha512:...", remedy)

#!/usr/bin/python
# Copyright: novalab contributors
# SPDX-License-Identifier: Apache-2.0
"""Images in Glance, from files of the node."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: glance_images
short_description: Keep images in Glance that everybody can use
version_added: "0.1.0"
description:
  - Uploads files of the node as public images of the project C(admin), and corrects the attributes of images that
    exist, all in one process.
  - An image is uploaded again if its data differ from the file, by Glance's own digest. The old image is then removed
    if it has the tag C(novalab), which this module gives to its uploads.
  - Leaves other images, and additional properties of these, alone.
author:
  - novalab contributors (@novalab)
requirements:
  - openstacksdk >= 0.99
options:
  identity_url:
    description: Keystone's URL, with the version.
    type: str
    required: true
  admin_password:
    description: The password of the user C(admin).
    type: str
    required: true
  region:
    description: The region.
    type: str
    default: RegionOne
  images:
    description: The images.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The image's name.
        type: str
        required: true
      path:
        description: The file with its data.
        type: path
        required: true
      url:
        description: Where the file comes from. Not used by this module.
        type: str
      checksum:
        description: The expected digest of the file, as C(sha256:…) or C(sha512:…).
        type: str
      disk_format:
        description: The format of the disk in the file.
        type: str
        default: qcow2
      container_format:
        description: The format of its container.
        type: str
        default: bare
      min_disk:
        description: The smallest root disk, in GB.
        type: int
        default: 0
      min_ram:
        description: The smallest memory, in MiB.
        type: int
        default: 0
      properties:
        description: Properties. Glance stores their values as strings.
        type: dict
        default: {}
attributes:
  check_mode:
    support: full
    description: Reports what would change. A file that does not exist yet counts as a change.
  diff_mode:
    support: full
    description: Lists the images that are uploaded or changed.
"""

EXAMPLES = r"""
- name: Keep an image
  novalab.openstack.glance_images:
    identity_url: http://192.168.56.11:5000/v3
    admin_password: "{{ admin_password }}"
    images:
      - name: cirros
        path: /var/lib/novalab/images/cirros.qcow2
        min_ram: 128
"""

RETURN = r"""
changes:
  description: What was uploaded, changed or removed, one line each.
  type: list
  elements: str
  returned: always
  sample: ["image cirros uploaded"]
"""

import hashlib
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.novalab.openstack.plugins.module_utils.cloud import ADMIN_ARGUMENTS, ERRORS, connect_as_admin

# Those of the attributes that can be changed when the data are there.
ATTRIBUTES = ("min_disk", "min_ram", "visibility")
FORMATS = ("disk_format", "container_format")
TAG = "novalab"


def digest(path: str, algorithm: str) -> str:
    """A file's digest."""
    value = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            value.update(data)
    return value.hexdigest()


def wrong_checksum(wanted: dict[str, Any]) -> str | None:
    """The error if an image's file has another checksum than expected; None if it has none, or the right one."""
    if not wanted["checksum"]:
        return None
    algorithm, value = wanted["checksum"].partition(":")[::2]
    found = digest(wanted["path"], algorithm)
    if found == value.lower():
        return None
    name = f"{wanted['path']}, the file of image {wanted['name']},"
    return f"{name} has the wrong checksum: expected {algorithm} {value}, found {found}"


def has_data(image: Any, wanted: dict[str, Any]) -> bool:
    """Whether an image in Glance is complete and has the file's data."""
    if image.status != "active" or any(getattr(image, name) != wanted[name] for name in FORMATS):
        return False
    return bool(image.hash_algo and image.hash_value == digest(wanted["path"], image.hash_algo))


def differences(image: Any, wanted: dict[str, Any]) -> dict[str, Any]:
    """The attributes and properties to be set."""
    now = image.to_dict()
    # The SDK keeps well-known properties as attributes of its own, others below properties.
    now = {**now, **(now.get("properties") or {})}
    expected = {**{name: wanted[name] for name in ATTRIBUTES}, **wanted["properties"]}
    return {name: value for name, value in expected.items() if now.get(name) != value}


class Images:
    """Compares Glance's images with the wanted ones. Notes each change and, outside check mode, makes it."""

    def __init__(self, module: AnsibleModule, api: Any) -> None:
        self.module = module
        self.api = api
        self.changes: list[str] = []

    def change(self, what: str) -> bool:
        """Note a change. Returns whether to make it."""
        self.changes.append(what)
        return not self.module.check_mode

    def keep(self, wanted: dict[str, Any], existing: list[Any]) -> None:
        """Upload or correct one image. existing are the images of this name in the project."""
        good = next((image for image in existing if has_data(image, wanted)), None)
        if good is None:
            if self.change(f"image {wanted['name']} uploaded"):
                self.upload(wanted)
        elif (changed := differences(good, wanted)) and self.change(f"image {wanted['name']}: {', '.join(changed)}"):
            self.api.update_image(good, **changed)
        # Only now, so that there is an image of this name at any time.
        for image in existing:
            if (
                image is not good
                and TAG in image.tags
                and self.change(f"image {image.id}, formerly {image.name}, removed")
            ):
                self.api.delete_image(image)

    def upload(self, wanted: dict[str, Any]) -> None:
        attributes = {name: wanted[name] for name in (*FORMATS, *ATTRIBUTES)}
        self.api.create_image(
            wanted["name"],
            filename=wanted["path"],
            allow_duplicates=True,
            validate_checksum=True,
            wait=True,
            tags=[TAG],
            **attributes,
            **wanted["properties"],
        )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ADMIN_ARGUMENTS,
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "path": {"type": "path", "required": True},
                    "url": {"type": "str"},
                    "checksum": {"type": "str"},
                    "disk_format": {"type": "str", "default": "qcow2"},
                    "container_format": {"type": "str", "default": "bare"},
                    "min_disk": {"type": "int", "default": 0},
                    "min_ram": {"type": "int", "default": 0},
                    "properties": {"type": "dict", "default": {}},
                },
            },
        },
        supports_check_mode=True,
    )
    images = []
    for image in module.params["images"]:
        # Properties are texts to Glance; YAML may have read booleans and numbers.
        texts = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in image["properties"].items()
        }
        images.append({**image, "visibility": "public", "properties": texts})
    there = [image for image in images if os.path.exists(image["path"])]
    for image in images:
        if image not in there and not module.check_mode:
            module.fail_json(msg=f"The file of image {image['name']} does not exist: {image['path']}")
    for image in there:
        problem = wrong_checksum(image)
        if problem:
            module.fail_json(msg=problem)
    connection = connect_as_admin(module)
    kept = Images(module, connection.image)
    try:
        existing = list(connection.image.images(owner=connection.current_project_id))
        for image in images:
            if image in there:
                kept.keep(image, [other for other in existing if other.name == image["name"]])
            else:
                kept.change(f"image {image['name']} uploaded")
    except ERRORS as error:
        module.fail_json(msg=f"Cannot upload the images to Glance: {error}", changes=kept.changes)
    lines = "".join(f"{change}\n" for change in kept.changes)
    module.exit_json(changed=bool(kept.changes), changes=kept.changes, diff={"before": "", "after": lines})


if __name__ == "__main__":
    main()

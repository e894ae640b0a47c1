"""lab.yaml: what is understood, and what is said about what is not."""

from __future__ import annotations

import json

from labctl.lab import schema, yaml_reader
from labctl.lab.paths import assets


def test_the_lab_s_own_image_is_the_role_s() -> None:
    defaults = yaml_reader.read(assets() / "roles" / "guest_image" / "defaults" / "main.yml").data
    assert defaults["guest_image_name"] == schema.OWN_IMAGE


def test_schema_published_is_up_to_date() -> None:
    assert (assets() / "docs" / "lab.schema.json").read_text(encoding="utf-8") == schema.schema()


def test_schema_has_the_rules() -> None:
    properties = json.loads(schema.schema())["properties"]
    assert set(properties) == set(schema.LabFile.model_fields)
    assert properties["name"]["pattern"] == "^[a-z][a-z0-9-]{0,19}$"
    assert "epoxy" in json.dumps(properties["release"])

"""An image comes back from Glance as it went in."""

import hashlib
import os
import uuid
from pathlib import Path
from typing import Any

testinfra_hosts = ["ansible://controller"]
UNITS = ["glance-api"]
LOGS = ["/var/log/glance/glance-api.log"]


def test_image_uploaded_is_downloaded_unchanged(cloud: Any, tmp_path: Path) -> None:  # noqa: ANN401 (the SDK's types are not checked)
    data = os.urandom(3 * 1024 * 1024)
    source = tmp_path / "image"
    source.write_bytes(data)
    name = f"molecule-{uuid.uuid4()}"
    made = cloud.image.create_image(name, filename=str(source), disk_format="raw", container_format="bare", wait=True)
    try:
        image = cloud.image.get_image(made.id)
        assert (image.status, image.size) == ("active", len(data))
        assert (image.hash_algo, image.hash_value) == ("sha512", hashlib.sha512(data).hexdigest())
        assert image.checksum == hashlib.md5(data, usedforsecurity=False).hexdigest()
        assert cloud.image.download_image(image).content == data
    finally:
        cloud.image.delete_image(made.id)
    assert name not in {image.name for image in cloud.image.images()}

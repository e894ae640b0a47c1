"""The image in Glance starts in an emulator, says who it is, runs the user's script and turns itself off."""

import json
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://compute1"]
UNITS = ["glance-api"]
LOGS = ["/var/log/glance/glance-api.log"]

FOLDER = "/root/guest-image"
ID = "5dbd1ce4-7f6b-4f6b-9d1c-6f3f2f0f9a51"
# Nova's own has more in it; another uuid and hostname come after the instance's.
METADATA = {"uuid": ID, "hostname": "demo.novalocal", "name": "demo", "meta": {"uuid": "x", "hostname": "x"}}
SCRIPT = """#!/bin/sh
echo "script: $(hostname) $(wget -q -O - http://127.0.0.1/)"
ping -c 1 -W 5 10.0.2.2 >/dev/null && echo "script: the router answers"
sleep 1
poweroff -f
"""


@pytest.fixture(scope="module")
def image(cloud: Any) -> Any:  # noqa: ANN401 (the SDK's types are not checked)
    (found,) = cloud.image.images(name="novalab-guest")
    return found


def test_image_is_active_public_and_small(image: Any) -> None:  # noqa: ANN401
    assert (image.status, image.visibility, image.disk_format) == ("active", "public", "qcow2")
    assert image.size < 30 * 2**20
    assert image.min_ram > 0


def test_image_started_with_a_config_drive_gets_ready(host: Host, cloud: Any, image: Any, tmp_path: Path) -> None:  # noqa: ANN401
    """With SeaBIOS, a virtio disk and network, and a config drive as Nova makes it."""
    (tmp_path / "image").write_bytes(cloud.image.download_image(image).content)
    (tmp_path / "meta_data.json").write_text(json.dumps(METADATA), encoding="utf-8")
    (tmp_path / "user_data").write_text(SCRIPT, encoding="utf-8")
    latest = f"{FOLDER}/drive/openstack/latest"
    host.run_expect([0], f"mkdir -p {latest}")
    for name, place in {"image": FOLDER, "meta_data.json": latest, "user_data": latest}.items():
        host.ansible("copy", f"src={tmp_path / name} dest={place}/{name} mode=0644", check=False, become=True)
    options = "-quiet -ldots -allow-lowercase -allow-multidot -l -J -r -V config-2"
    host.run_expect([0], f"genisoimage {options} -o {FOLDER}/drive.iso {FOLDER}/drive")
    said = host.run(
        "timeout 300 qemu-system-x86_64 -accel tcg -m %s -nodefaults -display none -vga virtio -serial stdio"
        " -drive file=%s/image,if=virtio,format=qcow2 -nic user,model=virtio-net-pci"
        " -drive file=%s/drive.iso,if=ide,media=cdrom,format=raw,readonly=on </dev/null",
        *(str(image.min_ram), FOLDER, FOLDER),
    )
    host.run_expect([0], f"rm -r {FOLDER}")
    assert said.rc == 0, said.stdout + said.stderr
    assert f"novalab guest ready: demo {ID} 10.0.2.15" in said.stdout
    assert f"script: demo demo {ID}" in said.stdout
    assert "script: the router answers" in said.stdout

"""The same Vagrantfile for virtual machines: Vagrant accepts it. No machine is made."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from labctl.providers.engine import as_root
from tests.e2e.lab import CHECKOUT, LiveLab

LIBVIRT_PLUGIN = Path("/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json")


@pytest.fixture(scope="module")
def plugin() -> None:
    """Vagrant's provider for libvirt, which is a plugin; libvirt itself is not needed."""
    if not LIBVIRT_PLUGIN.exists():
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update"], ["install", "-y", "--no-install-recommends", "vagrant-libvirt"]):
            command = [*as_root(), "apt-get", "-q", *words]
            subprocess.run(command, check=True, capture_output=True, env=environment)


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize("release", ["epoxy", "zed"])
@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_vagrantfile_for_machines_is_valid(tmp_path: Path, provider: str, release: str) -> None:
    """With the provider's own settings checked by the provider."""
    description = {"name": "vms", "provider": provider, "release": release, "network": "192.168.57.0/24", "computes": 3}
    (tmp_path / "lab.yaml").write_text(json.dumps(description), encoding="utf-8")
    # Vagrant asks VirtualBox for its version, and for nothing else while it validates.
    manager = tmp_path / "VBoxManage"
    manager.write_text('#!/bin/sh\n[ "$1" != --version ] || echo 7.0.20r163906\n', encoding="utf-8")
    manager.chmod(0o755)
    lab = LiveLab(directory=tmp_path)
    path = f"PATH={tmp_path}:{lab.environment['PATH']}"
    done = lab.run("env", path, f"VAGRANT_CWD={CHECKOUT}", "vagrant", "validate")
    assert "validated successfully" in done.stdout

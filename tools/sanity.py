"""ansible-test's sanity tests on the collection as it is built.

python -m tools.sanity [arguments of `ansible-test sanity`]
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from tools.artefact import CHECKOUT, build, unpack

IGNORED = CHECKOUT / "tests" / "sanity"  # one list for each ansible-core, which differ in what they find
# ansible-test fetches pip from a host of its own. What comes with Python brings the same pip from the package index.
GET_PIP = """\
import subprocess, sys
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
subprocess.run([sys.executable, "-m", "pip", "install", *wanted], check=True)
"""


def collection(folder: Path) -> Path:
    """The built collection where ansible-test wants one to be, and what it is to leave alone there."""
    root = folder / "ansible_collections" / "novalab" / "openstack"
    unpack(build(folder), root)
    shutil.copytree(IGNORED, root / "tests" / "sanity")
    return root


def home() -> Path:
    """A home directory for the tests' own Python environments, with the user's settings of pip."""
    folder = CHECKOUT / ".ansible" / "sanity"
    cache = folder / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    package = find_spec("ansible_test")
    assert package is not None and package.submodule_search_locations  # noqa: S101, PT018 (a part of ansible-core)
    source = Path(package.submodule_search_locations[0], "_internal", "python_requirements.py")
    for pip in re.findall(r"pip='([\d.]+)'", source.read_text(encoding="utf-8")):
        (cache / f"get_pip_{pip.replace('.', '_')}.py").write_text(GET_PIP, encoding="utf-8")
    for name in (".config/pip", ".pip"):
        link, settings = folder / name, Path.home() / name
        link.parent.mkdir(exist_ok=True)
        if settings.exists() and not link.exists():
            link.symlink_to(settings)
    return folder


def main() -> int:
    """Run the tests for the Python at hand; the status is ansible-test's."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    scripts = Path(sys.executable).parent
    command = [str(scripts / "ansible-test"), "sanity", "--python", python, "--color", "no", *sys.argv[1:]]
    environment = {**os.environ, "HOME": str(home()), "PATH": f"{scripts}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}
    # Not in the checkout, whose .gitignore ansible-test would follow.
    with tempfile.TemporaryDirectory(prefix="novalab-") as folder:
        return subprocess.run(command, cwd=collection(Path(folder)), env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

"""`make test`: its stages in order, those side by side that leave each other time, and at the end what each took.

python -m tools.stages
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

# Targets of the Makefile. Rounds follow each other; the lanes of a round run at the same time, each target by target.
# Images are made beside what needs none. molecule waits a lot for one node, and so leaves room for config, which makes
# the images of the other release. e2e is alone: it waits for what Nova does in its own time.
ROUNDS = (
    (("check", "sanity"), ("images",)),
    (("molecule",), ("config",)),
    (("e2e",),),
)


def run(target: str) -> tuple[bool, float]:
    """Run a target, each line of its output with its name before it. Returns whether it passed, and its seconds."""
    start = time.monotonic()
    command = ["make", "--no-print-directory", target]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None  # noqa: S101 (it is a pipe)
        for line in process.stdout:
            sys.stdout.write(f"{target:9}| {line}")
            sys.stdout.flush()
    return process.returncode == 0, time.monotonic() - start


def main() -> int:
    """Run all rounds up to the first that fails. The status is 1 if one did."""
    start = time.monotonic()
    rows: dict[str, tuple[str, float]] = {}

    def follow(lane: tuple[str, ...]) -> bool:
        for target in lane:
            passed, seconds = run(target)
            rows[target] = ("" if passed else "FAILED", seconds)
            if not passed:
                return False
        return True

    passed = True
    for lanes in ROUNDS:
        with ThreadPoolExecutor(len(lanes)) as pool:
            passed = all(list(pool.map(follow, lanes)))
        if not passed:
            break
    lines = ["", "stage      minutes"]
    for lanes in ROUNDS:
        beside = " (side by side)" if len(lanes) > 1 else ""
        for target in (target for lane in lanes for target in lane):
            note, seconds = rows.get(target, ("not run", 0.0))
            lines.append(f"{target:10} {seconds / 60:7.1f}{beside} {note}".rstrip())
    lines.append(f"{'all':10} {(time.monotonic() - start) / 60:7.1f}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())

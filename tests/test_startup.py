"""The page and the commands start without what only some requests need."""

import subprocess
import sys

import pytest

LATER = {
    "captum",
    "cleanlab",
    "matplotlib.pyplot",
    "papermill",
    "scipy.stats",
    "seaborn",
    "skimage.measure",
    "skimage.morphology",
}
LATER |= {"sklearn", "timm", "torchvision"}


@pytest.mark.parametrize(
    ("module", "absent"), [("workbench.ui.app", LATER), ("workbench.cli", LATER | {"torch", "gradio"})]
)
def test_what_is_not_needed_to_start_is_not_loaded(module, absent):
    code = f"import sys, {module}; print(*sorted({absent!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

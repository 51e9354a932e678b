"""timm knows our classifiers, and how their pictures are prepared."""

import subprocess
import sys

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from skimage import data as pictures
from timm.data import create_transform, resolve_data_config

from workbench import models
from workbench.data.transforms import Squeeze, Views


@pytest.mark.parametrize(
    "imports",
    [
        "import workbench.models, timm",
        "import timm, workbench.models",
        "import timm, workbench.classify.finetune",
    ],
)
def test_in_either_order(imports):
    code = f"{imports}; print(type(timm.create_model('mafr_resnet50', aggregated=1, num_classes=3)).__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "ResNet", done.stderr


def test_the_listing_of_models_brings_neither():
    code = (
        "import sys; from workbench import models; "
        "print(models.names('classifier'), {'torch', 'timm'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'dkse_small', 'lenet', 'lite0_classifier', 'lite_statistics', 'mafr_" in done.stdout
    assert done.stdout.strip().endswith(" set()")


def test_every_classifier_is_listed():
    assert set(models.names("classifier")) <= set(timm.list_models())


@pytest.mark.parametrize(
    ("name", "mean", "std"),
    [
        ("mafr_resnet50", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("mafr_efficientnet_lite0", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("dkse_small", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ],
)
def test_timm_prepares_pictures_as_the_network_expects(name, mean, std):
    network = timm.create_model(name, num_classes=4)
    for found in (
        resolve_data_config(network.pretrained_cfg),
        resolve_data_config(pretrained_cfg=network.pretrained_cfg),
        resolve_data_config(model=network),
    ):
        assert (found["mean"], found["std"], found["input_size"]) == (mean, std, (3, 224, 224))
    assert network.pretrained_cfg["num_classes"] == 4


def test_timms_picture_is_our_squeezed_view():
    network, card = models.load("mood_lite0")
    assert network.pretrained_cfg["classes"] == tuple(card.class_names)
    assert network.pretrained_cfg["num_classes"] == 5
    cat = Image.fromarray(pictures.chelsea())
    prepared = create_transform(**resolve_data_config(network.pretrained_cfg))(cat)[None]
    ours = Views((Squeeze(224),))(cat)
    assert torch.allclose(prepared, ours, atol=0.02)
    with torch.no_grad():
        assert np.allclose(network(prepared).numpy(), network(ours).numpy(), atol=0.01)


def test_weights_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="no weights of lenet"):
        timm.create_model("lenet", pretrained=True)

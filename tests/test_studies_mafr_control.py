"""A task that a head on the frozen host cannot solve and a gate can."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from workbench import models
from workbench.data.images import read_image
from workbench.data.paintings import read_paintings
from workbench.studies.mafr_control import NARROW, SIZE, copying_host, write_pictures
from workbench.studies.mafr_gates import CONFIG, MafrGates
from workbench.studies.study import grouped


def test_blue_says_whether_red_or_green_is_the_label(tmp_path):
    folder = write_pictures(tmp_path, 200)
    table = pd.read_csv(folder / "ratings.csv")
    means = np.array([np.asarray(read_image(folder / path)).mean((0, 1)) for path in table["path"]])
    red, green, blue = (means > 128).T
    told = table["label"] == "yes"
    assert (np.where(blue, red, green) == told).mean() > 0.99  # noise may carry a colour across the middle
    assert (red == told).mean() == pytest.approx(0.75, abs=0.1)
    assert (blue == told).mean() == pytest.approx(0.5, abs=0.1)


def test_every_picture_is_a_group_of_its_own_though_all_look_alike(tmp_path):
    pictures = grouped(read_paintings(write_pictures(tmp_path, 12)))
    assert pictures.groups.tolist() == list(pictures.paths)


def test_the_host_is_linear_in_the_colours(tmp_path):
    config = dataclasses.replace(CONFIG, model="mafr_resnet50", arguments=NARROW, size=SIZE)
    host, _ = models.load(copying_host(tmp_path, config))
    grey, red, green = torch.zeros(3), torch.tensor([0.5, 0, 0]), torch.tensor([0, -0.5, 0])
    with torch.inference_mode():
        seen = [
            host.forward_features(colour[None, :, None, None].expand(1, 3, SIZE, SIZE)).mean((2, 3))
            for colour in (grey, red, green, red + green)
        ]
    assert torch.allclose(seen[3] - seen[0], (seen[1] - seen[0]) + (seen[2] - seen[0]), rtol=1e-4)
    assert (seen[1] - seen[0]).abs().max() > 0.1


@pytest.mark.slow
def test_a_host_may_learn_another_domain_first_and_is_then_the_same_for_every_count(tmp_path):
    config = dataclasses.replace(CONFIG, size=32)
    asked = MafrGates(
        "atelier:10", (0, 3), config=config, host="mafr_resnet50", source="atelier:10", source_epochs=1
    )
    found = asked.estimators(tmp_path)
    assert {estimator.config.model for estimator in found.values()} == {"mafr_resnet50"}
    (start,) = {estimator.config.initial for estimator in found.values()}
    card = models.card(start)
    assert (card.architecture, card.arguments["aggregated"]) == ("mafr_resnet50", 0)
    assert card.training["config"]["epochs"] == 1
    assert not card.training["config"]["pretrained"]

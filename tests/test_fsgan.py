"""FSGAN's generator: hardened borders."""

import pytest
import torch

from workbench import models
from workbench.models.fsgan import harden


def test_a_soft_border_becomes_hard_and_a_ramp_stays():
    soft = torch.tensor([0.0, 0.0, 0.3, 0.7, 1.0, 1.0]).expand(1, 1, 6, 6)
    hard = harden(soft, 3.0)[0, 0, 3]
    # 0.3 lies between 0 and 0.7: (0.3 / 0.7 - 0.5) * 3 + 0.5 = 0.286 of 0.7
    assert hard.tolist() == pytest.approx([0, 0, 0.2, 0.8, 1, 1], abs=1e-3)
    ramp = torch.linspace(0, 1, 8).expand(1, 3, 8, 8)
    assert torch.allclose(harden(ramp, 3.0)[..., 1:-1], ramp[..., 1:-1], atol=1e-6)


def test_each_channel_is_hardened_within_its_neighbours():
    x = torch.rand(2, 3, 7, 9, generator=torch.Generator().manual_seed(0))
    y = harden(x, 2.5)
    high = torch.nn.functional.max_pool2d(x, 3, 1, 1)
    low = -torch.nn.functional.max_pool2d(-x, 3, 1, 1)
    assert ((low <= y + 1e-6) & (y <= high + 1e-6)).all()
    assert torch.allclose(harden(x, 1.0), x, atol=1e-6)


def test_steepness_is_refused_below_one():
    with pytest.raises(ValueError, match="steepness"):
        models.create("fsgan_small", steepness=0.5)


def test_an_untrained_network_hardens_the_photo():
    photo = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        drawn = models.create("fsgan_small", steepness=2.0).eval()(photo)
    assert torch.allclose(drawn, harden(photo, 2.0), atol=1e-6)


def test_no_colour_of_the_photo_makes_a_drawing_more_colourful_than_it_may_be():
    red = torch.tensor([0.8, -0.6, -0.6])[:, None, None].expand(1, 3, 8, 8)
    with torch.inference_mode():
        drawn = models.create("fsgan_small", chroma=0.25).eval()(red)[0, :, 4, 4]
    # luma .299 × .8 − .701 × .6 = −.1814; a quarter of each channel's difference from it is kept
    assert drawn.tolist() == pytest.approx([0.06395, -0.28605, -0.28605], abs=1e-5)
    with torch.inference_mode():
        gray = models.create("fsgan_small", chroma=0.0).eval()(red)[0, :, 4, 4]
    assert gray.tolist() == pytest.approx([-0.1814] * 3, abs=1e-5)


@pytest.mark.parametrize("chroma", [-0.1, 1.5])
def test_a_share_of_chroma_that_is_none_is_refused(chroma):
    with pytest.raises(ValueError, match="chroma"):
        models.create("fsgan_small", chroma=chroma)

"""FSGAN's generator: hardened borders and shapes."""

import pytest
import torch

from workbench import models
from workbench.models.fsgan import cut_shapes, harden, soften


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


def test_a_wider_square_hardens_a_wider_border():
    soft = torch.tensor([0.0, 0.0, 0.2, 0.5, 0.8, 1.0, 1.0]).expand(1, 1, 7, 7)
    # 0.2 lies between 0 and 0.8 of the square of radius 2: (0.2 / 0.8 - 0.5) * 2 + 0.5 = 0 of 0.8
    assert harden(soft, 2.0, 2)[0, 0, 3].tolist() == pytest.approx([0, 0, 0, 0.5, 1, 1, 1], abs=1e-6)


def test_weak_shading_is_not_hardened():
    weak, strong = (torch.tensor([0.0, 0.0, 0.3, 0.7, 1.0, 1.0]).expand(1, 1, 6, 6) * x for x in (0.02, 0.4))
    assert torch.equal(harden(weak, 2.0, span=(0.03, 0.09)), weak)
    assert torch.allclose(harden(strong, 2.0, span=(0.03, 0.09)), harden(strong, 2.0), atol=1e-6)
    # a range of 0.06 lies half-way, and so does the value between its old one and the hardened one
    half = torch.tensor([0.0, 0.02, 0.06]).expand(1, 1, 3, 3)
    middle = harden(half, 2.0, span=(0.03, 0.09))[0, 0, 1, 1]
    assert middle.item() == pytest.approx((0.02 + 0.01) / 2, abs=1e-6)


def test_softening_is_the_binomial_filter():
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 16.0
    rows = torch.tensor([0.0, 1.0, 2.0, 1.0, 0.0])
    assert torch.equal(soften(point)[0, 0], torch.outer(rows, rows))
    flat = torch.full((1, 2, 4, 3), 0.3)
    assert torch.allclose(soften(flat), flat)


def test_a_soft_step_becomes_the_border_of_a_shape_without_colour_of_its_own():
    ramp = torch.clamp((torch.arange(24.0) - 11.5) / 8, -0.5, 0.5).expand(1, 3, 24, 24) * 0.4
    photo = ramp + torch.tensor([0.4, 0.0, -0.3]).view(1, 3, 1, 1)
    cut = cut_shapes(photo, (2, 2, 1))
    change = cut - photo
    assert torch.allclose(change, change[:, :1].expand(1, 3, 24, 24), atol=1e-6)  # chroma stays
    before, after = (x[0, 0, 12].diff().max().item() for x in (photo, cut))
    assert after > 1.5 * before  # the border is steeper
    assert cut[0, 0, 12, [0, -1]].tolist() == pytest.approx([0.4 - 0.2, 0.4 + 0.2], abs=1e-5)  # areas stay


def test_shading_and_strong_contrast_are_not_cut():
    shading = torch.linspace(-0.1, 0.1, 60).expand(1, 3, 20, 60)
    assert torch.allclose(cut_shapes(shading, (2, 2, 1))[..., 8:-8], shading[..., 8:-8], atol=1e-5)
    letter = torch.full((1, 3, 20, 20), 0.8)
    letter[..., 6:14, 9:11] = -0.8
    around = (slice(None), slice(None), slice(8, 12), slice(7, 13))
    assert torch.equal(cut_shapes(letter, (2, 2, 1))[around], letter[around])


def test_shapes_are_cut_in_eval_mode_alone():
    photo = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(1)) - 0.5
    network = models.create("fsgan_small", shapes=(2, 1))
    with torch.inference_mode():
        assert torch.allclose(network.train()(photo), photo, atol=1e-6)
        assert torch.allclose(network.eval()(photo), cut_shapes(photo, (2, 1)), atol=1e-6)
    with pytest.raises(ValueError, match="shapes"):
        models.create("fsgan_small", shapes=(2, 0))


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

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from workbench import losses, models
from workbench.models.afgan import CAM, AdaLIN, AFGANGenerator


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    network = AFGANGenerator(widths=(4, 8, 8, 16), encoder_blocks=1, blocks=1).eval()
    with torch.no_grad():  # a fresh mask is undecided everywhere: give it something to say
        network.out.weight.normal_(std=4.0)
    return network


def test_the_generator_stays_below_three_million_parameters():
    count = sum(p.numel() for p in models.create("afgan_small").parameters())
    assert 1_000_000 < count < 3_000_000


def test_it_has_no_fully_connected_layer():
    assert not [m for m in models.create("afgan_small").modules() if isinstance(m, torch.nn.Linear)]


@pytest.mark.parametrize("size", [(16, 16), (40, 56), (33, 70), (61, 17)])
def test_any_size_goes_in_and_comes_out(small, size):
    x = torch.rand(2, 3, *size) * 2 - 1
    answer = small.portray(x)
    assert answer.picture.shape == answer.drawing.shape == x.shape
    assert answer.mask.shape == (2, 1, *size)
    assert answer.mask.min() >= 0
    assert answer.mask.max() <= 1
    assert small(x).abs().max() <= 1


def test_the_picture_is_the_drawing_inside_the_mask_and_the_photo_outside(small):
    x = torch.rand(1, 3, 48, 48) * 2 - 1
    answer = small.portray(x)
    torch.testing.assert_close(
        answer.picture, answer.mask * answer.drawing + (1 - answer.mask) * x, rtol=0, atol=0
    )
    outside = (answer.mask == 0).expand_as(x)
    inside = (answer.mask == 1).expand_as(x)
    assert outside.any()
    assert inside.any()
    assert torch.equal(answer.picture[outside], x[outside])
    assert torch.equal(answer.picture[inside], answer.drawing[inside])


def test_other_shapes_are_refused(small):
    with pytest.raises(ValueError, match="RGB pictures"):
        small.portray(torch.zeros(1, 1, 32, 32))


def test_every_parameter_learns():
    torch.manual_seed(1)
    network = AFGANGenerator(widths=(4, 8, 8, 8), encoder_blocks=1, blocks=1)
    answer = network.portray(torch.rand(2, 3, 32, 32) * 2 - 1)
    loss = answer.picture.square().mean() + losses.mask_loss(
        answer.mask_logits, torch.rand_like(answer.mask_logits)
    )
    (loss + losses.cam_loss(answer.cam_logits, answer.cam_logits * 0.3)).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


def test_adalin_equals_its_two_norms():
    torch.manual_seed(2)
    norm = AdaLIN(6)
    x, gamma, beta = torch.randn(3, 6, 5, 7) * 2 + 1, torch.randn(3, 6, 1, 1), torch.randn(3, 6, 1, 1)
    for rho in (0.0, 0.4, 1.0):
        norm.rho.data.fill_(rho)
        expected = rho * F.instance_norm(x) + (1 - rho) * F.layer_norm(x, x.shape[1:])
        torch.testing.assert_close(norm(x, gamma, beta), expected * gamma + beta, rtol=1e-4, atol=1e-4)


def test_adalin_keeps_its_share_between_none_and_all():
    norm = AdaLIN(2)
    x = torch.randn(1, 2, 4, 4)
    norm.rho.data.fill_(1.7)
    torch.testing.assert_close(norm(x, 1.0, 0.0), F.instance_norm(x), rtol=1e-4, atol=1e-4)


def test_cam_scores_are_the_classifiers_on_pooled_features():
    cam = CAM(2)
    cam.average.weight.data = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1)
    cam.maximum.weight.data = torch.tensor([0.5, 3.0]).view(1, 2, 1, 1)
    features = torch.tensor([[[[0.0, 4.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 5.0]]]])  # means 1, 2; maxima 4, 5
    attended, logits, attention = cam(features)
    assert logits.tolist() == [[1 * 1 - 2 * 2, 0.5 * 4 + 3 * 5]]
    weighted = torch.cat([features * cam.average.weight[0], features * cam.maximum.weight[0]], 1)
    expected = F.leaky_relu(F.conv2d(weighted, cam.merge.weight, cam.merge.bias), 0.2)
    torch.testing.assert_close(attended, expected)
    torch.testing.assert_close(attention, expected.mean(1, keepdim=True))


def test_the_discriminator_scores_patches_and_pictures():
    score, logits = models.create("cam_discriminator", base=8)(torch.zeros(2, 3, 64, 48))
    assert score.shape == (2, 1, 8, 6)
    assert logits.shape == (2, 2)


def test_cam_loss_by_hand():
    photo, style = torch.tensor([[0.0, 2.0]]), torch.tensor([[-1.0]])
    expected = (np.log(2) + np.log1p(np.exp(-2))) / 2 + np.log1p(np.exp(-1))
    assert losses.cam_loss(photo, style).item() == pytest.approx(expected, rel=1e-6)
    assert losses.cam_loss(torch.full((3,), 30.0), torch.full((3,), -30.0)).item() < 1e-6


def test_mask_loss_by_hand():
    mask = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    logits = torch.tensor([[[[0.0, 0.0, 0.0, 0.0]]]])  # probability ½ everywhere
    dice = (2 * 1.0 + 1) / (2.0 + 2.0 + 1)
    assert losses.mask_loss(logits, mask).item() == pytest.approx(np.log(2) + 1 - dice, rel=1e-6)
    sure = torch.where(mask > 0, 40.0, -40.0)
    assert losses.mask_loss(sure, mask).item() == pytest.approx(0, abs=1e-6)
    assert losses.mask_loss(torch.full_like(mask, -40.0), 0 * mask).item() == pytest.approx(0, abs=1e-6)


def test_mask_loss_refuses_other_shapes():
    with pytest.raises(ValueError, match="equal shapes"):
        losses.mask_loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4))


def test_gradients_of_both_losses():
    torch.manual_seed(3)
    logits = torch.randn(2, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(2, 1, 3, 4, dtype=torch.float64)
    other = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: losses.mask_loss(x, mask), logits)
    assert torch.autograd.gradcheck(lambda a, b: losses.cam_loss(a, b), (logits, other))

"""Every loss: a hand-computed number, gradcheck, shape errors."""

import math

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from workbench import losses
from workbench.losses.spectral import FLOOR, SpectrumNorm, equal_history


def rand(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# -- content -----------------------------------------------------------------------------------------------


def test_content_numbers():
    target = [torch.full((1, 2, 2, 2), 2.0), torch.full((1, 1, 1, 1), -4.0)]
    drawn = [torch.full((1, 2, 2, 2), 3.0), torch.full((1, 1, 1, 1), -4.0)]
    assert losses.content_loss(drawn, target).item() == pytest.approx((1 / 2 + 0) / 2)
    assert losses.content_loss(target, target).item() == 0


def test_content_gradcheck():
    target = [rand(1, 2, 3, 3, seed=1)]
    assert gradcheck(lambda f: losses.content_loss([f], target), rand(1, 2, 3, 3).requires_grad_())


def test_content_shape_error():
    with pytest.raises(ValueError, match="equal shapes"):
        losses.content_loss([torch.zeros(1, 2, 3, 3)], [torch.zeros(1, 2, 4, 4)])
    with pytest.raises(ValueError, match="equal shapes"):
        losses.content_loss([], [])


# -- total variation ---------------------------------------------------------------------------------------


def test_tv_numbers():
    image = torch.tensor([[0.0, 1.0], [0.0, 3.0]]).view(1, 1, 2, 2)
    assert losses.total_variation_loss(image).item() == pytest.approx((0 + 2) / 2 + (1 + 3) / 2)
    assert losses.total_variation_loss(torch.ones(2, 3, 4, 4)).item() == 0


def test_tv_gradcheck():
    assert gradcheck(losses.total_variation_loss, rand(1, 2, 4, 5).requires_grad_())


def test_tv_shape_error():
    with pytest.raises(ValueError, match="H, W ≥ 2"):
        losses.total_variation_loss(torch.zeros(1, 3, 1, 8))


# -- lines and gradients -----------------------------------------------------------------------------------


def line_image():
    """A dark column, 1 wide, in white: (1, 3, 9, 9) with luma -1 at column 4 and 1 elsewhere."""
    image = torch.ones(1, 3, 9, 9, dtype=torch.float64)
    image[..., 4] = -1
    return image


def test_lines_are_found_with_their_neighbours_and_not_on_slopes_or_borders():
    assert losses.line_map(line_image())[0, 0, 5].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert not losses.line_map(-torch.ones(1, 3, 9, 9)).any()  # all dark, also beside the border
    assert not losses.line_map(torch.linspace(-1, 1, 40).expand(1, 3, 8, 40)[..., 6:-6]).any()
    faint = line_image().clamp_min(1 - 0.13)  # 0.13 darker; the mean of a window is 0.13 / 7 below white
    assert not losses.line_map(faint).any()
    assert losses.line_map(line_image().clamp_min(1 - 0.15)).any()


def test_line_loss_numbers():
    target = line_image()
    blank = torch.ones_like(target)
    # the column is missed by 2 in 1 of 9 pixels, and counts 1 + 6
    assert losses.line_loss(blank, target, 6).item() == pytest.approx(7 * 2 / 9)
    assert losses.line_loss(blank, target, 0).item() == pytest.approx(2 / 9)
    shifted = target + 0.1  # everywhere: 3 of 9 columns count 7
    assert losses.line_loss(shifted, target, 6).item() == pytest.approx(0.1 * (3 * 7 + 6) / 9)
    assert losses.line_loss(target, target, 6).item() == 0


def test_gradient_loss_numbers():
    target = line_image()
    # across, two of eight differences are missed by 2; down, none
    assert losses.gradient_loss(torch.ones_like(target), target).item() == pytest.approx(2 * 2 / 8)
    assert losses.gradient_loss(target + 0.3, target).item() == pytest.approx(0, abs=1e-12)
    red = torch.zeros(1, 3, 2, 2, dtype=torch.float64)
    red[0, 0, 0, 0] = 1  # luma .299: one of two differences across, one of two down
    assert losses.gradient_loss(red, torch.zeros_like(red)).item() == pytest.approx(0.299)


def test_line_and_gradient_gradcheck():
    target = line_image()
    drawing = (target + 0.1 * rand(1, 3, 9, 9)).requires_grad_()
    assert gradcheck(lambda y: losses.line_loss(y, target, 3.0), drawing)
    assert gradcheck(lambda y: losses.gradient_loss(y, target), drawing)


def test_line_and_gradient_errors():
    small = torch.zeros(1, 3, 4, 4)
    for loss in (losses.gradient_loss, lambda a, b: losses.line_loss(a, b, 1.0)):
        with pytest.raises(ValueError, match="equal shapes"):
            loss(small, torch.zeros(1, 3, 4, 5))
    with pytest.raises(ValueError, match="at least 0"):
        losses.line_loss(small, small, -1)
    with pytest.raises(ValueError, match="H, W ≥ 2"):
        losses.gradient_loss(small[..., :1], small[..., :1])


# -- colour ------------------------------------------------------------------------------------------------


def test_yuv_of_gray_has_no_chroma():
    yuv = losses.rgb_to_yuv(torch.full((1, 3, 2, 2), 0.5))
    assert torch.allclose(yuv[:, 0], torch.full((1, 2, 2), 0.5))
    assert torch.allclose(yuv[:, 1:], torch.zeros(1, 2, 2, 2), atol=1e-5)  # published constants


def test_yuv_agrees_with_opencv():
    import cv2

    rgb = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    ours = losses.rgb_to_yuv(torch.from_numpy(rgb).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    theirs = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV) - np.array([0, 0.5, 0.5], np.float32)
    assert np.abs(ours - theirs).max() < 5e-3  # OpenCV rounds the U and V factors to three digits


def test_color_numbers():
    photo = torch.zeros(1, 3, 8, 8)
    # a gray shift changes only luma, by L1
    assert losses.color_loss(photo + 0.25, photo, pool=8).item() == pytest.approx(0.25, abs=1e-6)
    # pure blue shift of b: Y = .114 b; U = .436 b, V = -.10001 b; Huber/δ is |u| - δ/2 beyond δ, u²/(2δ)
    # within
    b = 0.5
    u, v, delta = 0.436 * b, 0.10001 * b, 0.1
    expected = 0.114 * b + ((u - delta / 2) + v * v / (2 * delta)) / 2
    blue = photo.clone()
    blue[:, 2] = b
    assert losses.color_loss(blue, photo, pool=1).item() == pytest.approx(expected, abs=1e-6)


def test_color_ignores_lines_that_keep_the_mean():
    photo = torch.zeros(1, 3, 8, 8)
    stripes = photo.clone()
    stripes[..., ::2], stripes[..., 1::2] = 0.3, -0.3
    assert losses.color_loss(stripes, photo, pool=8).item() == pytest.approx(0, abs=1e-7)
    assert losses.color_loss(stripes, photo, pool=1).item() == pytest.approx(0.3, abs=1e-6)


def test_color_gradcheck():
    photo = rand(1, 3, 4, 4, seed=1)
    assert gradcheck(lambda y: losses.color_loss(y, photo, pool=2), rand(1, 3, 4, 4).requires_grad_())


def test_color_shape_error():
    with pytest.raises(ValueError, match="equal shapes"):
        losses.color_loss(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 4))
    with pytest.raises(ValueError, match=r"\(B, 3, H, W\)"):
        losses.rgb_to_yuv(torch.zeros(1, 1, 8, 8))


# -- colour blocks -----------------------------------------------------------------------------------------


def test_region_means_numbers():
    image = torch.tensor([[1.0, 3.0], [5.0, 9.0]]).view(1, 1, 2, 2)
    labels = torch.tensor([[[0, 0], [1, 1]]])
    assert losses.region_means(image, labels).flatten().tolist() == [2, 2, 7, 7]
    # deviations 1, 1, 2, 2
    assert losses.color_block_loss(image, labels).item() == pytest.approx(1.5)


def test_region_means_keeps_pictures_apart():
    image = torch.stack([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)])
    labels = torch.zeros(2, 2, 2, dtype=torch.int16)
    assert torch.equal(losses.region_means(image, labels), image)


def test_color_block_agrees_with_scikit_image():
    from skimage.color import label2rgb

    rng = np.random.default_rng(0)
    image, labels = rng.random((9, 11, 3)), rng.integers(0, 4, (9, 11))
    reference = label2rgb(labels, image, kind="avg", bg_label=-1)
    ours = losses.region_means(torch.from_numpy(image).permute(2, 0, 1)[None], torch.from_numpy(labels)[None])
    assert np.allclose(ours[0].permute(1, 2, 0), reference)


def test_color_block_gradcheck():
    labels = torch.tensor([[[0, 0, 1], [2, 1, 1], [2, 2, 2]]])
    assert gradcheck(lambda y: losses.color_block_loss(y, labels), rand(1, 2, 3, 3).requires_grad_())


def test_color_block_shape_error():
    with pytest.raises(ValueError, match="labels"):
        losses.color_block_loss(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 5, dtype=torch.long))


# -- boundary ----------------------------------------------------------------------------------------------


def step_image(height=1.0):
    image = torch.zeros(1, 3, 5, 6, dtype=torch.float64)
    image[..., 3:] = height
    return image


def test_edge_map_of_a_unit_step():
    edges = losses.edge_map(step_image())[0, 0, 2]
    assert edges.tolist() == pytest.approx([0, 0, 1, 1, 0, 0], abs=2e-3)


def test_boundary_numbers():
    photo = step_image(1.0)
    assert losses.boundary_loss(photo, photo).item() == pytest.approx(0, abs=1e-9)
    # nothing drawn: two of six columns miss an edge of about 1
    assert losses.boundary_loss(torch.zeros_like(photo), photo).item() == pytest.approx(2 / 6, abs=1e-3)
    # an edge invented in a flat photo: the same two columns
    assert losses.boundary_loss(photo, torch.zeros_like(photo)).item() == pytest.approx(2 / 6, abs=1e-3)


def test_boundary_wants_faint_borders_strengthened():
    faint = step_image(0.2)
    assert losses.boundary_loss(faint, faint).item() > 0
    assert losses.boundary_loss(step_image(0.3), faint).item() < losses.boundary_loss(faint, faint).item()


def test_boundary_gradcheck():
    photo = rand(1, 3, 5, 5, seed=1)
    assert gradcheck(lambda y: losses.boundary_loss(y, photo), rand(1, 3, 5, 5).requires_grad_())


def test_boundary_errors():
    with pytest.raises(ValueError, match="equal shapes"):
        losses.boundary_loss(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 4))
    with pytest.raises(ValueError, match="weak"):
        losses.boundary_loss(step_image(), step_image(), strong=0.1, weak=0.2)


def test_smooth_edges_blurs_borders_only():
    image = torch.zeros(1, 3, 16, 32)
    image[..., 16:] = 1
    smoothed = losses.smooth_edges(image)
    assert torch.equal(smoothed[..., :8], image[..., :8])
    assert 0 < smoothed[0, 0, 8, 15].item() < 0.5 < smoothed[0, 0, 8, 16].item() < 1


# -- adversarial -------------------------------------------------------------------------------------------


def test_hinge_numbers():
    real, fake = [torch.tensor([2.0, 0.5])], [torch.tensor([-2.0, 0.5])]
    # real: (0 + .5) / 2; fake: (0 + 1.5) / 2
    assert losses.hinge_discriminator_loss(real, [fake], [1]).item() == pytest.approx(0.25 + 0.75)
    assert losses.hinge_generator_loss(fake).item() == pytest.approx(0.75)
    assert losses.least_squares_loss([torch.tensor([0.9, 0.4])], 0.9).item() == pytest.approx(0.125)


def test_adversarial_gradcheck():
    scores = rand(5).requires_grad_()
    assert gradcheck(lambda s: losses.hinge_discriminator_loss([s], [[s * 2]], [1]), scores)
    assert gradcheck(lambda s: losses.hinge_generator_loss([s]), scores)
    assert gradcheck(lambda s: losses.least_squares_loss([s], 0.9), scores)


def test_adversarial_errors():
    with pytest.raises(ValueError, match="one weight"):
        losses.hinge_discriminator_loss([torch.zeros(1)], [], [1])
    with pytest.raises(ValueError, match="at least one score"):
        losses.hinge_generator_loss([])


def test_cross_entropy_numbers():
    scores = [torch.tensor([0.0, math.log(3)])]  # probabilities 1/2 and 3/4
    real = (math.log(2) + math.log(4 / 3)) / 2
    fake = (math.log(2) + math.log(4)) / 2
    assert losses.cross_entropy_loss(scores, True).item() == pytest.approx(real, rel=1e-6)
    assert losses.cross_entropy_loss(scores, False).item() == pytest.approx(fake, rel=1e-6)
    zero = [torch.zeros(3)]
    expected = real + 2 * math.log(2)
    assert losses.edge_promoting_loss(scores, zero, zero).item() == pytest.approx(expected, rel=1e-6)


def test_edge_promoting_counts_both_kinds_of_fake():
    sure, fooled = [torch.tensor([-9.0])], [torch.tensor([9.0])]
    assert losses.edge_promoting_loss(fooled, sure, sure).item() < 1e-3
    for smoothed, drawn in ((fooled, sure), (sure, fooled)):
        assert losses.edge_promoting_loss(fooled, smoothed, drawn).item() == pytest.approx(9, abs=1e-3)


def test_cross_entropy_gradcheck():
    scores = rand(5).requires_grad_()
    assert gradcheck(lambda s: losses.edge_promoting_loss([s], [s * 2], [s.square()]), scores)


# -- Gram --------------------------------------------------------------------------------------------------


def test_gram_numbers():
    features = torch.tensor([[[1.0, 2.0]], [[3.0, -1.0]]]).unsqueeze(0)  # two channels of 1 × 2
    assert losses.gram_matrix(features)[0].tolist() == [[2.5, 0.5], [0.5, 5.0]]
    # zero features miss all of it; half the features give a quarter of the matrix
    assert losses.gram_loss(torch.zeros_like(features), features).item() == pytest.approx(1)
    assert losses.gram_loss(features / 2, features).item() == pytest.approx(0.75)
    assert losses.gram_loss(features.flip(3), features).item() == 0  # where something is does not matter


def test_gram_compares_pictures_of_different_size():
    assert losses.gram_loss(torch.ones(1, 2, 3, 3), torch.ones(1, 2, 5, 4)).item() == pytest.approx(0)


def test_gram_gradcheck():
    style = rand(2, 3, 4, 2, seed=1)
    assert gradcheck(lambda f: losses.gram_loss(f, style), rand(2, 3, 2, 2).requires_grad_())


def test_gram_shape_errors():
    with pytest.raises(ValueError, match="equal batches"):
        losses.gram_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 3, 3, 3))
    with pytest.raises(ValueError, match=r"\(B, C, H, W\)"):
        losses.gram_matrix(torch.zeros(2, 3, 3))


def test_gray_has_the_luma_in_every_channel():
    red = torch.zeros(1, 3, 1, 1)
    red[:, 0] = 1
    assert losses.gray(red).flatten().tolist() == pytest.approx([0.299] * 3)


# -- spectral ----------------------------------------------------------------------------------------------


def test_log_spectrum_of_a_constant_is_the_floor():
    spectrum = losses.log_spectrum(torch.full((1, 3, 16, 16), 0.3))
    assert torch.allclose(spectrum, torch.full_like(spectrum, 0.5 * math.log(FLOOR)))


def test_log_spectrum_of_a_cosine_peaks_at_its_frequency():
    size, cycles = 32, 6
    wave = torch.cos(2 * math.pi * cycles * torch.arange(size) / size).expand(1, 3, size, size)
    spectrum = losses.log_spectrum(wave)[0, 0]
    assert divmod(spectrum.argmax().item(), size // 2 + 1) == (size // 2, cycles)
    # amplitude 1: |F| = N/2 in each direction under "ortho", Hann of unit RMS has mean (2/3) in 2-D
    assert spectrum.max().item() == pytest.approx(math.log(size / 2 * (2 / 3)), abs=1e-3)


def test_log_spectrum_agrees_with_numpy():
    image = rand(1, 3, 16, 16).float()
    luma = losses.rgb_to_yuv(image)[0, 0].numpy()
    window = np.outer(*(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(16) / 16),) * 2)
    window /= np.sqrt((window**2).mean())
    f = np.fft.rfft2((luma - luma.mean()) * window, norm="ortho")
    reference = np.fft.fftshift(0.5 * np.log(np.abs(f) ** 2 + FLOOR), axes=0)
    assert np.allclose(losses.log_spectrum(image)[0, 0].numpy(), reference, atol=1e-3)


def test_log_spectrum_gradient_is_finite_and_reaches_the_picture():
    for image in (torch.zeros(1, 3, 16, 16), rand(1, 3, 16, 16).float()):
        image.requires_grad_()
        losses.log_spectrum(image).sum().backward()
        assert torch.isfinite(image.grad).all()
    assert image.grad.abs().sum() > 0


def test_radial_profile_numbers():
    flat = torch.full((1, 1, 16, 9), 2.5)
    assert losses.radial_profile(flat, bins=8).tolist() == [[2.5] * 8]
    spectrum = torch.zeros(1, 1, 16, 9)
    spectrum[0, 0, 8, 0] = 3  # zero frequency: the first ring of 8 holds radius 0 only
    assert losses.radial_profile(spectrum, bins=8)[0].tolist() == [3] + [0] * 7


class Linear(torch.nn.Module):
    def forward(self, x):
        return [x.mean((1, 2, 3))]


def test_spectral_style_numbers_and_gradcheck():
    fake, real = torch.full((2, 1, 16, 9), 0.4), torch.full((2, 1, 16, 9), 1.0)
    # (0.4 - 0.9)² + |0.4 - 1.0|
    assert losses.spectral_style_loss(Linear(), fake, real).item() == pytest.approx(0.25 + 0.6, abs=1e-6)
    real = rand(2, 1, 8, 5, seed=1)
    assert gradcheck(
        lambda f: losses.spectral_style_loss(Linear(), f, real), rand(2, 1, 8, 5).requires_grad_()
    )


def test_spectrum_norm_standardises_the_style_set():
    norm = SpectrumNorm(16)
    style = 3 + 2 * rand(4096, 1, 16, 9).float()
    for part in style.split(64):
        norm.update(part)
    z = norm(style)
    assert z.mean().abs() < 0.05
    assert z.std() == pytest.approx(1, abs=0.1)
    assert z.abs().max() <= 4


def test_equal_history_averages_areas():
    image = torch.arange(16.0).view(1, 1, 4, 4).expand(1, 3, 4, 4)
    assert equal_history(image, 2, 2.0)[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    with pytest.raises(ValueError, match="scale"):
        equal_history(image, 4, 2.0)
    with pytest.raises(ValueError, match="square"):
        losses.log_spectrum(torch.zeros(1, 3, 4, 5))


def test_random_gray_has_one_set_of_weights_for_all_pictures():
    torch.manual_seed(3)
    red, green, blue = (torch.eye(3)[i].view(1, 3, 1, 1).expand(1, 3, 4, 5) for i in range(3))
    texture = losses.random_gray(red, green, blue)
    weights = [t.unique().item() for t in texture]
    assert texture[0].shape == (1, 1, 4, 5)
    assert sum(weights) == pytest.approx(1)
    assert weights == pytest.approx([0.299, 0.587, 0.114], abs=0.25)
    assert weights != pytest.approx([0.299, 0.587, 0.114], abs=1e-3)
    shade = torch.full((2, 3, 4, 5), -0.4)
    assert torch.allclose(losses.random_gray(shade)[0], torch.full((2, 1, 4, 5), -0.4))
    again = [losses.random_gray(red)[0].unique().item() for _ in range(8)]
    assert len(set(again)) == 8
    leaf = torch.rand(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(3)
    (gradient,) = torch.autograd.grad(losses.random_gray(leaf)[0].sum(), leaf)
    assert gradient[0, :, 0, 0].tolist() == pytest.approx(weights)

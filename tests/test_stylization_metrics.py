"""Measures of stylization by hand-computed numbers and against independent references."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from workbench.losses import spectral
from workbench.metrics import spectrum
from workbench.metrics.stylization import (
    background_psnr,
    color_difference,
    color_drift,
    content_distance,
    edge_f1,
    mask_iou,
    within_region_variance,
)


def noise(height=40, width=50, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def squares(*places, size=60, shade=230) -> np.ndarray:
    """Light 20-pixel squares on gray."""
    picture = np.full((size, size, 3), 60, np.uint8)
    for top, left in places:
        picture[top : top + 20, left : left + 20] = shade
    return picture


def test_content_distance_by_hand():
    a = np.zeros((2, 1, 2))
    a[:, 0, 0], a[:, 0, 1] = (1, 0), (3, 4)
    b = np.zeros((2, 1, 2))
    b[:, 0, 0], b[:, 0, 1] = (0, 5), (4, 3)  # cosines 0 and 24 / 25
    assert content_distance([a], [b]) == pytest.approx(1 - (0 + 0.96) / 2)
    assert content_distance([a, a], [b, 7 * a]) == pytest.approx(0.52 / 2)  # scale does not count
    assert content_distance([a], [-a]) == pytest.approx(2)
    silent = np.zeros((2, 1, 2))
    assert content_distance([silent], [silent]) == 1  # nothing in common


def test_edges_of_the_same_picture_and_of_half_of_it():
    both, one = squares((5, 5), (35, 35)), squares((5, 5))
    assert edge_f1(both, both) == (1, 1, 1)
    score = edge_f1(both, one)
    assert score.precision == 1
    assert score.recall == pytest.approx(0.5, abs=0.01)
    assert score.f1 == pytest.approx(2 / 3, abs=0.01)
    assert edge_f1(one, both) == pytest.approx((score.recall, 1, score.f1))


def test_edges_match_within_the_tolerance_only():
    photo, moved = squares((20, 20)), squares((20, 22))
    assert edge_f1(photo, moved, tolerance=2).f1 == 1
    assert edge_f1(photo, moved, tolerance=1).f1 < 0.8
    assert edge_f1(photo, squares((0, 0), shade=230)[::-1, ::-1], tolerance=2).f1 < 0.3


def test_edges_of_an_empty_picture():
    empty = np.full((60, 60, 3), 60, np.uint8)
    score = edge_f1(squares((5, 5)), empty)
    assert np.isnan(score.precision)
    assert (score.recall, score.f1) == (0, 0)  # it drew none of the lines
    assert edge_f1(empty, squares((5, 5))).f1 == 0
    assert np.isnan(edge_f1(empty, empty).f1)


def test_color_drift_of_two_grays_by_hand():
    gray = np.full((16, 16, 3), 119, np.uint8)
    # CIEDE2000 of two grays is |ΔL| / (1 + .015 (L̄ - 50)² / sqrt(20 + (L̄ - 50)²)); L* of 119 and 124 gray
    light = 116 * np.cbrt(((np.array([119, 124]) / 255 + 0.055) / 1.055) ** 2.4) - 16
    mean = light.mean() - 50
    expected = (light[1] - light[0]) / (1 + 0.015 * mean**2 / np.sqrt(20 + mean**2))
    assert color_drift(gray, np.full_like(gray, 124)) == pytest.approx(expected, rel=1e-3)


def test_color_differences_of_pixels_by_hand():
    black, red = np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)
    red[:, :, 0] = 255  # in Lab 53.24, 80.09, 67.20
    assert color_difference(black, red, "CIE76") == pytest.approx(117.33, abs=0.1)
    white = black.copy()
    white[:2] = 255  # half of the pixels, each 100 away by both formulas
    assert color_difference(black, white, "CIE76") == pytest.approx(50, abs=0.01)
    assert color_difference(black, white) == pytest.approx(50, abs=0.01)
    stripes = black.copy()
    stripes[:, ::2] = 255  # a line counts, which colour drift averages with what is beside it
    assert color_difference(stripes, stripes[:, ::-1]) == pytest.approx(100, abs=0.01)
    assert color_drift(stripes, stripes[:, ::-1], pool=2) == pytest.approx(0)
    with pytest.raises(ValueError, match="CIE76"):
        color_difference(black, red, "CIE94")


def test_color_drift_pools_with_cut_squares():
    gray = np.full((10, 13, 3), 119, np.uint8)
    assert color_drift(gray, gray) == 0
    checks = gray.copy()
    checks[::2, ::2] += 40  # averaged to about the same in every 2-pixel square
    checks[1::2, 1::2] -= 40
    assert color_drift(gray[:, :12], checks[:, :12], pool=2) < 1e-6
    assert color_drift(gray, checks, pool=1) > 5
    cut = np.full((10, 13, 3), 119, np.uint8)
    cut[:, 12:] = 140  # the last square has one column: five of 35 squares differ
    whole = color_drift(gray, np.full_like(gray, 140), pool=2)
    assert color_drift(gray, cut, pool=2) == pytest.approx(whole / 7)


def test_within_region_variance_by_hand():
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[:, 2:] = 100
    labels = np.array([[0, 0, 1, 1]] * 2)
    assert within_region_variance(picture, labels) == 0
    assert within_region_variance(picture, np.zeros((2, 4), int)) == 2500  # 50²
    picture[0, 0, 0] = 8  # region 0, one channel: values 8, 0, 0, 0 about 2: (36 + 3 · 4) / 4 = 12
    assert within_region_variance(picture, labels) == pytest.approx(12 * 4 / 8 / 3)
    assert within_region_variance(picture, 5 * labels) == pytest.approx(2)  # numbers may have gaps


def test_background_psnr_against_scikit_image():
    photo, drawing = noise(seed=1), noise(seed=2)
    mask = np.zeros((40, 50), bool)
    mask[:, :20] = True
    expected = peak_signal_noise_ratio(photo[:, 20:], drawing[:, 20:], data_range=255)
    assert background_psnr(photo, drawing, mask) == pytest.approx(expected)
    drawing[:, 20:] = photo[:, 20:]
    assert background_psnr(photo, drawing, mask) == float("inf")
    one = photo.copy()
    one[0, 30, 0] ^= 1  # one level in 40 · 30 · 3 values
    assert background_psnr(photo, one, mask) == pytest.approx(10 * np.log10(255**2 * 3600))


def test_mask_iou_by_hand():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert mask_iou(a, b) == 1
    a[:2], b[1:3] = True, True
    assert mask_iou(a, b) == pytest.approx(4 / 12)


def test_log_spectrum_against_the_training_loss():
    picture = noise(260, 300)
    middle = picture[2:258, 22:278]
    small = torch.from_numpy(middle.copy()).permute(2, 0, 1)[None].double() / 127.5 - 1
    reduced = torch.nn.functional.avg_pool2d(small, 2)
    expected = spectral.log_spectrum(reduced)[0, 0].numpy()
    got = spectrum.log_spectrum(middle)
    # luma's weights differ by the loss's scaling of YUV in no digit: 0.299, 0.587, 0.114
    np.testing.assert_allclose(got, expected, atol=2e-3)
    np.testing.assert_array_equal(spectrum.log_spectrum(picture[2:258]), got)  # the middle square


def test_radial_profile_of_rings_by_hand():
    side = 64
    y, x = np.mgrid[-side // 2 : side // 2, : side // 2 + 1] / side
    profile = spectrum.radial_profile(np.hypot(x, y), bins=8)
    middles = spectrum.radii(8)
    np.testing.assert_allclose(profile, middles, atol=0.01)
    assert middles[0] == pytest.approx(0.03 + 0.37 / 16)
    assert spectrum.profile_distance([profile, profile + 1], [profile + 0.2]) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="too many"):
        spectrum.radial_profile(np.hypot(x, y), bins=200)


def stripes(angle: float, side=256) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    wave = 127 + 100 * np.sin(2 * np.pi * 0.1 * (x * np.cos(angle) + y * np.sin(angle)))
    return np.repeat(wave[..., None], 3, 2).astype(np.uint8)


def test_shape_tells_noise_from_stripes():
    flat, lines = (spectrum.shape(spectrum.log_spectrum(p)) for p in (noise(256, 256), stripes(0.4)))
    assert flat["concentration"] == pytest.approx(0.056, abs=0.006)  # exponential power: 0.01 · (1 + ln 100)
    assert flat["directionality"] < 0.01
    assert abs(flat["slope"]) < 0.1
    assert lines["directionality"] > 5 * flat["directionality"]
    assert lines["concentration"] > 2 * flat["concentration"]
    assert flat["contrast"] == pytest.approx(np.pi / 6**0.5 / 2, abs=0.03)  # of half a log exponential
    halved = spectrum.shape(spectrum.log_spectrum(noise(256, 256) // 2))
    assert flat["brightness"] - halved["brightness"] == pytest.approx(np.log(2), abs=0.01)
    turned = spectrum.shape(spectrum.log_spectrum(stripes(0.4 + np.pi / 2)))
    assert turned["directionality"] == pytest.approx(lines["directionality"], rel=0.05)


def test_slope_of_pink_noise():
    side = 128
    rng = np.random.default_rng(0)
    f = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    f[0, 0] = 1
    pink = np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) / f).real
    picture = np.clip(127 + 30 * pink / pink.std(), 0, 255).round()
    large = np.repeat(np.repeat(picture, 2, 0), 2, 1)  # area reduction gives it back
    found = spectrum.shape(spectrum.log_spectrum(np.repeat(large[..., None], 3, 2).astype(np.uint8)))
    assert found["slope"] == pytest.approx(-1, abs=0.08)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: content_distance([], []), "at least one"),
        (lambda: content_distance([np.zeros((2, 3, 3))], [np.zeros((2, 3, 4))]), "one shape"),
        (lambda: edge_f1(noise(), noise(41)), "one shape"),
        (lambda: color_drift(noise(), noise().astype(float)), "uint8"),
        (lambda: within_region_variance(noise(), np.zeros((3, 3), int)), "labels"),
        (lambda: background_psnr(noise(), noise(), np.ones((40, 50), bool)), "leaves background"),
        (lambda: background_psnr(noise(), noise(), np.ones((40, 50))), "booleans"),
        (lambda: mask_iou(np.ones((2, 2), bool), np.ones((2, 3), bool)), "one shape"),
        (lambda: spectrum.log_spectrum(noise(255, 400)), "at least 256"),
        (lambda: spectrum.profile_distance(np.zeros((2, 3)), np.zeros((2, 4))), "bins"),
    ],
)
def test_errors(call, words):
    with pytest.raises(ValueError, match=words):
        call()

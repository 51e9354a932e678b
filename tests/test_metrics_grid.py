"""The grid that upsampling leaves: found where there is one, of the size that it has, and not in noise."""

import cv2
import numpy as np
import pytest

from workbench.metrics.grid import grid_excess, harmonic_excess


def noise(seed=0, level=8.0, shape=(160, 184)):
    return 128 + np.random.default_rng(seed).normal(0, level, shape)


def picture(luma):
    return np.repeat(luma[..., None], 3, 2).round().clip(0, 255).astype(np.uint8)


def spikes(height, shape=(160, 184)):
    """One sample of every four by four is raised."""
    tile = np.zeros((4, 4))
    tile[0, 0] = height
    return np.tile(tile, (shape[0] // 4, shape[1] // 4))


def test_noise_has_no_grid():
    assert np.mean([harmonic_excess(noise(seed), 4) for seed in range(12)]) == pytest.approx(0, abs=0.7)
    assert np.mean([grid_excess(picture(noise(seed))) for seed in range(12)]) == pytest.approx(0, abs=0.7)


def test_a_grid_has_the_decibels_of_its_height():
    # raised by a, every harmonic has the power (a/16)² (Σw)², and noise of standard deviation s has s² Σw²;
    # over N samples a Hann window has Σw = N/4 and Σw² = (3/8)² N
    a, s = 40.0, 6.0
    signal = noise(level=s) + spikes(a)
    expected = 10 * np.log10((a / 16) ** 2 * signal.size / 16 / (s**2 * (3 / 8) ** 2))
    assert harmonic_excess(signal, 4) == pytest.approx(expected, abs=0.5)
    assert abs(harmonic_excess(signal, 5)) < 4  # another period


def test_the_size_need_not_be_a_multiple_and_the_grid_may_lie_anywhere():
    whole = picture(noise(level=4.0) + spikes(60))
    assert grid_excess(whole) > 20
    assert grid_excess(whole[1:-2, 3:]) == pytest.approx(grid_excess(whole), abs=1)


def test_upsampling_is_seen_and_nearest_more_than_bilinear():
    small = np.random.default_rng(0).uniform(0, 200, (48, 48)).astype(np.float32)
    excess = {
        name: grid_excess(picture(cv2.resize(small, (192, 192), interpolation=method)))
        for name, method in (("nearest", cv2.INTER_NEAREST), ("bilinear", cv2.INTER_LINEAR))
    }
    assert excess["nearest"] > excess["bilinear"] > 10


def test_errors():
    with pytest.raises(ValueError, match="16 periods"):
        grid_excess(np.zeros((63, 80, 3), np.uint8))
    with pytest.raises(ValueError, match="at least 2"):
        harmonic_excess(np.zeros((80, 80)), 1)
    with pytest.raises(ValueError, match="H, W, 3"):
        grid_excess(np.zeros((80, 80), np.uint8))

"""Lines and areas of a drawing beside its photo."""

import numpy as np
import pytest

from workbench.metrics.lines import drawnness, line_pixels


def gray(luma: np.ndarray) -> np.ndarray:
    return np.repeat(np.round(255 * luma).astype(np.uint8)[..., None], 3, axis=2)


def two_halves(height: int = 48, width: int = 96) -> np.ndarray:
    luma = np.full((height, width), 0.3)
    luma[:, width // 2 :] = 0.8
    return luma


def test_a_line_on_a_step_is_measured():
    photo, drawn = two_halves(), two_halves()
    drawn[:, 46:48] = 0.0
    found = drawnness(gray(photo), gray(drawn))
    # windows of seven columns around the two of the line: three and two of them dark, two and three light
    assert found.line_share == pytest.approx(2 / 96, abs=0.5 / 96)
    assert found.line_continuity == 1.0
    assert found.false_lines == 0.0
    left, right = (3 * 0.3 + 2 * 0.8) / 7, (2 * 0.3 + 3 * 0.8) / 7
    assert found.line_depth == pytest.approx((left + right) / 2, abs=0.002)
    assert found.sharpness == pytest.approx(1.0)


def test_dashes_where_the_photo_is_smooth_are_false_and_broken():
    photo, drawn = two_halves(), two_halves()
    drawn[10, 10:13] = drawn[30, 70:73] = 0.0
    drawn[:, 46:48] = 0.0
    found = drawnness(gray(photo), gray(drawn))
    assert found.false_lines == pytest.approx(6 / 102, abs=0.01)
    assert found.line_continuity == pytest.approx(96 / 102, abs=0.01)


def test_thinness_is_one_over_the_width_of_a_line():
    even = np.full((60, 90), 0.8)
    for width in (1, 2, 3):
        drawn = even.copy()
        drawn[:, 40 : 40 + width] = 0.1
        lines = line_pixels(gray(drawn))
        assert lines.sum() == 60 * width
        assert lines[:, 40 : 40 + width].all()
        found = drawnness(gray(even), gray(drawn))
        assert found.line_thinness == pytest.approx(
            1 / width, abs=2 / 60
        )  # a skeleton is shorter at its ends
        assert found.line_share == pytest.approx(width / 90)


def test_flat_areas_vary_less_than_noisy_ones():
    rng = np.random.default_rng(0)
    noisy = gray(np.clip(two_halves() + rng.normal(0, 0.04, (48, 96)), 0, 1))
    flat = drawnness(noisy, gray(two_halves()))
    assert flat.variation < drawnness(noisy, noisy).variation / 4


def test_a_picture_without_lines_has_none():
    even = gray(np.full((30, 40), 0.5))
    found = drawnness(even, even)
    assert (found.line_share, found.variation, found.sharpness) == (0.0, 0.0, 0.0)
    assert np.isnan([found.line_depth, found.line_continuity, found.line_thinness, found.false_lines]).all()


def test_sizes_must_agree():
    with pytest.raises(ValueError, match="one size"):
        drawnness(gray(np.zeros((4, 4))), gray(np.zeros((5, 4))))

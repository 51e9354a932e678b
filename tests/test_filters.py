"""Classical filters against hand-computed pixels."""

import numpy as np
import pytest

from workbench.core.errors import UnknownNameError
from workbench.drawing.filters import FILTERS, affine, apply, color_matrix, convolution, edge, saturation


def noise(height=9, width=13, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def pixel(red, green, blue) -> np.ndarray:
    return np.array([[[red, green, blue]]], np.uint8)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (5, 1), (2, 2), (31, 17)])
def test_every_filter_keeps_size_and_its_argument(name, shape):
    pixels = noise(*shape)
    before = pixels.copy()
    output = apply(name, pixels)
    assert output.shape == pixels.shape
    assert output.dtype == np.uint8
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_changes_a_picture(name):
    assert np.abs(apply(name, noise()).astype(int) - noise()).mean() > 1


def test_color_matrix_numbers():
    swap = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 10]])
    np.testing.assert_array_equal(color_matrix(pixel(100, 150, 250), swap), pixel(250, 150, 110))
    np.testing.assert_array_equal(color_matrix(pixel(0, 0, 250), swap), pixel(250, 0, 10))
    np.testing.assert_array_equal(color_matrix(pixel(0, 0, 9), 100 * swap), pixel(255, 0, 255))  # clamped


def test_presets_numbers():
    # .393·100 + .769·50 + .189·200 = 115.55; .349·100 + .686·50 + .168·200 = 102.8; .272·100 + .534·50 +
    # .131·200 = 80.1
    np.testing.assert_array_equal(apply("colormatrix_sepia", pixel(100, 50, 200)), pixel(116, 103, 80))
    np.testing.assert_array_equal(apply("colormatrix_negative", pixel(0, 100, 255)), pixel(255, 155, 0))
    # .2126·100 + .7152·50 + .0722·200 = 71.46; vivid: 1.6·c - .6·71.46
    np.testing.assert_array_equal(apply("colormatrix_gray", pixel(100, 50, 200)), pixel(71, 71, 71))
    np.testing.assert_array_equal(apply("colormatrix_vivid", pixel(100, 50, 200)), pixel(117, 37, 255))


def test_saturation_one_is_the_identity_and_gray_stays_gray():
    np.testing.assert_allclose(saturation(1.0), np.eye(3, 4))
    for name in ("colormatrix_vivid", "colormatrix_gray"):
        np.testing.assert_array_equal(apply(name, pixel(90, 90, 90)), pixel(90, 90, 90))


def test_convolution_numbers():
    pixels = np.zeros((3, 3, 3), np.uint8)
    pixels[1, 1] = 50
    kernel = np.array(
        [[0, 0, 0], [0, 0, 2], [0, 0, 0]]
    )  # correlation: a pixel takes twice its right neighbour
    expected = np.full((3, 3), 3)
    expected[1, 0] = 103
    # the right column's right neighbour is, mirrored, the middle column
    expected[1, 2] = 103
    for channel in range(3):
        np.testing.assert_array_equal(convolution(pixels, kernel, offset=3)[..., channel], expected)


def test_sharpen_and_emboss_numbers():
    pixels = np.tile(np.array([10, 10, 20, 20, 20], np.uint8)[None, :, None], (5, 1, 3))
    assert apply("convolution_sharpen", pixels)[2, :, 0].tolist() == [10, 0, 30, 20, 20]
    # kernel columns sum to -3, 1, 3: 10 → -30 + 10 + 60 = 40 beside the step, -30 + 20 + 60 = 50 on it
    assert apply("convolution_emboss", pixels)[2, :, 0].tolist() == [10, 40, 50, 20, 20]


@pytest.mark.parametrize(
    "name", ["convolution_sharpen", "convolution_emboss", "convolution_soften", "affine_tilt"]
)
def test_flat_pictures_stay_flat(name):
    flat = np.full((8, 8, 3), 77, np.uint8)
    np.testing.assert_array_equal(apply(name, flat), flat)


def test_edge_numbers():
    pixels = np.zeros((9, 20, 3), np.uint8)
    pixels[:, 10:] = 40  # the gradient beside the step is 4·40 = 160, half of it 80
    expected = np.full((9, 20, 3), 255)
    expected[:, 9:11] = 175
    np.testing.assert_array_equal(edge(pixels), expected)
    pixels[:, 10:] = 200
    assert edge(pixels)[4, 9:11].max() == 0


def test_affine_rotation_by_quarter_and_half_turns():
    square = noise(9, 9)
    np.testing.assert_array_equal(affine(square, angle=90), np.rot90(square))  # counter-clockwise
    np.testing.assert_array_equal(affine(noise(), angle=180), np.rot90(noise(), 2))
    np.testing.assert_array_equal(affine(noise()), noise())


def test_affine_shear_leans_the_top_to_the_right():
    pixels = np.zeros((5, 9, 3), np.uint8)
    pixels[:, 4] = 255
    leaned = affine(pixels, shear=1.0)[..., 0]
    assert leaned.argmax(axis=1).tolist() == [6, 5, 4, 3, 2]


def test_affine_scale_enlarges_about_the_centre():
    pixels = np.zeros((9, 9, 3), np.uint8)
    pixels[3:6, 3:6] = 255
    large = affine(pixels, scale=2)[..., 0]
    assert (large == 255).sum() == 25  # centres 3..5 spread to 2..6
    assert (large[4, [1, 7]] == 128).all()  # halfway to the black neighbours


@pytest.mark.parametrize("name", FILTERS)
def test_ribbons(name):
    assert apply(name, noise(1, 70_000)).shape == (1, 70_000, 3)
    assert apply(name, noise(70_000, 2)).shape == (70_000, 2, 3)


def test_pictures_longer_than_opencv_can_index():
    pixels = noise(2, 40_000)
    np.testing.assert_array_equal(affine(pixels, angle=180), np.rot90(pixels, 2))
    np.testing.assert_array_equal(affine(pixels), pixels)


@pytest.mark.parametrize("width", [301, 40_001])
def test_a_sheared_row_moves_by_its_distance_from_the_centre(width):
    pixels = noise(3, width)
    sheared = affine(pixels, shear=1)
    np.testing.assert_array_equal(sheared[0, 1:], pixels[0, :-1])
    np.testing.assert_array_equal(sheared[1], pixels[1])
    np.testing.assert_array_equal(sheared[2, :-1], pixels[2, 1:])


def test_exceptions():
    with pytest.raises(UnknownNameError, match="Unknown filter 'blur'"):
        apply("blur", noise())
    for bad in (noise()[..., 0], noise().astype(np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="Expected pixels"):
            apply("affine_tilt", bad)

"""Drawing at a working scale: sizes, tiles, hard borders, kept gradients."""

import cv2
import numpy as np
import pytest

from workbench.drawing.scale import Windows, around, enlarged, working_picture


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("shape", "limits", "expected"),
    [
        ((60, 90), {}, (40, 60)),
        ((30, 90), {}, (30, 90)),  # never larger than it is
        ((60, 240), {"most": 1600}, (20, 80)),
        ((60, 240), {"longest": 120}, (30, 120)),
        ((41, 1), {}, (41, 1)),
    ],
)
def test_size_of_the_working_picture(shape, limits, expected):
    assert working_picture(noise(*shape), 40, **limits).shape == (*expected, 3)


def test_a_small_picture_is_itself():
    pixels = noise(20, 30)
    assert working_picture(pixels, 40) is pixels


@pytest.mark.parametrize("tile", [37, 64, 1000])
def test_tiles_are_equal_to_the_last_bit(tile):
    drawing = noise(23, 31)
    windows = Windows((23, 31), (200, 333), tile)
    pasted = np.empty((200, 333, 3), np.float32)
    for rows, columns in windows:
        pasted[rows, columns] = windows.hard(drawing, *around(drawing), rows, columns)
    whole = Windows((23, 31), (200, 333), 4096).hard(drawing, *around(drawing), slice(0, 200), slice(0, 333))
    np.testing.assert_array_equal(pasted, whole)


def test_one_colour_stays():
    flat = np.full((9, 7, 3), (12, 200, 77), np.uint8)
    assert (enlarged(flat, 90, 71) == flat[0, 0]).all()


def test_a_border_is_steeper_than_a_cubic_enlargement_has_it():
    step = np.zeros((16, 16, 3), np.uint8)
    step[:, 8:] = 200
    row = enlarged(step, 128, 128)[64, :, 0].astype(int)
    cubic = cv2.resize(step, (128, 128), interpolation=cv2.INTER_CUBIC)[64, :, 0].astype(int)

    def soft(values):
        return ((values > 20) & (values < 180)).sum()

    assert soft(row) <= soft(cubic) / 2
    assert np.abs(row[:56]).max() == 0
    assert np.abs(row[72:] - 200).max() == 0


def test_a_line_keeps_its_width():
    line = np.full((16, 32, 3), 240, np.uint8)
    line[7:9] = 20
    column = enlarged(line, 128, 256)[:, 128, 0]
    assert (column < 130).sum() == pytest.approx(16, abs=2)
    assert column.min() <= 22


def test_a_gradient_gets_no_steps():
    ramp = np.tile(np.arange(40, 200, 5, dtype=np.uint8)[None, :, None], (8, 1, 3))
    row = enlarged(ramp, 64, 256)[32, :, 0].astype(int)
    assert np.diff(row).max() <= 2
    assert np.diff(row).min() >= -1


def test_progress_ends_at_one():
    seen = []
    enlarged(noise(8, 8), 3000, 2100, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

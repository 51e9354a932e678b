"""Eyes of drawn faces: glints, irises in the person's colour, and lids."""

import cv2
import numpy as np
import portraits as drawn
import pytest

from workbench.drawing import face_eyes
from workbench.drawing.face_shapes import Shape
from workbench.drawing.face_visibility import eye
from workbench.drawing.faces import EYE_CONTOURS, IRISES
from workbench.drawing.look import LOOKS

COMIC = LOOKS["comic"]
UNIT, RADIUS = 100.0, 10.0
SKIN = (60.0, 12.0, 16.0)  # Lab


def rgb(lab):
    """A picture (1, 1, 3) of a Lab colour."""
    return cv2.cvtColor(np.float32(lab)[None, None], cv2.COLOR_LAB2RGB)


def pair(lids=(20.0, 20.0), colors=(SKIN, SKIN), under=(20.0, 20.0)):
    """Photo, shape and eyes of an upright face whose lids lie level, so many pixels over and under the
    irises' middles, and whose irises have these Lab colours.
    """
    points = drawn.landmarks(200.0, 180.0, UNIT)
    photo = np.tile(rgb(SKIN), (480, 400, 1))
    for side, (lid, color, lower) in enumerate(zip(lids, colors, under, strict=True)):
        centre = points[IRISES[side][0]]
        points[list(IRISES[side][1:])] = centre + RADIUS * np.array([(1, 0), (0, -1), (-1, 0), (0, 1)])
        points[list(EYE_CONTOURS[side][9:]), 1] = centre[1] - lid
        points[list(EYE_CONTOURS[side][1:8]), 1] = centre[1] + lower
        outline = points[list(EYE_CONTOURS[side])]
        corners = np.concatenate([outline[:9], outline[:8:-1]])
        cv2.fillPoly(photo, [np.round(corners).astype(np.int32)], rgb((80, 3, 4))[0, 0].tolist())
        at = tuple(round(16 * float(v)) for v in centre)
        paint = rgb(color)[0, 0].tolist()
        cv2.circle(photo, at, int(16 * RADIUS), paint, -1, cv2.LINE_AA, 4)
    shape = Shape(points, photo)
    return photo[shape.window], shape, (eye(shape, 0), eye(shape, 1))


def offset(spot, one):
    """From the middle of the iris to that of its glint, in pixels."""
    rows, columns = np.indices(spot.shape)
    return np.array([(spot * columns).sum(), (spot * rows).sum()]) / spot.sum() - one.centre


def hue(ab):
    return np.degrees(np.arctan2(ab[1], ab[0]))


def test_both_eyes_have_glints_of_one_size_in_one_place():
    _, shape, eyes = pair()
    for spot, one in zip(face_eyes.glints(shape, eyes, (1.0, 1.0)), eyes, strict=True):
        assert spot.sum() == pytest.approx(np.pi * 2.2**2, rel=0.03)  # 0.22 of the iris
        np.testing.assert_allclose(offset(spot, one), (-3.2, -3.6), atol=0.1)


def test_a_low_lid_moves_the_glints_of_both_eyes():
    """The spot (3.6 up, 2.2 in radius) and 2 pixels of lid have 4.2 pixels to lie in below a lid that is 4
    over the middle, so it moves down by 4.2 - 0.4.
    """
    _, shape, eyes = pair(lids=(20.0, 4.0))
    both = face_eyes.glints(shape, eyes, (1.0, 1.0))
    for spot, one in zip(both, eyes, strict=True):
        np.testing.assert_allclose(offset(spot, one), (-3.2, 0.2), atol=0.1)
    assert both[0].sum() == pytest.approx(both[1].sum(), rel=0.02)
    alone, none = face_eyes.glints(shape, eyes, (1.0, 0.0))  # an eye that is not drawn says nothing
    np.testing.assert_allclose(offset(alone, eyes[0]), (-3.2, -3.6), atol=0.1)
    assert none.max() == 0


def test_where_a_lid_leaves_no_room_the_glints_of_both_eyes_fade():
    sums = []
    for lid in (3.0, 0.0, -1.5, -3.0, -4.5):
        _, shape, eyes = pair(lids=(20.0, lid))
        one, other = face_eyes.glints(shape, eyes, (1.0, 1.0))
        assert one.sum() == pytest.approx(other.sum(), rel=0.02, abs=0.01)
        sums.append(one.sum())
    assert sums[0] == pytest.approx(np.pi * 2.2**2, rel=0.03)
    assert (np.diff(sums) <= 1e-3).all()
    assert sums[-1] == 0


@pytest.mark.parametrize(
    "color",
    [(25, 10, 12), (40, 14, 24), (45, -3, -14), (50, -8, 10), (40, 25, 30)],
    ids=["dark brown", "brown", "blue", "green", "brown in warm light"],
)
def test_an_iris_has_the_hue_of_the_photo(color):
    photo, shape, eyes = pair(colors=(color, color))
    for found in face_eyes.iris_colors(photo, shape, eyes, (1.0, 1.0), COMIC):
        assert abs(hue(found[1:]) - hue(color[1:])) < 2
    part, ink = face_eyes.draw_eyes(photo, np.zeros(shape.size, np.float32), photo, shape, COMIC)
    lab = cv2.cvtColor(part, cv2.COLOR_RGB2LAB)
    for one in eyes:  # as a whole, with pupil and glint
        inner = lab[one.iris > 0.9].mean(0)
        assert abs(hue(inner[1:]) - hue(color[1:])) < 6
        assert np.hypot(*inner[1:]) > 0.5 * np.hypot(*color[1:])
    assert ink.max() > 0.4


def test_an_iris_is_graded_as_the_drawing():
    """L* 40 by the comic's gamma and contrast: 0.4^0.88 - 0.12 / (2 pi) sin(2 pi 0.4^0.88) = 0.440."""
    photo, shape, eyes = pair(colors=((40, 3, 4), (40, 3, 4)))
    for found in face_eyes.iris_colors(photo, shape, eyes, (1.0, 1.0), COMIC):
        assert found[0] == pytest.approx(44.0, abs=0.4)
        assert hue(found[1:]) == pytest.approx(hue((3, 4)), abs=3)
    ink = face_eyes.iris_colors(photo, shape, eyes, (1.0, 1.0), LOOKS["ink"])
    assert max(np.abs(found[1:]).max() for found in ink) < 6  # a wash on paper, not quite white


def test_a_light_iris_that_is_gray_in_numbers_is_blue_beside_a_warm_white():
    """White of a* 3 and b* 4, iris of 1 and -2: beside it -2 and -6."""
    drawn_irises = []
    for color in (40, 3, 4), (40, 1, -2), (15, 1, -2):
        photo, shape, eyes = pair(colors=(color, color))
        drawn_irises.append(face_eyes.iris_colors(photo, shape, eyes, (1.0, 1.0), COMIC))
    plain, blue, dark = drawn_irises
    for one, other in zip(plain, blue, strict=True):
        assert other[0] == pytest.approx(one[0], abs=0.5)  # no darker
        assert hue(other[1:]) == pytest.approx(hue((-2, -6)), abs=6)
        assert 4 < np.hypot(*other[1:]) < 11
    for found in dark:  # of which nobody can tell
        assert np.hypot(*found[1:]) < 4


def test_eyes_that_are_about_alike_have_one_hue_and_those_of_two_colours_keep_them():
    alike, different = ((30, 8, 8), (40, 4, 12)), ((30, 10, 14), (45, -3, -14))
    photo, shape, eyes = pair(colors=alike)
    one, other = face_eyes.iris_colors(photo, shape, eyes, (1.0, 1.0), COMIC)
    assert hue(one[1:]) == pytest.approx(hue((6, 10)), abs=1)
    assert hue(other[1:]) == pytest.approx(hue((6, 10)), abs=1)
    assert other[0] - one[0] > 8  # each in its own light
    one, other = face_eyes.iris_colors(photo, shape, eyes, (1.0, 0.0), COMIC)
    assert hue(one[1:]) == pytest.approx(hue((8, 8)), abs=1)
    photo, shape, eyes = pair(colors=different)
    for found, color in zip(
        face_eyes.iris_colors(photo, shape, eyes, (1.0, 1.0), COMIC), different, strict=True
    ):
        assert hue(found[1:]) == pytest.approx(hue(color[1:]), abs=2)


@pytest.mark.parametrize(("edge", "strength"), [(60, 0.5), (30, 0.65), (24, 0.78), (6, 0.95)])
def test_the_line_of_a_lid_is_as_strong_as_its_edge_is_dark(edge, strength):
    """1.3 times the contrast, 1 - edge / 60, between 0.5 and 0.95."""
    photo, shape, eyes = pair()
    one, photo = eyes[0], photo.copy()
    row = round(float(one.upper[4, 1]))
    photo[row - 4 : row + 5] = rgb((edge, 12 * edge / 60, 16 * edge / 60))
    assert face_eyes.lash_strength(photo, shape, one) == pytest.approx(strength, abs=0.01)


def test_an_eye_has_its_own_lines_only():
    """Ink that was found on the eye goes; beside it, as in a crease, there is at most 0.9 of the lid's."""
    photo, shape, eyes = pair(colors=((25, 10, 12), (25, 10, 12)))
    _, ink = face_eyes.draw_eyes(photo, np.ones(shape.size, np.float32), photo, shape, COMIC)
    for one in eyes:
        x, y = np.round(one.centre).astype(int)
        assert ink[y, x] == 0
        crease = ink[y - 20 - 6, x]  # over the lid
        assert crease == pytest.approx(0.9 * face_eyes.lash_strength(photo, shape, one), abs=0.06)
    assert ink[0, 0] == 1


def test_as_one_eye_closes_nothing_jumps():
    """From 0.24 of its width, 44 pixels, to 0.10: neither its iris nor the other's glint goes at once."""
    color, frames = (25, 10, 12), []
    _, _, wide = pair()
    for half in np.linspace(0.12 * 44, 0.05 * 44, 29):
        photo, shape, _ = pair((20.0, half), (color, color), (20.0, half))
        part, _ = face_eyes.draw_eyes(photo, np.zeros(shape.size, np.float32), photo, shape, COMIC)
        light = cv2.cvtColor(part, cv2.COLOR_RGB2LAB)[..., 0]
        near = cv2.GaussianBlur(light, (0, 0), 1.5)
        frames.append([near[one.iris > 0.9] for one in wide])
    for side in (0, 1):
        steps = np.abs(np.diff([frame[side] for frame in frames], axis=0))
        assert steps.max() < 16  # L*; at once it would be 39 and more

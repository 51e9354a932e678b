"""People drawn with their own features."""

import cv2
import numpy as np
import portraits as drawn
import pytest
from skimage import data

from workbench.drawing import face_skin, face_visibility, portrait, scene
from workbench.drawing.face_shapes import Shape, deformed
from workbench.drawing.faces import EYE_CONTOURS, IRISES, Face, find_faces


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()[:230, 120:330]


def width(points, left, right):
    return np.linalg.norm(points[left] - points[right])


def test_the_warp_enlarges_eyes_slims_the_jaw_and_says_where_landmarks_went(photo):
    (face,) = find_faces(photo)
    warped, (moved,) = deformed(photo.astype(np.float32) / 255, [face.landmarks], 0, 1.0)
    for contour in EYE_CONTOURS:
        assert width(moved, contour[0], contour[8]) > 1.1 * width(face.landmarks, contour[0], contour[8])
    assert width(moved, 172, 397) < 0.95 * width(face.landmarks, 172, 397)  # the corners of the jaw
    # the detector finds them there
    (again,) = find_faces((255 * np.clip(warped, 0, 1)).astype(np.uint8))
    eyes = [i for contour in EYE_CONTOURS for i in contour]
    np.testing.assert_allclose(again.landmarks[eyes], moved[eyes], atol=3)
    still, (same,) = deformed(photo.astype(np.float32) / 255, [face.landmarks], 0, 0.0)
    np.testing.assert_allclose(same, face.landmarks, atol=1e-3)
    np.testing.assert_allclose(still, photo / 255, atol=1e-3)


def test_skin_keeps_its_tone(photo):
    drawing, (face,) = portrait.draw(photo), find_faces(photo)
    shape = Shape(face.landmarks, photo.astype(np.float32) / 255)
    before, after = (
        np.median(
            cv2.cvtColor(p[shape.window].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[shape.skin > 0.8], 0
        )
        for p in (photo, drawing)
    )
    assert np.linalg.norm(after - before) < 8


def test_a_gray_photo_stays_gray(photo):
    gray = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    drawing = portrait.draw(gray).astype(int)
    assert np.percentile(np.ptp(drawing, axis=-1), 99) <= 12  # ink has a little colour


@pytest.mark.parametrize("look", ["comic", "anime", "ink"])
def test_every_look_draws_people_at_their_own_size(photo, look):
    assert portrait.draw(photo, look).shape == photo.shape


def test_without_faces_it_is_the_drawing_of_a_scene():
    photo = data.coffee()[:150, :180]
    np.testing.assert_array_equal(portrait.draw(photo), scene.draw(photo))
    np.testing.assert_array_equal(portrait.draw(photo, faces=[]), scene.draw(photo))


def test_a_face_at_the_border_or_outside_is_no_trouble(photo):
    faces = [drawn.face_at(2, 3, 30), drawn.face_at(-80, -80, 20), drawn.face_at(100, 100, 1.0)]
    assert portrait.draw(photo, faces=faces).shape == photo.shape


def test_a_squint_is_a_line_and_an_eye_an_iris():
    """Only the open eye has pixels as light as the white that is drawn."""
    picture, points, _ = drawn.portrait(240, 200, 40.0)
    closed = points.copy()
    for contour in EYE_CONTOURS:
        closed[list(contour), 1] = points[list(contour), 1].mean()
    drawings = [portrait.draw(picture, faces=[Face(p, 1.0)], deform=0) for p in (points, closed)]
    assert not np.array_equal(*drawings)


def test_what_cannot_be_is_refused(photo):
    with pytest.raises(ValueError, match="deform"):
        portrait.draw(photo, deform=1.2)
    with pytest.raises(ValueError, match="look"):
        portrait.draw(photo, "oil")
    with pytest.raises(ValueError, match="uint8"):
        portrait.draw(photo / 255)


def behind_lenses(photo, face, opacity):
    """The photo with dark, oval lenses before the eyes, and where they are."""
    mask = np.zeros(photo.shape[:2], np.uint8)
    for eye in face.eyes:
        axes = (int(0.42 * face.interocular_px), int(0.34 * face.interocular_px))
        cv2.ellipse(mask, tuple(int(v) for v in eye), axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
    share = opacity * (mask / 255.0)[..., None]
    return np.uint8(photo * (1 - share) + share * np.array([30, 22, 20])), mask


def glints(drawing, face):
    """How much lighter, from 0 to 255, both glints are than the other side of their pupil."""
    light = cv2.cvtColor(drawing, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
    result = []
    for centre, *rim in (face.landmarks[list(iris)] for iris in IRISES):
        reach = np.linalg.norm(rim - centre, axis=1).mean() * np.array([0.32, 0.36])
        glint, pupil = (
            cv2.getRectSubPix(light, (1, 1), at.tolist()) for at in (centre - reach, centre + reach / 2)
        )
        result.append(float(glint[0, 0] - pupil[0, 0]))
    return np.array(result)


def test_no_eyes_are_drawn_on_dark_lenses(photo):
    (face,) = find_faces(photo)
    assert (glints(portrait.draw(photo, faces=[face], deform=0), face) > 100).all()
    shaded, mask = behind_lenses(photo, face, 0.95)
    drawing = portrait.draw(shaded, faces=[face], deform=0)
    within = cv2.erode(mask, np.ones((5, 5))) > 0
    assert np.ptp(cv2.cvtColor(drawing, cv2.COLOR_RGB2LAB)[..., 0][within]) < 25  # no iris, glint or lid


# in a face so small a glint is about a pixel, which is shared among its neighbours
@pytest.mark.parametrize(("change", "least"), [("gray", 130), ("dark", 105), ("small", 65)])
def test_eyes_that_can_be_seen_are_drawn(photo, change, least):
    (face,) = find_faces(photo)
    if change == "gray":
        photo = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    elif change == "dark":
        photo = np.uint8(255 * (0.25 * (photo / 255) ** 2.2) ** (1 / 2.2))  # a quarter of the light
    else:
        photo = cv2.resize(photo, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
        face = Face((face.landmarks + 0.5) * 0.6 - 0.5, 1.0)
    assert (glints(portrait.draw(photo, faces=[face], deform=0), face) > least).all()


def test_an_eye_out_of_focus_gets_no_glint(photo):
    (face,) = find_faces(photo)
    blurred = cv2.GaussianBlur(photo, (0, 0), 0.1 * face.interocular_px)
    assert (glints(portrait.draw(blurred, faces=[face], deform=0), face) < 10).all()


def test_an_eye_fades_as_a_lens_darkens(photo):
    """No eye appears or vanishes from one frame of a film to the next."""
    photo = photo[40:180, 50:180]
    (face,) = find_faces(photo)
    behind = [behind_lenses(photo, face, opacity)[0] for opacity in np.linspace(0.52, 0.73, 8)]
    seen = np.array([glints(portrait.draw(one, faces=[face], deform=0), face) for one in behind])
    assert (seen[0] > 70).all()
    assert (np.abs(seen[-1]) <= glints(behind[-1], face)).all()  # no more than the lens lets through
    assert np.abs(np.diff(seen, axis=0)).max() < 80


def evidence(photo, face):
    """How far each eye and the mouth are seen."""
    floats = photo.astype(np.float32) / 255
    shape = Shape(face.landmarks, floats)
    part = floats[shape.window]
    seen = face_visibility.eyes_seen(
        part, shape, (face_visibility.eye(shape, 0), face_visibility.eye(shape, 1))
    )
    return np.array([iris for _, iris in seen]), face_visibility.mouth_seen(part, shape)


def covered(photo, corners, color):
    """The photo with a plain area (N, 2) in one colour."""
    return cv2.fillPoly(photo.copy(), [np.round(corners).astype(np.int32)], color, cv2.LINE_AA)


def around(place, half_width, half_height):
    return place + np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * [half_width, half_height]


@pytest.mark.parametrize("side", [0, 1])
def test_both_eyes_of_a_pair_are_drawn_though_one_is_in_the_shade(photo, side):
    (face,) = find_faces(photo)
    area = np.zeros(photo.shape[:2], np.float32)
    cv2.circle(area, tuple(int(v) for v in face.eyes[side]), int(0.4 * face.interocular_px), 1.0, -1)
    area = cv2.GaussianBlur(area, (0, 0), 0.1 * face.interocular_px)[..., None]
    shaded = np.uint8(photo * (1 - 0.68 * area))
    assert evidence(photo, face)[0].min() == 1
    assert evidence(shaded, face)[0].min() > 0.8


@pytest.mark.parametrize("side", [0, 1])
def test_a_covered_eye_is_not_drawn_and_leaves_the_other(photo, side):
    (face,) = find_faces(photo)
    unit = face.interocular_px
    hand = covered(photo, around(face.eyes[side], 0.4 * unit, 0.4 * unit), (196, 150, 130))
    seen, mouth = evidence(hand, face)
    assert seen[side] == 0
    assert seen[1 - side] == 1
    assert mouth == 1


def test_no_lips_are_drawn_on_what_covers_the_mouth(photo):
    (face,) = find_faces(photo)
    unit, mouth = face.interocular_px, face.landmarks[[13, 14]].mean(0)
    for color in ((235, 235, 240), (30, 30, 35), (196, 150, 130)):  # masks, and a hand
        mask = covered(photo, around(mouth, 0.8 * unit, 0.45 * unit), color)
        assert evidence(mask, face)[1] == 0
        drawing = portrait.draw(mask, faces=[face], deform=0)
        x, y = np.round(mouth).astype(int)
        within = drawing[y - 4 : y + 5, x - int(0.5 * unit) : x + int(0.5 * unit)]
        assert np.ptp(cv2.cvtColor(within, cv2.COLOR_RGB2LAB)[..., 0]) < 25


def plain_skin(unit=60.0):
    """Colours of bare skin everywhere, and a shape on them."""
    color = np.full((300, 260, 3), (0.80, 0.62, 0.52), np.float32)
    return color, Shape(drawn.landmarks(130, 110, unit), color)


def test_stubble_is_no_crowd_of_specks_and_a_mole_stays():
    color, shape = plain_skin()
    (left, top), unit = (shape.window[1].start, shape.window[0].start), shape.unit
    cheek, chin = (130 - 0.7 * unit, 110 + 0.6 * unit), (130, 110 + 1.55 * unit)
    assert left >= 0
    assert top >= 0
    spotted = color.copy()
    for dx in range(-16, 17, 8):
        for dy in range(-8, 9, 8):
            cv2.circle(spotted, (int(chin[0]) + dx, int(chin[1]) + dy), 1, (0.4, 0.3, 0.25), -1)
    cv2.circle(spotted, (int(cheek[0]), int(cheek[1])), 3, (0.4, 0.3, 0.25), -1)
    clean = face_skin.without_specks(spotted, shape)
    below = slice(int(chin[1]) - 10, int(chin[1]) + 11), slice(int(chin[0]) - 18, int(chin[0]) + 19)
    assert np.ptp(spotted[below]) > 0.5
    assert np.abs(clean[below] - color[below]).max() < 0.05
    assert clean[int(cheek[1]), int(cheek[0]), 0] < 0.5


def test_a_single_dash_on_a_cheek_goes_and_a_fold_stays():
    _, shape = plain_skin()
    x, y = (int(v) for v in shape.points[13] + [0.75 * shape.unit, -0.35 * shape.unit])
    for length, stays in ((0.12, False), (0.5, True)):
        ink = np.zeros(shape.size, np.float32)
        cv2.line(ink, (x, y), (x, y + int(length * shape.unit)), 1.0, 1)
        kept = face_skin.without_dashes(ink, shape)
        assert (kept.max() == 1) == stays
        assert (kept.max() == 0) != stays

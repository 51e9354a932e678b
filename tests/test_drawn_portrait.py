"""People drawn with their own features."""

import cv2
import numpy as np
import portraits as drawn
import pytest
from skimage import data

from workbench.drawing import portrait, scene
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


@pytest.mark.parametrize("change", ["gray", "dark", "small"])
def test_eyes_that_can_be_seen_are_drawn(photo, change):
    (face,) = find_faces(photo)
    if change == "gray":
        photo = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    elif change == "dark":
        photo = np.uint8(255 * (0.25 * (photo / 255) ** 2.2) ** (1 / 2.2))  # a quarter of the light
    else:
        photo = cv2.resize(photo, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
        face = Face((face.landmarks + 0.5) * 0.6 - 0.5, 1.0)
    assert (glints(portrait.draw(photo, faces=[face], deform=0), face) > 70).all()


def test_an_eye_out_of_focus_gets_no_glint(photo):
    (face,) = find_faces(photo)
    blurred = cv2.GaussianBlur(photo, (0, 0), 0.1 * face.interocular_px)
    assert (glints(portrait.draw(blurred, faces=[face], deform=0), face) < 10).all()


def test_an_eye_fades_as_a_lens_darkens(photo):
    """No eye appears or vanishes from one frame of a film to the next."""
    photo = photo[40:180, 50:180]
    (face,) = find_faces(photo)
    seen = np.array(
        [
            glints(portrait.draw(behind_lenses(photo, face, opacity)[0], faces=[face], deform=0), face)
            for opacity in np.linspace(0.52, 0.73, 8)
        ]
    )
    assert (seen[0] > 70).all()
    assert (np.abs(seen[-1]) < 10).all()
    assert np.abs(np.diff(seen, axis=0)).max() < 80

"""Faces found where people are, and nowhere else; their landmarks."""

import cv2
import numpy as np
import pytest
from skimage import data

from workbench.drawing.faces import EYE_CORNERS, IRISES, find_faces

EYES = np.array([[203, 100.5], [246.7, 103.7]])  # of the astronaut, read off the picture


def turned(photo, degrees, middle):
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    return cv2.warpAffine(photo, matrix, photo.shape[1::-1], borderMode=cv2.BORDER_REPLICATE), matrix


def test_a_face_and_its_eyes_are_found_where_they_are():
    (face,) = find_faces(data.astronaut())
    np.testing.assert_allclose(face.eyes, EYES, atol=2.5)
    for iris, eye in zip(IRISES, EYES, strict=True):
        np.testing.assert_allclose(face.landmarks[iris[0]], eye, atol=4)
    assert face.landmarks.shape == (478, 2)
    left, right = (face.landmarks[list(pair), 0] for pair in EYE_CORNERS)
    assert left[0] < left[1] < right[1] < right[0]  # outer corners outside
    assert face.interocular_px == pytest.approx(np.linalg.norm(EYES[1] - EYES[0]), abs=4)


@pytest.mark.parametrize("degrees", [-30, 30])
def test_a_turned_head_is_found(degrees):
    photo, matrix = turned(data.astronaut()[:300, 60:380], degrees, (165, 108))
    (face,) = find_faces(photo)
    np.testing.assert_allclose(face.eyes, (EYES - [60, 0]) @ matrix[:, :2].T + matrix[:, 2], atol=5)


def test_a_small_face_in_a_large_photo_is_found():
    large = cv2.resize(data.coffee(), (2400, 1600))
    head = cv2.resize(data.astronaut()[:230, 130:320], None, fx=0.55, fy=0.55)  # eyes 24 pixels apart
    large[900 : 900 + head.shape[0], 1500 : 1500 + head.shape[1]] = head
    (face,) = find_faces(large)
    np.testing.assert_allclose(face.eyes.mean(0), (EYES.mean(0) - [130, 0]) * 0.55 + [1500, 900], atol=4)
    assert face.interocular_px == pytest.approx(0.55 * np.linalg.norm(EYES[1] - EYES[0]), abs=2)


def test_everybody_in_a_group_is_found_the_largest_first():
    head = data.astronaut()[:230, 130:320]
    row = [cv2.resize(head, None, fx=k, fy=k) for k in (0.6, 1.0, 0.8)]
    group = np.hstack([np.pad(h, ((0, 230 - len(h)), (0, 0), (0, 0)), mode="edge") for h in row])
    found = find_faces(group)
    assert len(found) == 3
    sizes = [face.interocular_px for face in found]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("photo", ["coffee", "chelsea", "rocket"])
def test_no_face_where_nobody_is(photo):
    assert find_faces(getattr(data, photo)()) == []


@pytest.mark.parametrize("size", [(1, 1), (20, 300), (64, 64)])
def test_no_face_in_an_empty_picture(size):
    assert find_faces(np.full((*size, 3), 127, np.uint8)) == []


def test_other_arrays_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        find_faces(np.zeros((8, 8), np.uint8))

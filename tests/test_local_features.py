"""One painting in two files is found by its local features; different paintings are not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from workbench.data.atelier.dataset import open_dataset
from workbench.data.check import check_dataset
from workbench.data.local_features import INLIERS, agreeing_keypoints, local_features


def reproduction(image: Image.Image) -> Image.Image:
    """The middle of a picture, smaller, turned by 3°, in warmer colours, on a mount."""
    width, height = image.size
    part = image.rotate(3, Image.Resampling.BICUBIC, fillcolor="white").crop(
        (width // 12, height // 12, width - width // 10, height - height // 14)
    )
    part = ImageEnhance.Contrast(part.resize((part.width * 3 // 4, part.height * 3 // 4))).enhance(0.8)
    pixels = np.asarray(part) * np.array([1.0, 0.93, 0.8])
    mount = Image.new("RGB", (part.width + 90, part.height + 150), (190, 180, 150))
    mount.paste(Image.fromarray(pixels.astype(np.uint8)), (50, 40))
    return mount


@pytest.fixture(scope="module")
def paintings():
    data = open_dataset("atelier:40")
    return [data.read(i) for i in range(0, 40, 5)]


def test_a_second_reproduction_agrees_and_another_painting_does_not(paintings):
    first = local_features(paintings[0])
    assert agreeing_keypoints(first, local_features(reproduction(paintings[0]))) >= INLIERS
    assert agreeing_keypoints(first, first) == len(first.points)
    for other in paintings[1:]:
        assert agreeing_keypoints(first, local_features(other)) < INLIERS // 2


def test_a_plain_picture_has_nothing_to_compare(paintings):
    plain = local_features(Image.new("RGB", (64, 64), "white"))
    assert plain.points.shape == (0, 2)
    assert agreeing_keypoints(plain, local_features(paintings[0])) == 0


def test_the_check_names_a_painting_that_is_there_twice(paintings, tmp_path):
    for i, image in enumerate(paintings):
        path = tmp_path / ("calm" if i % 2 else "wild") / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        image.save(path)
    reproduction(paintings[2]).save(tmp_path / "wild/again.png")
    card = check_dataset(tmp_path)
    assert [(pair.first, pair.second) for pair in card.same] == [("wild/2.png", "wild/again.png")]
    assert card.same[0].keypoints >= INLIERS
    assert card.groups_if_joined == len(paintings)

"""Studies of faces: detection on composites with known places, likeness of drawings."""

import csv

import numpy as np
import pytest
from PIL import Image
from skimage import data

from workbench.drawing.faces import find_faces
from workbench.studies import face_detection, likeness


@pytest.fixture(scope="module")
def head():
    return data.astronaut()[:230, 120:330]


def test_a_person_is_found_once_and_near():
    places = np.array([[50, 50, 20], [100, 50, 20]])
    found = [(52.0, 49.0, 20.0), (51.0, 52.0, 20.0), (111.0, 50.0, 20.0)]
    assert face_detection.matches(found, places) == 1  # the second face has none near, the first has two
    assert face_detection.matches([*found, (95.0, 50.0, 9.0)], places) == 2


def test_a_head_is_put_where_it_should_be(head):
    (face,) = find_faces(head)
    own = face_detection.Head(head, (*face.middle.tolist(), face.interocular_px), 60.0)
    empty = np.full((400, 500, 3), 127, np.uint8)
    scene = face_detection.paste_head(empty, own, np.array([300, 150]), 30.0, 20.0)
    (found,) = find_faces(scene)
    np.testing.assert_allclose(found.middle, (300, 150), atol=2)
    assert found.interocular_px == pytest.approx(30, abs=2)
    assert (scene[:, :100] == 127).all()


def test_detection_from_folders_to_the_table(tmp_path, head, caplog):
    for folder in ("people", "scenes"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "broken.jpg").write_bytes(b"no picture")
    Image.fromarray(head).save(tmp_path / "people" / "a.png")
    Image.fromarray(data.coffee()).save(tmp_path / "scenes" / "coffee.png")
    asked = face_detection.FaceDetection(
        str(tmp_path / "people"), str(tmp_path / "scenes"), people=2, side=320
    )
    with asked.run(tmp_path / "out").open(newline="") as file:
        rows = {(row["detector"], row["condition"]): row for row in csv.DictReader(file)}
    assert rows["networks", "portrait"]["recall"] == "1.0"
    assert rows["networks", "nobody"]["recall"] == ""
    assert float(rows["networks", "nobody"]["false_alarms"]) == 0
    assert rows["cascade", "turned"]["people"] == "1"
    for folder in ("people", "scenes"):
        assert caplog.text.count(f"{tmp_path / folder / 'broken.jpg'} is passed over") == 1


def test_the_photo_itself_is_like_itself(head):
    (face,) = find_faces(head)
    same = likeness.measure(head, face, head)
    assert same["landmarks"] == same["lost"] == same["skin"] == same["ink"] == 0
    for part in ("hair", "eyes", "beard", "roughness"):
        assert same[part] == pytest.approx(1)


def test_what_is_done_to_a_face_is_measured(head):
    (face,) = find_faces(head)
    moved = likeness.measure(head, face, np.roll(head, 4, axis=1))
    assert moved["landmarks"] == pytest.approx(4 / face.interocular_px, rel=0.2)
    paler = likeness.measure(head, face, np.uint8(head * 0.5 + 127))
    assert paler["skin"] > 5
    assert paler["hair"] == pytest.approx(1, abs=0.01)  # correlation does not see contrast
    gone = likeness.measure(head, face, np.full_like(head, 127) + np.uint8(head > 250))
    assert gone["lost"] == 1
    assert np.isnan(gone["landmarks"])


def test_likeness_from_a_folder_to_the_table(tmp_path, head, caplog):
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "broken.jpg").write_bytes(b"no picture")
    Image.fromarray(head).save(tmp_path / "people" / "a.png")
    asked = likeness.Likeness(str(tmp_path / "people"), styles=("drawn_portrait", "colormatrix_warm"))
    with asked.run(tmp_path / "out").open(newline="") as file:
        rows = {(row["style"], row["tone"]): row for row in csv.DictReader(file)}
    assert {("drawn_portrait", "all"), ("colormatrix_warm", "all")} <= set(rows)
    drawn, tinted = (rows[style, "all"] for style in ("drawn_portrait", "colormatrix_warm"))
    assert float(drawn["ink"]) > float(tinted["ink"])
    assert float(drawn["roughness"]) < float(tinted["roughness"])
    assert float(tinted["landmarks"]) < float(drawn["landmarks"]) < 0.2
    assert drawn["people"] == "1"
    assert "broken.jpg is passed over" in caplog.text

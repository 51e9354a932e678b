"""Faces through a film: carried along the motion, corrected a little by each detection, dropped at a cut."""

import cv2
import numpy as np
import pytest
from portraits import face_at
from stylizers import save_tiny_portrait

from workbench.styles import face_tracker as module
from workbench.styles.face_tracker import FaceTracker


def scene(seed=0, height=120, width=200):
    rough = np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), 3)
    return ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype(np.uint8)


def pan(count, step=3):
    """The content moves ``step`` pixels to the left with each frame."""
    whole = scene(width=200 + step * count)
    return [whole[:, step * i : step * i + 200].copy() for i in range(count)]


@pytest.fixture
def detector(monkeypatch):
    """``detector.append([...])`` says what is found in the next frame; afterwards nothing is."""
    answers = []
    monkeypatch.setattr(module, "find_faces", lambda frame: answers.pop(0) if answers else [])
    return answers


def test_a_face_that_is_missed_moves_with_its_pixels(detector):
    detector.append([face_at(110.0, 50.0, 16.0)])
    track = FaceTracker()
    found = [track(frame) for frame in pan(4)]
    assert [len(f) for f in found] == [1, 1, 1, 1]
    for i, (face,) in enumerate(found):
        assert face.middle[0] == pytest.approx(110 - 3 * i, abs=0.6)
        assert face.middle[1] == pytest.approx(50, abs=0.6)
        assert face.interocular_px == pytest.approx(16, abs=1e-3)


def test_a_detection_corrects_a_little(detector):
    still = [scene()] * 3
    detector += [[face_at(100.0, 50.0, 16.0)], [face_at(110.0, 45.0, 32.0)]]
    track = FaceTracker()
    track(still[0])
    (face,) = track(still[1])
    assert face.middle[0] == pytest.approx(102, abs=0.05)  # a fifth of the way
    assert face.middle[1] == pytest.approx(49, abs=0.05)
    assert face.interocular_px == pytest.approx(16 + 0.6 * 16, abs=0.01)


def test_patience_grows_with_the_times_a_face_was_found(detector):
    still, face = scene(), [face_at(100.0, 50.0, 16.0)]
    for times in (1, 2):
        detector[:] = [face] * times
        track = FaceTracker()
        seen = [len(track(still)) for _ in range(14)]
        assert seen == [1] * (times + 4 * times) + [0] * (14 - 5 * times)


def test_two_people_and_their_order(detector):
    detector.append([face_at(50.0, 40.0, 12.0), face_at(140.0, 60.0, 18.0)])
    track = FaceTracker()
    track(scene())
    assert [round(face.interocular_px) for face in track(scene())] == [18, 12]


def test_two_people_close_together_stay_two(detector):
    """The second, less than the distance of the eyes from the first, is no correction of it."""
    close = [face_at(96.0, 60.0, 16.0), face_at(110.0, 60.0, 16.0)]
    detector += [close[:1], close, close[::-1], []]
    track = FaceTracker()
    assert [len(track(scene())) for _ in range(4)] == [1, 2, 2, 2]
    assert sorted(face.middle[0] for face in track(scene())) == pytest.approx([96, 110], abs=0.3)


def test_a_small_face_behind_a_large_one_is_another(detector):
    detector += [[face_at(100.0, 60.0, 40.0)], [face_at(70.0, 50.0, 10.0)]]
    track = FaceTracker()
    track(scene())
    large, small = track(scene())
    assert large.middle[0] == pytest.approx(100, abs=0.05)
    assert small.middle[0] == pytest.approx(70, abs=0.05)


def test_a_cut_forgets_everybody(detector):
    detector.append([face_at(100.0, 50.0, 16.0)])
    track = FaceTracker()
    assert len(track(scene(0))) == 1
    assert track(scene(1)) == []
    assert FaceTracker()(scene(0)) == []
    detector.append([face_at(100.0, 50.0, 16.0)])
    assert len(track(scene(0))) == 1
    assert track(scene(0, 80, 90)) == []  # frames of another size


def test_a_face_that_leaves_the_picture_is_gone(detector):
    detector += [[face_at(8.0, 50.0, 16.0)]] * 2
    track = FaceTracker()
    assert [len(track(frame)) for frame in pan(6)][-1] == 0


def test_frames_are_drawn_where_the_tracker_says(monkeypatch, tmp_path):
    """A frame in which the tracker sees nobody comes back itself, also with half the strength."""
    from workbench.core.errors import ImageError
    from workbench.styles import portrait
    from workbench.styles.stylize import get

    given = []

    def draw(network, pixels, base, progress, faces):
        given.append(len(faces))
        if not faces:
            raise ImageError("nobody")
        return pixels + 10

    monkeypatch.setattr(portrait, "draw", draw)
    answers = iter([[face_at(2, 2, 1)], []])
    monkeypatch.setattr(module.FaceTracker, "__call__", lambda self, frame: next(answers))
    frames = [np.zeros((4, 4, 3), np.uint8) for _ in range(2)]
    drawn = get(save_tiny_portrait(tmp_path)).drawer(0.5)(frames)
    assert [int(d.max()) for d in drawn] == [5, 0]
    assert drawn[1] is frames[1]
    assert given == [1, 0]


def test_a_portrait_film_is_not_cut_into_pieces(tmp_path):
    from workbench.service.tasks import FilmOptions
    from workbench.service.video_tasks import split

    options = FilmOptions(style="drawn_portrait")
    assert split((tmp_path / "not_even_opened.mp4",), options) == [options]


@pytest.mark.parametrize("level", [0, 255])
def test_a_blank_frame_has_no_face(detector, level):
    detector.extend([[face_at(110.0, 50.0, 16.0)]] * 6)
    track, shown = FaceTracker(), scene()
    assert [len(track(shown)) for _ in range(6)] == [1] * 6
    assert track(np.full_like(shown, level)) == []  # a plain patch correlates with everything


def test_frames_of_another_size_begin_anew(detector):
    detector.append([face_at(600.0, 300.0, 60.0)])
    track, large = FaceTracker(), scene(height=800, width=1200)
    assert len(track(large)) == 1
    small = cv2.resize(large, (600, 400), interpolation=cv2.INTER_AREA)  # of the same size for the flow
    detector.append([face_at(300.0, 150.0, 30.0)])
    (face,) = track(small)
    assert face.middle[0] == pytest.approx(300, abs=1)

"""Redrawing the people of a picture: faces found, crops blended, styles registered."""

import numpy as np
import pytest
import torch
from PIL import Image
from portraits import face_at
from skimage import data
from stylizers import save_tiny_portrait

from workbench.core.errors import ImageError, UnknownNameError, WeightsError, WorkbenchError
from workbench.drawing import skin
from workbench.models.afgan import Portrayal
from workbench.styles import portrait
from workbench.styles import stylize as stylizer


class Paint(torch.nn.Module):
    """Draws everything in one colour, with a disc about the crop's middle, or everywhere, as its mask."""

    def __init__(self, radius: float = 0.35, color: float = 1.0):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.radius, self.color = radius, color

    def portray(self, x):
        height, width = x.shape[2:]
        y = (torch.arange(height) + 0.5) / height - 0.42
        z = (torch.arange(width) + 0.5) / width - 0.5
        mask = ((y[:, None] ** 2 + z**2).sqrt() < self.radius).float()[None, None]
        drawing = torch.full_like(x, self.color)
        return Portrayal(mask * drawing + (1 - mask) * x, drawing, mask, mask, torch.zeros(1, 2), mask)


def one_face(monkeypatch, *faces):
    monkeypatch.setattr(portrait, "find_faces", lambda pixels: list(faces))
    monkeypatch.setattr(portrait, "keep_tone", lambda drawing, *_: drawing)  # paint is no skin


def test_pixels_outside_the_mask_keep_their_values(monkeypatch):
    photo = np.random.default_rng(0).integers(0, 256, (300, 260, 3), np.uint8)
    one_face(monkeypatch, face_at(130, 120, 30))
    output = portrait.draw(Paint(), photo)
    changed = (output != photo).any(-1)
    rows, columns = np.nonzero(changed)
    assert changed[120:140, 120:140].mean() > 0.95  # white on the face
    assert changed.mean() < 0.4
    assert (output[120:140, 120:140] == 255).all()
    left, top, right, bottom = portrait.crop_box(face_at(130, 120, 30), photo.shape)
    assert rows.min() >= top
    assert rows.max() < bottom
    assert columns.min() >= left
    assert columns.max() < right


def test_a_drawing_fades_out_where_its_crop_ends_within_the_picture(monkeypatch):
    photo = np.zeros((600, 600, 3), np.uint8)
    face = face_at(300, 280, 30)
    one_face(monkeypatch, face)
    output = portrait.draw(Paint(radius=9.0), photo).astype(int)  # a mask that covers all of the crop
    assert np.abs(np.diff(output[280, :, 0])).max() < 25  # 27 pixels from black to white: no step
    assert np.abs(np.diff(output[:, 300, 0])).max() < 25
    assert output[280, 300, 0] == 255
    assert output[0].max() == output[-1].max() == 0


def test_a_drawing_reaches_the_picture_s_own_border(monkeypatch):
    photo = np.zeros((200, 160, 3), np.uint8)
    one_face(monkeypatch, face_at(80, 80, 40))
    output = portrait.draw(Paint(radius=9.0), photo)
    assert (output == 255).all()


def test_two_people_do_not_draw_over_each_other(monkeypatch):
    photo = np.zeros((260, 400, 3), np.uint8)
    faces = face_at(130, 110, 30), face_at(270, 110, 30)
    one_face(monkeypatch, *faces)
    both = portrait.draw(Paint(radius=9.0), photo).astype(int)
    assert both.max() <= 255
    assert both[110, 200, 0] == pytest.approx(255, abs=3)  # halfway each gives half
    one_face(monkeypatch, *faces[::-1])
    np.testing.assert_allclose(portrait.draw(Paint(radius=9.0), photo), both, atol=1)


def test_what_the_network_takes_for_background_is_no_face(monkeypatch):
    photo = np.zeros((200, 200, 3), np.uint8)
    one_face(monkeypatch, face_at(100, 100, 30))
    with pytest.raises(ImageError, match="style for scenes"):
        portrait.draw(Paint(radius=0.0), photo)


def test_without_a_face_the_surroundings_are_all(monkeypatch):
    one_face(monkeypatch)
    photo, base = np.zeros((50, 60, 3), np.uint8), np.full((50, 60, 3), 9, np.uint8)
    np.testing.assert_array_equal(portrait.draw(Paint(), photo, base), base)
    with pytest.raises(ImageError, match="found none"):
        portrait.draw(Paint(), photo)


def test_people_stand_in_the_redrawn_scene(monkeypatch):
    one_face(monkeypatch, face_at(100, 90, 20))
    photo, base = np.zeros((220, 200, 3), np.uint8), np.full((220, 200, 3), 60, np.uint8)
    output = portrait.draw(Paint(), photo, base)
    assert (output[90, 100] == 255).all()
    assert (output[:5] == 60).all()
    assert (output >= 60).all()  # nothing of the photo shows through


def test_the_progress_can_stop_the_work(monkeypatch):
    one_face(monkeypatch, face_at(50, 50, 15))
    seen = []
    portrait.draw(Paint(), np.zeros((100, 100, 3), np.uint8), progress=seen.append)
    assert seen == [1.0]

    def stop(done):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        portrait.draw(Paint(), np.zeros((100, 100, 3), np.uint8), progress=stop)


def test_skin_that_was_drawn_too_pale_gets_the_photo_s_tone():
    photo = np.full((120, 100, 3), (86, 56, 44), np.uint8)
    drawing = np.full((120, 100, 3), (240, 205, 185), np.uint8)
    drawing[40:44, 20:80] = 255  # the white of the eyes
    drawing[:20] = (40, 32, 60)  # hair
    kept = skin.keep_tone(drawing, photo, 50, 42, 30)
    wanted = skin.to_lab(photo)[0, 0]
    np.testing.assert_allclose(skin.to_lab(kept)[60, 50], wanted, atol=1.0)
    assert np.abs(kept[42, 50].astype(int) - 255).max() < 90
    assert np.abs(kept[:20].astype(int) - drawing[:20]).max() <= 2
    far = np.hypot(*np.mgrid[-57:63, -50:50]) > 2.7 * 30
    np.testing.assert_allclose(kept[far], drawing[far], atol=1)


@pytest.fixture
def own_weights(tmp_path):
    return save_tiny_portrait(tmp_path)


def test_a_user_s_own_portrait_weights_are_a_style(own_weights):
    picture = Image.fromarray(np.full((80, 90, 3), 100, np.uint8))
    with pytest.raises(ImageError, match="found none"):
        stylizer.stylize(picture, str(own_weights))
    with pytest.raises(WorkbenchError, match="runtime torch"):
        stylizer.stylize(picture, str(own_weights), runtime="onnx")


def test_portrait_weights_are_not_run_in_tiles(own_weights):
    with pytest.raises(WeightsError, match="work in tiles"):
        stylizer.network_of(str(own_weights))


def test_a_portrait_style_that_is_not_there_is_unknown():
    with pytest.raises(UnknownNameError):
        stylizer.stylize(Image.new("RGB", (20, 20)), "nobody")


def test_the_menu_has_the_drawn_portrait():
    known = stylizer.styles()
    assert known["drawn_portrait"].kind == "portrait"
    assert next(iter(known)) == stylizer.DEFAULT_STYLE
    assert stylizer.get("portrait_and_scene").name == "drawn_portrait"  # as it was called


def test_how_far_a_face_is_exaggerated_can_be_chosen():
    photo = Image.fromarray(data.astronaut()[:220, 120:330])
    plain, default, strong = (
        np.asarray(stylizer.stylize(photo, "drawn_portrait", deform=d), int) for d in (0.0, 0.25, 1.0)
    )
    np.testing.assert_array_equal(np.asarray(stylizer.stylize(photo, "drawn_portrait")), default)
    assert np.abs(strong - plain).mean() > np.abs(default - plain).mean() > 0
    with pytest.raises(WorkbenchError, match="deform"):
        stylizer.stylize(photo, "drawn_portrait", deform=1.5)


def test_a_picture_without_people_is_drawn_as_a_scene():
    photo = Image.fromarray(data.coffee()[:160, :200])
    joint = np.asarray(stylizer.stylize(photo, "drawn_portrait"))
    np.testing.assert_array_equal(joint, np.asarray(stylizer.stylize(photo, "drawn_comic")))

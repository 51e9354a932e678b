"""Pictures and films without colour are drawn without, whoever draws them; a little colour keeps it."""

import functools
import io
import zipfile

import av
import numpy as np
import pytest
from clips import decode, make
from PIL import Image
from stylizers import save_tiny, save_tiny_portrait

from workbench import cli
from workbench.core.pixels import as_gray, is_gray
from workbench.models import load
from workbench.service import video_tasks
from workbench.service.engines.worker import Context
from workbench.service.folder_tasks import stylize_pictures
from workbench.service.picture_tasks import stylize_picture
from workbench.service.tasks import TASKS, FrameOptions
from workbench.styles import tiling
from workbench.styles.stylize import get, styles, stylize
from workbench.styles.video import is_gray_film, stylize_video

KEEPS = [name for name, style in styles().items() if style.kind in ("network", "drawing", "portrait")]


def scene(width=96, height=64, noise=0, seed=0):
    """A gray scene: a dark disc and a bar on a slope of light, (H, W, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    light = 60.0 + 150 * x / width - 50 * ((x - width / 3) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2)
    light[:, width * 3 // 4 : width * 3 // 4 + 4] = 20
    picture = np.repeat(light[..., None], 3, axis=2)
    picture += np.random.default_rng(seed).normal(0, noise, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def with_red(width=96, height=64):
    """The scene with a red thing, a hundredth of its height and width."""
    picture = scene(width, height)
    picture[10 : 10 + max(1, height // 50), 20 : 20 + max(1, width // 50)] = 210, 30, 30
    return picture


def spread(pixels):
    """Largest difference of R, G and B within a pixel."""
    return int((pixels.max(-1).astype(int) - pixels.min(-1)).max())


def as_jpeg(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.mark.parametrize("quality", [30, 75, 95])
def test_noise_of_sensor_and_jpeg_is_no_colour_but_a_tint_is(quality):
    gray = scene(480, 320, noise=3)
    assert is_gray(gray)
    assert is_gray(as_jpeg(gray, quality))
    assert not is_gray(as_jpeg(np.clip(gray + np.array([8, 0, -8]), 0, 255).astype(np.uint8), quality))


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (300, 2), (1000, 667), (65, 64)])
def test_any_size_and_one_red_thing(size):
    gray = scene(*size)
    assert is_gray(gray)
    gray[0, 0] = 255, 0, 0
    assert is_gray(gray) == (size == (1000, 667))  # there a pixel is 1 of 109
    assert not is_gray(with_red(1000, 667))


def test_as_gray_keeps_gray_values():
    levels = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert (as_gray(levels) == levels).all()
    assert as_gray(np.full((1, 1, 3), (255, 0, 0), np.uint8)).tolist() == [[[76, 76, 76]]]


@pytest.mark.parametrize("name", KEEPS)
def test_gray_stays_gray_in_every_style_that_keeps_colours(name):
    style = get(name)
    assert style.keeps_gray
    for photo in (scene(), as_jpeg(scene(noise=2), 90)):
        drawn = style.draw(photo, preserve_color=0.5)
        assert spread(drawn) == 0
        assert (drawn != photo).any()
    assert spread(style.draw(with_red())) > 0


def test_filters_may_tint():
    warm = get("colormatrix_warm")
    assert not warm.keeps_gray
    assert spread(warm.draw(scene())) > 10


def test_tiles_are_those_of_the_whole_picture(tmp_path, monkeypatch):
    path = save_tiny(tmp_path)
    photo = scene(200, 150)
    photo[:, :100] = as_jpeg(scene(100, 150, noise=2), 90)  # noise of colour in one part, none in another
    network = load(path)[0]
    whole = tiling.run_tiled(network, photo)
    assert spread(whole) > 0
    drawn = get(path).draw(photo)
    assert (drawn == as_gray(whole)).all()
    red = with_red(200, 150)
    kept = tiling.run_tiled(network, red)
    monkeypatch.setattr(tiling, "run_tiled", functools.partial(tiling.run_tiled, tile=64))
    assert (get(path).draw(photo) == drawn).all()
    assert (get(path).draw(red) == kept).all()


def test_a_portrait_style_leaves_what_surrounds_the_people(tmp_path):
    style = get(save_tiny_portrait(tmp_path))
    photo = scene(noise=2)
    drawing = photo.copy()
    drawing[:32] = 200, 100, 50
    kept = style.without_color(photo, drawing)
    assert (kept[32:] == photo[32:]).all()
    assert (kept[:32] == as_gray(drawing[:32])).all()


def test_page_folder_and_command_line(tmp_path):
    own, out = save_tiny(tmp_path), tmp_path / "out"
    out.mkdir()
    Image.fromarray(as_jpeg(scene(noise=2), 90)).save(tmp_path / "gray.png")
    Image.fromarray(with_red()).save(tmp_path / "red.png")
    for name, colours in (("gray", False), ("red", True)):
        options = TASKS["stylize_picture"].check({"style": "fsgan_anime"})
        stylize_picture((tmp_path / f"{name}.png",), options, Context(out))
        assert (spread(np.asarray(Image.open(out / "picture.png"))) > 0) == colours
        target = tmp_path / f"{name}_drawn.png"
        with pytest.raises(SystemExit, match="0"):
            cli.main(["stylize", str(tmp_path / f"{name}.png"), str(target), "--style", str(own)])
        assert (spread(np.asarray(Image.open(target))) > 0) == colours
    files = (tmp_path / "gray.png", tmp_path / "red.png")
    options = TASKS["stylize_pictures"].check({"style": "fsgan_anime", "names": [f.name for f in files]})
    stylize_pictures(files, options, Context(out))
    with zipfile.ZipFile(out / "drawings.zip") as archive:
        spreads = [spread(np.asarray(Image.open(archive.open(f"{n}.png")))) for n in ("gray", "red")]
    assert spreads[0] == 0 < spreads[1]


def film(path, frames, coloured=(), dark=()):
    """A clip of the scene: frames in ``coloured`` are blue at a side, those in ``dark`` hardly lit."""

    def picture(number, width, height):
        pixels = scene(width, height, seed=number)
        if number in coloured:
            pixels[:, : width // 4] = 40, 60, 220
        return pixels // 4 if number in dark else pixels

    return make(path, frames, (96, 64), picture=picture, options={"crf": "12", "g": "12"})


def test_a_gray_film_stays_gray_through_its_dark_frames(tmp_path):
    source = film(tmp_path / "a.mp4", 30, dark=range(8))
    assert is_gray_film(source)
    style = save_tiny(tmp_path)
    result = stylize_video(source, tmp_path / "out.mp4", style, temporal=0)
    assert max(spread(frame) for frame in decode(result.path)[1]) <= 4  # of H.264's rounding
    coloured = tiling.run_tiled(load(style)[0], scene())
    assert spread(coloured) > 4  # what it would be


def test_a_dark_frame_of_a_coloured_film_is_drawn_as_ever(tmp_path):
    source = film(tmp_path / "a.mp4", 30, coloured=range(10, 30), dark=range(10))
    assert not is_gray_film(source)
    style = save_tiny(tmp_path)
    result = stylize_video(source, tmp_path / "out.mp4", style, temporal=0)
    frames = decode(result.path)[1]
    dark = get(style).drawer()([scene() // 4])[0]
    assert spread(dark) > 4
    assert np.abs(frames[0].mean((0, 1)) - dark.mean((0, 1))).max() < 5  # what H.264 leaves of dark colours
    assert np.ptp(frames[0].mean((0, 1))) > 2
    out = tmp_path / "frame"
    out.mkdir()
    video_tasks.preview((source,), FrameOptions(style="fsgan_anime", at=0.0), Context(out))
    assert spread(np.asarray(Image.open(out / "after.jpg"))) > 1  # 0 of what is gray


def test_a_gray_scene_of_a_coloured_film_is_drawn_without_colour(tmp_path):
    source = film(tmp_path / "a.mp4", 30, coloured=range(10), dark=range(20, 30))
    assert not is_gray_film(source)
    style = save_tiny(tmp_path)
    frames = decode(stylize_video(source, tmp_path / "out.mp4", style, temporal=0).path)[1]
    spreads = [np.ptp(frame.mean((0, 1))) for frame in frames]
    assert max(spreads[11:19]) < 1  # lit and gray, of H.264's rounding
    assert min(spreads[:9]) > 2
    assert min(spreads[21:]) > 2  # dark, which says nothing


@pytest.mark.parametrize(
    ("tint", "light", "share"),
    [(0, 160, 0), (6, 160, 0), (9, 160, 0.5), (12, 160, 1), (0, 64, 1), (0, 96, 0.5), (9, 80, 0.75)],
)
def test_a_frame_keeps_a_share_of_colour_between_gray_and_coloured_and_between_lit_and_dark(
    tmp_path, tint, light, share
):
    frame = np.full((64, 64, 3), light, np.uint8)
    frame[:32, :, 2] -= tint  # luma stays that of the other half, as the lightest part
    path = save_tiny(tmp_path)
    drawing = tiling.run_tiled(load(path)[0], frame).astype(float)
    plain = as_gray(drawing.astype(np.uint8))
    drawn = get(path).drawer()([frame])[0]
    assert np.abs(drawn - (share * drawing + (1 - share) * plain)).max() <= 1  # of rounding


def test_films_that_say_nothing_are_not_gray(tmp_path):
    assert not is_gray_film(film(tmp_path / "dark.mp4", 20, dark=range(20)))
    assert not is_gray_film(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no film")
    assert not is_gray_film(tmp_path / "text.mp4")


def test_a_long_film_is_sampled_by_seeking_and_colour_that_was_missed_is_kept(tmp_path):
    source = film(tmp_path / "a.mp4", 300)
    assert is_gray_film(source)
    assert not is_gray_film(film(tmp_path / "b.mp4", 300, coloured=range(200, 240)))
    with av.open(str(source)) as file:
        assert file.streams.video[0].frames > 240
    style = get(save_tiny(tmp_path))
    coloured = scene()
    coloured[:, :24] = 40, 60, 220
    gray, kept = style.drawer(gray=True)([scene(), coloured])
    assert spread(gray) == 0
    assert (kept == style.drawer()([coloured])[0]).all()


def test_the_strength_blends_the_gray_drawing():
    photo = scene()
    half = np.asarray(stylize(Image.fromarray(photo), "fsgan_anime", 0.5))
    assert spread(half) == 0

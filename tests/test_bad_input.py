"""The corpus of odd and bad pictures and clips: each handled right, or refused in one line."""

import re
from fractions import Fraction

import numpy as np
import pytest
from clips import decode, read_counter
from corpus import PICTURES
from corpus_clips import CLIPS

from workbench.core.errors import ImageError, VideoError
from workbench.data.images import read_image
from workbench.styles.video import probe, stylize_video

NEGATIVE = "colormatrix_negative"


def test_the_corpus_is_large_and_half_of_it_is_odd_but_good():
    assert len(PICTURES) + len(CLIPS) >= 150
    refused = sum(bool(case.words) for case in [*PICTURES.values(), *CLIPS.values()])
    assert refused >= 60


def refused_in_one_line(work, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as refusal:
        work()
    message = str(refusal.value)
    assert re.search(words, message), message
    assert message.isprintable()  # one line, and nothing that a terminal would obey
    assert len(message) < 700


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore:Corrupt EXIF data")
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_read_right_or_refused(tmp_path, name):
    case = PICTURES[name]
    path = case.make(tmp_path / name)
    if case.expected is None:
        refused_in_one_line(lambda: read_image(path), ImageError, case.words)
        return
    image, expected = read_image(path), case.expected()
    assert image.mode == "RGB"
    assert image.info == {}
    pixels = np.asarray(image)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() <= case.near


@pytest.mark.parametrize("name", CLIPS)
def test_a_clip_is_redrawn_right_or_refused(tmp_path, capfd, name):
    """Size, number of frames, their order, their times, sound; and nothing besides the result is left."""
    case = CLIPS[name]
    (tmp_path / "in").mkdir()
    path, target = case.make(tmp_path / "in" / name), tmp_path / "out" / "a.mp4"
    capfd.readouterr()
    if case.words:
        for work in (lambda: probe(path), lambda: stylize_video(path, target, NEGATIVE)):
            refused_in_one_line(work, VideoError, case.words)
            assert not target.parent.exists() or not list(target.parent.iterdir())
        assert capfd.readouterr() == ("", "")  # nor does FFmpeg chatter
        return
    result = stylize_video(path, target, NEGATIVE)
    times, frames = decode(target)
    assert [p.name for p in target.parent.iterdir()] == ["a.mp4"]
    data = target.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays before it has arrived whole
    assert result.frames == len(frames)
    shown = [read_counter(255 - frame) for frame in frames]
    if case.damaged:
        assert result.frames >= case.frames
        assert shown == sorted(set(shown))
        return
    assert result.damaged == 0
    assert result.frames == case.frames
    if not case.turned:
        assert shown == list(range(case.frames)) or name == "growing.ts"
    info = probe(target)
    assert (info.width, info.height) == (result.width, result.height) == case.size
    assert (info.codec, info.pixel_format.removeprefix("yuvj")) in (("h264", "yuv420p"), ("h264", "420p"))
    assert info.rotation == 0
    assert (info.audio_codec is not None) == case.sound
    assert times == sorted(set(times))
    expected = case.times if case.times is not None else [Fraction(i, 25) for i in range(case.frames)]
    assert not expected or [time - times[0] for time in times] == list(expected)
    assert times[0] <= Fraction(1, 10)

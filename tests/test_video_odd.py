"""Films as broadcasts, cameras and editors leave them: what comes out is right, or said in one line."""

from fractions import Fraction

import av
import numpy as np
import pytest
from clips import decode, make, read_counter
from PIL import Image

from workbench.core.errors import VideoError
from workbench.service.video_tasks import frame_at
from workbench.styles.video import stylize_video
from workbench.styles.video.reading import reading


def redrawn(source, target):
    return stylize_video(source, target, "affine_tilt", strength=0)


def half_black(number, width, height):
    """Opaque black on the left, wholly transparent black on the right."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[:, : width // 2, 3] = 255
    return pixels


@pytest.mark.parametrize("codec", ["libvpx-vp9", "libvpx"])
def test_transparency_of_webm_is_laid_on_white(tmp_path, codec):
    source = make(
        tmp_path / "a.webm",
        3,
        codec=codec,
        pix_fmt="yuva420p",
        picture=half_black,
        source="rgba",
        options={"auto-alt-ref": "0"},
    )
    redrawn(source, tmp_path / "b.mp4")
    times, frames = decode(tmp_path / "b.mp4")
    assert len(times) == 3
    assert frames[1][:, :28].max() < 8
    assert frames[1][:, 36:].min() > 247


def two_fields(number, width, height):
    """Even rows show a bar, odd ones where it is half a frame later."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for field in (0, 1):
        left = 8 * number + 4 * field
        pixels[field::2, left : left + 12] = 255
    return pixels


def test_interlaced_films_show_no_combs(tmp_path):
    options = {"flags": "+ilme+ildct", "x264-params": "tff=1", "qp": "0"}
    source = make(tmp_path / "a.mp4", 6, picture=two_fields, options=options)
    with av.open(str(source)) as file:
        stored = list(file.decode(video=0))
    assert stored[0].interlaced_frame
    with reading(source) as reader:
        frames = list(reader)
    assert [frame.pts * reader.layout.time_base for frame in frames] == [Fraction(i, 25) for i in range(6)]

    def combs(pixels):
        rows = pixels[..., 1].astype(int)
        return np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean()

    for before, after in zip(stored, frames, strict=True):
        assert combs(after.pixels) < combs(before.to_ndarray(format="rgb24")) / 4


@pytest.mark.parametrize(("codec", "container"), [("ac3", "mp4"), ("eac3", "mp4"), ("alac", "mp4")])
def test_sound_that_browsers_do_not_play_is_encoded_again_and_said_so(tmp_path, codec, container):
    source = make(tmp_path / f"a.{container}", 25, audio=codec)
    done = redrawn(source, tmp_path / "b.mp4")
    assert done.audio == f"encoded again as AAC, as browsers play no {codec} in MP4"
    with av.open(str(tmp_path / "b.mp4")) as file:
        sound = file.streams.audio[0]
        assert sound.codec_context.name == "aac"
        samples = np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])
    share = np.abs(np.fft.rfft(samples[4000:20000]))
    assert abs(np.argmax(share) * sound.rate / 16000 - 440) < 5


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_avi_with_b_frames_starts_with_its_sound(tmp_path, codec):
    source = make(tmp_path / "a.avi", 12, codec=codec, options={"bf": "2"}, audio="libmp3lame")
    redrawn(source, tmp_path / "b.mp4")
    times, frames = decode(tmp_path / "b.mp4")
    assert times == [Fraction(i, 25) for i in range(12)]
    assert [read_counter(frame) for frame in frames] == list(range(12))


def test_what_is_left_out_is_said(tmp_path):
    source = make(tmp_path / "a.mkv", 12, audio="aac")
    copy = tmp_path / "two.mkv"
    with av.open(str(source)) as one, av.open(str(source)) as two, av.open(str(copy), "w") as out:
        pairs = [(one, one.streams.video[0]), (one, one.streams.audio[0]), (two, two.streams.audio[0])]
        outputs = [out.add_stream_from_template(stream) for _, stream in pairs]
        for (file, stream), output in zip(pairs, outputs, strict=True):
            file.seek(0)
            for packet in file.demux(stream):
                if packet.size:
                    packet.stream = output
                    out.mux(packet)
    assert redrawn(copy, tmp_path / "b.mp4").audio == "copied (aac); left out: 1 other sound"


def test_surround_sound_that_is_mixed_down_is_said(tmp_path):
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as file:
        video = file.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = file.add_stream("ac3", rate=48_000, layout="5.1")
        frame = av.AudioFrame.from_ndarray(np.zeros((6, 1536), np.float32), "fltp", "5.1")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
        for packets in (
            video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")),
            video.encode(None),
            sound.encode(frame),
            sound.encode(None),
        ):
            file.mux(packets)
    audio = redrawn(source, tmp_path / "b.mp4").audio
    assert audio.startswith(
        "encoded again as AAC, as browsers play no ac3 in MP4, mixed down to stereo from 5.1"
    )


@pytest.mark.parametrize("range_", [1, 2])
def test_fine_colours_come_through(tmp_path, range_):
    def patches(number, width, height):
        rng = np.random.default_rng(0)
        return rng.integers(16, 240, (height // 16, width // 16, 3), np.uint8).repeat(16, 0).repeat(16, 1)

    source = make(tmp_path / "a.mp4", 2, picture=patches, colours=(1, range_), options={"qp": "0"})
    with reading(source) as reader:
        pixels = next(iter(reader)).pixels.astype(int)
    off = (pixels - patches(0, 64, 48))[4:44:16, 4:60:16]
    assert np.abs(off).mean() < 2
    assert np.abs(off.mean((0, 1))).max() < 2  # no tint that could be seen


def test_an_animated_webp_is_refused_by_name(tmp_path):
    first, second = (Image.new("RGB", (64, 48), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.webp", save_all=True, append_images=[second], duration=100)
    with pytest.raises(VideoError, match=r"a\.webp is an animated WebP, .* Save it as GIF or MP4"):
        redrawn(tmp_path / "a.webp", tmp_path / "b.mp4")


def test_an_animated_avif_is_a_film_and_not_the_still_before_it(tmp_path):
    first, second = (Image.new("RGB", (64, 48), colour) for colour in ("black", "white"))
    first.save(tmp_path / "a.avif", save_all=True, append_images=[second], duration=100)
    redrawn(tmp_path / "a.avif", tmp_path / "b.mp4")
    _, frames = decode(tmp_path / "b.mp4")
    assert [round(float(frame.mean()) / 255) for frame in frames] == [0, 1]


def test_a_gif_whose_first_frame_is_empty_is_white_there(tmp_path):
    empty, full = Image.new("RGBA", (64, 48)), Image.new("RGBA", (64, 48), (250, 0, 0, 255))
    empty.save(tmp_path / "a.gif", save_all=True, append_images=[full], duration=100, disposal=2)
    redrawn(tmp_path / "a.gif", tmp_path / "b.mp4")
    frames = decode(tmp_path / "b.mp4")[1]
    assert len(frames) == 2
    assert frames[0].min() > 247
    assert np.abs(frames[1].mean((0, 1)) - (250, 0, 0)).max() < 6


@pytest.mark.parametrize(
    ("ending", "codec", "options"),
    [
        ("ts", "libx264", {}),
        ("ts", "mpeg2video", {"bf": "2"}),
        ("mpg", "mpeg2video", {"bf": "2"}),
        ("avi", "mpeg4", {"bf": "2"}),
        ("avi", "mjpeg", {}),
        ("mkv", "libx264", {}),
        ("mp4", "libx264", {}),
    ],
)
def test_the_frame_at_a_time_is_the_right_one(tmp_path, ending, codec, options):
    """Seeking in MPEG-TS goes beyond what was asked for, and gives AVI's frames other times."""
    colours = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    film = make(tmp_path / f"film.{ending}", 60, codec=codec, pix_fmt=colours, options=options)
    wanted = [0, 1, 5, 11, 25, 40, 59]
    assert [read_counter(frame_at(film, number / 25)) for number in wanted] == wanted
    assert read_counter(frame_at(film, 9.0)) == 59  # after the end, the last one

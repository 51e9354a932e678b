"""Redrawing clips: colours, orientation, sound, limits, progress, and that nothing half-done is ever left."""

import struct
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from clips import decode, make, packets, read_counter
from stylizers import save_tiny

from workbench import cli
from workbench.core.errors import CancelledError, UnknownNameError, VideoError, WorkbenchError
from workbench.styles.video import VideoLimits, probe, stylize_video
from workbench.styles.video.writing import Mp4

NEGATIVE = "colormatrix_negative"


def redraw(source, target=None, **options):
    """The result, and the frames as they were before the negative."""
    target = target or source.with_name("out.mp4")
    result = stylize_video(source, target, options.pop("style", NEGATIVE), **options)
    times, frames = decode(result.path)
    return result, times, [255 - f for f in frames]


def left_behind(folder, *expected):
    return sorted(p.name for p in folder.iterdir() if p.name not in expected)


def rgba(number, width, height):
    """Red where opaque, on the right half black but wholly transparent."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[:, : width // 2] = 220, 20, 20, 255
    return pixels


def test_sound_is_copied_byte_for_byte_and_in_sync(tmp_path):
    kinds = {"a.mp4": "aac", "b.webm": "libopus", "c.mkv": "libmp3lame", "d.mkv": "flac"}
    for name, codec in kinds.items():
        video = "libvpx-vp9" if name == "b.webm" else "libx264"
        source = make(tmp_path / name, 30, codec=video, audio=codec)
        result, _, _ = redraw(source)
        before, after = packets(source), packets(result.path)
        assert [data for _, data in after] == [data for _, data in before]
        assert len(before) > 10
        gaps = [float(b[0] - a[0]) for a, b in zip(before, after, strict=True)]
        assert max(map(abs, gaps)) < 0.0015  # Matroska's clock has ticks of 1 ms
        assert result.audio.startswith("copied")


def test_sound_that_mp4_cannot_hold_is_encoded_again_and_said_so(tmp_path):
    source = make(tmp_path / "a.mov", 30, audio="pcm_s16le")
    result, _, _ = redraw(source)
    assert result.audio == "encoded again as AAC, as browsers play no pcm_s16le in MP4"
    with av.open(str(result.path)) as file:
        wave = np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])
    assert len(wave) == pytest.approx(1.2 * 48_000, abs=2100)
    middle = wave[12_000:36_000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(8000 / 32768 / np.sqrt(2), rel=0.05)
    assert np.abs(np.fft.rfft(middle)).argmax() == 220  # 440 Hz in half a second


def test_picture_and_sound_stay_together_where_a_broadcast_starts_late(tmp_path):
    source = make(tmp_path / "a.ts", 30, codec="mpeg2video", audio="aac")
    gap = decode(source)[0][0] - packets(source)[0][0]
    result, times, _ = redraw(source)
    assert float(times[0] - packets(result.path)[0][0]) == pytest.approx(float(gap), abs=1e-4)
    assert times[0] < 1


CORNERS = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220), "white": (235, 235, 235)}


def corners(number, width, height):
    """Red top left, green top right, blue bottom left, white bottom right."""
    pixels = np.zeros((height, width, 3), np.uint8)
    halves = (
        slice(None, height // 2),
        slice(height // 2, None),
        slice(None, width // 2),
        slice(width // 2, None),
    )
    top, bottom, left, right = halves
    for place, colour in zip(
        ((top, left), (top, right), (bottom, left), (bottom, right)), CORNERS, strict=True
    ):
        pixels[place] = CORNERS[colour]
    return pixels


def corner_names(frame):
    height, width = frame.shape[:2]
    spots = [frame[y, x] for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return [min(CORNERS, key=lambda n: np.abs(np.int16(CORNERS[n]) - s).sum()) for s in spots]


@pytest.mark.parametrize(
    ("turn", "mirrored", "names"),
    [  # top left, top right, bottom left, bottom right, as a player shows it
        (0, False, ["red", "green", "blue", "white"]),
        (90, False, ["green", "white", "red", "blue"]),
        (180, False, ["white", "blue", "green", "red"]),
        (-90, False, ["blue", "red", "white", "green"]),
        (0, True, ["green", "red", "white", "blue"]),
    ],
)
def test_rotated_clips_become_upright(tmp_path, turn, mirrored, names):
    source = make(tmp_path / "a.mp4", picture=corners, rotate=turn, hflip=mirrored, aspect=Fraction(4, 3))
    result, _, frames = redraw(source)
    assert corner_names(frames[0]) == names
    turned = turn % 180 != 0
    assert frames[0].shape == ((64, 48, 3) if turned else (48, 64, 3))
    info, before = probe(result.path), probe(source)
    assert info.rotation == 0
    assert (
        info.sample_aspect_ratio
        == before.sample_aspect_ratio
        == (Fraction(3, 4) if turned else Fraction(4, 3))
    )
    assert (before.width, before.height) == (info.width, info.height)
    if not mirrored:
        assert before.rotation == turn % 360


def test_a_phones_matrix_turns_clockwise(tmp_path):
    """Written by hand into the header as phones do: (x, y) goes to (-y, x)."""
    source = make(tmp_path / "a.mp4", picture=corners)
    data = bytearray(source.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    data[place : place + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    source.write_bytes(data)
    assert corner_names(redraw(source)[2][0]) == ["blue", "red", "white", "green"]


@pytest.mark.parametrize(("space", "range_"), [(1, 1), (1, 2), (5, 1), (5, 2), (9, 1), (2, 2)])
def test_colours_matrix_and_range_are_kept(tmp_path, space, range_):
    source = make(tmp_path / "a.mp4", picture=corners, colours=(space, range_))
    result = stylize_video(source, tmp_path / "out.mp4", NEGATIVE, strength=0)
    with av.open(str(result.path)) as file:
        frame = next(file.decode(video=0))
        assert frame.color_range == range_
        assert frame.colorspace == {5: 6, 2: 6}.get(space, space)
        matrix = {2: 5}.get(space, space)
        rgb = frame.reformat(
            format="rgb24", src_colorspace=matrix, src_color_range=range_, dst_color_range=2
        ).to_ndarray()
    for (y, x), colour in zip(((12, 16), (12, 48), (36, 16), (36, 48)), CORNERS.values(), strict=True):
        assert np.abs(rgb[y, x] - np.int16(colour)).max() <= 6


def pq(nits):
    """SMPTE ST 2084: share of the code range for an absolute brightness."""
    x = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * x) / (1 + 18.6875 * x)) ** 78.84375


NITS = (0, 1, 10, 100, 203, 1000, 4000, 10_000)


def steps_of_light(number, width, height):
    """Columns of grey from black to the brightest that PQ knows, in 16 bits."""
    codes = np.round(65_535 * np.array([pq(n) for n in NITS])).astype(np.uint16)
    columns = np.repeat(codes, width // len(NITS))
    return np.broadcast_to(columns[None, :, None], (height, width, 3)).copy()


def test_hdr_is_tone_mapped_and_says_so(tmp_path):
    """PQ at half its size; the corpus has HLG."""
    tags = {"color_trc": "smpte2084", "color_primaries": "bt2020", "crf": "1"}
    kind = {"pix_fmt": "yuv420p10le", "colours": (9, 1), "picture": steps_of_light, "source": "rgb48le"}
    source = make(tmp_path / "a.mp4", 2, size=(512, 96), options=tags, **kind)
    result = stylize_video(source, tmp_path / "out.mp4", NEGATIVE, strength=0, scale=0.5)
    assert (result.width, result.height) == (256, 48)
    with av.open(str(result.path)) as file:
        frame = next(file.decode(video=0))
        assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1)
        assert frame.format.name == "yuv420p"
        shown = frame.reformat(format="rgb24", src_colorspace=1).to_ndarray()[24, 16::32].astype(int)
    assert np.ptp(shown, axis=1).max() <= 4  # grey stays grey
    levels = shown.mean(1)
    assert levels[0] <= 3
    assert levels[-1] >= 245
    assert (np.diff(levels) > 2).all()  # no light is clipped
    plain = 255 * np.array([pq(n) for n in NITS])
    assert levels[2] < plain[2] - 10  # what is dim is shown dim, where its code taken as it is would glow


def test_transparent_pixels_are_laid_on_white(tmp_path):
    source = make(tmp_path / "a.mov", codec="qtrle", pix_fmt="argb", picture=rgba, source="rgba")
    result = stylize_video(source, tmp_path / "out.mp4", NEGATIVE, strength=0)
    frame = decode(result.path)[1][0]
    assert np.abs(frame[24, 16] - np.int16([220, 20, 20])).max() <= 5
    assert frame[24, 48].min() >= 250


def test_odd_sides_repeat_their_last_row_and_column(tmp_path):
    source = make(tmp_path / "a.mkv", size=(63, 47), codec="ffv1", pix_fmt="yuv444p")
    result, _, frames = redraw(source)
    assert (result.width, result.height) == (64, 48)
    assert np.abs(np.int16(frames[5][-1]) - frames[5][-2]).max() <= 6


def test_scale(tmp_path):
    source = make(tmp_path / "a.mp4", size=(64, 48))
    for scale, size in ((0.5, (32, 24)), (0.3, (20, 14)), (2, (128, 96)), (0.001, (2, 2))):
        result, _, frames = redraw(source, scale=scale)
        assert (result.width, result.height) == size
        if size[0] > 8:
            assert [read_counter(f) for f in frames] == list(range(6))


def truncated(data):
    return data[: len(data) // 2]


def zeroed(data):
    middle = len(data) // 2
    return data[: middle - 600] + bytes(1200) + data[middle + 600 :]


def test_a_clip_cut_off_in_the_middle_keeps_what_is_there(tmp_path):
    source = make(tmp_path / "a.mkv", 60, codec="mjpeg", pix_fmt="yuvj420p", audio="aac")
    source.write_bytes(truncated(source.read_bytes()))
    result, _, frames = redraw(source)
    assert 10 < result.frames < 59
    assert [read_counter(f) for f in frames] == list(range(result.frames))


def test_a_clip_damaged_in_the_middle_goes_on_behind_it(tmp_path):
    source = make(tmp_path / "a.avi", 60, codec="mjpeg", pix_fmt="yuvj420p")
    source.write_bytes(zeroed(source.read_bytes()))
    result, _, frames = redraw(source)
    shown = [read_counter(f) for f in frames]
    assert 50 <= result.frames < 60
    assert result.damaged >= 1
    assert shown[:16] == list(range(16))
    assert shown[-10:] == list(range(50, 60))


def test_a_change_of_size_in_the_middle(tmp_path):
    first, second = make(tmp_path / "a.ts"), make(tmp_path / "b.ts", size=(96, 64), pts=range(6, 12))
    source = tmp_path / "c.ts"
    source.write_bytes(first.read_bytes() + second.read_bytes())
    _, _, frames = redraw(source)
    assert {f.shape for f in frames} == {(48, 64, 3)}
    assert [read_counter(f) for f in frames] == [0, 1, 2, 3, 4, 5] * 2


@pytest.mark.slow
def test_a_film_in_5k_is_drawn_as_large_as_it_is(tmp_path):
    source = make(tmp_path / "a.mp4", 2, size=(5312, 2988))
    made = stylize_video(source, tmp_path / "o.mp4", NEGATIVE)
    assert (made.width, made.height, made.frames) == (5312, 2988, 2)
    found = probe(tmp_path / "o.mp4")
    assert (found.width, found.height, found.frames) == (5312, 2988, 2)


def test_limits_hold_before_and_while_decoding(tmp_path):
    source = make(tmp_path / "a.mp4", 30)
    for limits, words in (
        (VideoLimits(max_pixels=64 * 48 - 1), "pixels a frame but a.mp4 has 64×48.* --max-pixels 3072"),
        (VideoLimits(max_frames=29), "at most 29 frames but a.mp4 has 30.* --max-frames 30"),
        (VideoLimits(max_seconds=1), "at most 1 seconds.* --max-seconds 2"),
    ):
        for work in (probe, lambda p, limits: stylize_video(p, tmp_path / "o.mp4", NEGATIVE, limits=limits)):
            with pytest.raises(VideoError, match=words):
                work(source, limits=limits)
    exact = VideoLimits(64 * 48, 30, 1.2)
    assert stylize_video(source, tmp_path / "o.mp4", NEGATIVE, limits=exact).frames == 30
    liar = make(tmp_path / "a.ts", 30, codec="mpeg2video")  # counts no frames in a header
    with pytest.raises(VideoError, match=r"29 frames .* goes on"):
        stylize_video(liar, tmp_path / "o2.mp4", NEGATIVE, limits=VideoLimits(max_frames=29))
    small, large = make(tmp_path / "s.ts"), make(tmp_path / "l.ts", size=(96, 64), pts=range(6, 12))
    (tmp_path / "grows.ts").write_bytes(small.read_bytes() + large.read_bytes())
    few = VideoLimits(max_pixels=4000)
    grown = stylize_video(tmp_path / "grows.ts", tmp_path / "o3.mp4", NEGATIVE, limits=few)
    assert (grown.frames, grown.damaged) == (6, 6)  # larger ones are never decoded
    assert not (tmp_path / "o2.mp4").exists()


def test_frames_are_limited_as_they_are_decoded_and_as_they_are_drawn(tmp_path):
    source, target = make(tmp_path / "a.mp4"), tmp_path / "o.mp4"
    with pytest.raises(VideoError, match=r"a.mp4 has 64×48.* --max-pixels 3072"):  # whatever the scale
        stylize_video(source, target, NEGATIVE, limits=VideoLimits(max_pixels=3071), scale=0.25)
    with pytest.raises(VideoError, match=r"a.mp4 would be drawn at 96×72. Choose a smaller scale.* 6912"):
        stylize_video(source, target, NEGATIVE, limits=VideoLimits(max_pixels=3072), scale=1.5)
    assert not target.exists()
    small = stylize_video(source, target, NEGATIVE, limits=VideoLimits(max_pixels=3072), scale=0.25)
    large = stylize_video(source, target, NEGATIVE, limits=VideoLimits(max_pixels=6912), scale=1.5)
    assert (small.width, small.height, large.width, large.height) == (16, 12, 96, 72)
    wide = make(tmp_path / "wide.mkv", 2, size=(16386, 4), codec="ffv1")
    with pytest.raises(
        VideoError, match=r"sides of at most 16,384 pixels.* wide.mkv would be drawn at 16386×4"
    ):
        stylize_video(wide, target, NEGATIVE)
    assert stylize_video(wide, target, NEGATIVE, scale=0.5).width == 8192
    odd = make(tmp_path / "odd.mp4", size=(63, 47), pix_fmt="yuv444p")  # coded as 64×48
    with pytest.raises(VideoError, match="would be drawn at 64×48"):  # or the drawing could not be opened
        stylize_video(odd, target, NEGATIVE, limits=VideoLimits(max_pixels=63 * 47))
    for size in ((62, 46), (20, 50)):
        source = make(tmp_path / "exact.mp4", size=size)
        exact = stylize_video(source, target, NEGATIVE, limits=VideoLimits(max_pixels=size[0] * size[1]))
        assert (exact.width, exact.height, exact.frames) == (*size, 6)


def test_the_target_is_checked_before_any_work(tmp_path):
    source = make(tmp_path / "a.mp4")
    data = source.read_bytes()
    (tmp_path / "link.mp4").symlink_to(source)
    (tmp_path / "folder.mp4").mkdir()
    for target, words in (
        ("out.avi", "ending in .mp4"),
        ("out", "ending in .mp4"),
        ("a.mp4", "input video itself"),
        ("link.mp4", "input video itself"),
        ("folder.mp4", "is a folder"),
        ("a.mp4/out.mp4", "cannot be written"),
    ):
        with pytest.raises(VideoError, match=words):
            stylize_video(source, tmp_path / target, NEGATIVE)
    assert source.read_bytes() == data
    assert left_behind(tmp_path) == ["a.mp4", "folder.mp4", "link.mp4"]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"style": "van_gogh"}, UnknownNameError, "van_gogh"),
        ({"strength": 2}, WorkbenchError, "strength"),
        ({"scale": 0}, WorkbenchError, "scale"),
        ({"scale": float("nan")}, WorkbenchError, "scale"),
        ({"scale": 5}, WorkbenchError, "scale"),
        ({"temporal": 1}, WorkbenchError, "temporal"),
        ({"temporal": -0.1}, WorkbenchError, "temporal"),
        ({"batch": 0}, WorkbenchError, "batch"),
        ({"runtime": "tpu"}, UnknownNameError, "tpu"),
        ({"runtime": "onnx"}, WorkbenchError, "is a filter"),
    ],
)
def test_settings_are_checked_before_any_work(tmp_path, options, error, words):
    source = make(tmp_path / "a.mp4")
    with pytest.raises(error, match=words):
        stylize_video(source, tmp_path / "out.mp4", **{"style": NEGATIVE} | options)
    assert left_behind(tmp_path) == ["a.mp4"]


def test_cancelling_leaves_nothing_and_keeps_the_old_file(tmp_path):
    source = make(tmp_path / "a.mp4", 30, audio="aac")
    old = tmp_path / "out.mp4"
    old.write_bytes(b"old")
    for after in (0, 1, 10):
        asked = []

        def cancelled(after=after, asked=asked):
            asked.append(0)
            return len(asked) > after

        with pytest.raises(CancelledError):
            stylize_video(source, old, NEGATIVE, cancelled=cancelled)
        assert len(asked) == after + 1
        assert old.read_bytes() == b"old"
        assert left_behind(tmp_path) == ["a.mp4", "out.mp4"]


def test_progress_counts_every_frame_and_its_errors_stop_the_work(tmp_path):
    import threading

    source = make(tmp_path / "a.mp4", 12)
    seen = []
    stylize_video(source, tmp_path / "out.mp4", NEGATIVE, progress=seen.append)
    assert [p.done for p in seen] == list(range(1, 13))
    assert {p.total for p in seen} == {12}
    assert seen[-1].eta == 0
    assert all(p.eta > 0 for p in seen[:-1])

    def stop(progress):
        if progress.done == 3:
            raise KeyboardInterrupt

    (tmp_path / "out.mp4").unlink()
    with pytest.raises(KeyboardInterrupt):
        stylize_video(source, tmp_path / "out.mp4", NEGATIVE, progress=stop)
    assert left_behind(tmp_path) == ["a.mp4"]
    assert not [t for t in threading.enumerate() if t.name in ("decode", "draw")]


def test_an_error_while_drawing_comes_through(tmp_path):
    from workbench.styles.style import Style

    class Broken(Style):
        def load(self, runtime, device):
            def draw(pixels, progress):
                raise RuntimeError("out of luck")

            return draw

    with pytest.raises(RuntimeError, match="out of luck"):
        stylize_video(make(tmp_path / "a.mp4"), tmp_path / "out.mp4", Broken("b", "t", "d", "l"))
    assert left_behind(tmp_path) == ["a.mp4"]


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    """A limit on the size of files stands for the disk: writes fail in the middle."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 96, 128, 3), np.uint8)
    kind = {"codec": "ffv1", "pix_fmt": "yuv444p", "picture": lambda number, width, height: noise[number]}
    source = make(tmp_path / "a.mkv", 20, size=(128, 96), **kind)
    code = f"""
import resource, signal
from workbench.core.errors import VideoError
from workbench.styles.video import stylize_video
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    stylize_video({str(source)!r}, {str(tmp_path / "out.mp4")!r}, {NEGATIVE!r})
except VideoError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot be written" in done.stdout
    assert done.stdout.count("\n") == 1
    assert left_behind(tmp_path) == ["a.mkv"]


def test_an_existing_file_is_replaced_at_the_end_only(tmp_path):
    source, target = make(tmp_path / "a.mp4"), tmp_path / "new" / "out.mp4"
    stylize_video(source, target, NEGATIVE)
    target.write_bytes(b"old")
    seen = []
    stylize_video(source, target, NEGATIVE, progress=lambda p: seen.append(target.read_bytes()))
    assert set(seen) == {b"old"}
    assert probe(target).frames == 6
    assert left_behind(target.parent) == ["out.mp4"]
    assert target.stat().st_mode & 0o777 == source.stat().st_mode & 0o777


@pytest.fixture
def tiny(tmp_path):
    return str(save_tiny(tmp_path / "weights", "tiny"))


def test_a_network_draws_batches_as_it_draws_pictures(tmp_path, tiny):
    from workbench.styles import tiling
    from workbench.styles.stylize import get, network_of

    frames = [np.random.default_rng(i).integers(0, 256, (37, 50, 3), np.uint8) for i in range(5)]
    network = network_of(tiny)
    alone = [tiling.run_tiled(network, f) for f in frames]
    for drawn in (tiling.run_together(network, frames), get(tiny).drawer()(frames)):
        assert max(np.abs(a - np.int16(b)).max() for a, b in zip(alone, drawn, strict=True)) <= 1
    half = get(tiny).drawer(0.5)(frames)[2]
    assert np.abs(half - (alone[2] / 2 + frames[2] / 2)).max() <= 1.5
    large = np.tile(frames[0], (22, 1, 1))
    assert (tiling.run_together(network, [large] * 2)[1] == tiling.run_tiled(network, large)).all()


@pytest.mark.parametrize("batch", [1, 4])
def test_a_network_draws_a_clip(tmp_path, tiny, batch):
    source = make(tmp_path / "a.mkv", 7, codec="ffv1", pix_fmt="yuv444p")
    result = stylize_video(source, tmp_path / "out.mp4", tiny, batch=batch)
    assert result.frames == 7
    before, after = decode(source)[1], decode(result.path)[1]
    assert np.abs(np.int16(before[3]) - after[3]).mean() > 5


def test_a_drawing_is_steadied_unless_told_otherwise_and_a_filter_is_left_alone(tmp_path, tiny):
    """The noise of a still film changes what is drawn in each frame; a steadied drawing changes less."""
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(60, 200, (6, 8, 3)), np.ones((8, 8, 1)))
    noisy = [np.clip(scene + rng.normal(0, 6, scene.shape), 0, 255).astype(np.uint8) for _ in range(8)]
    source = make(
        tmp_path / "a.mkv", len(noisy), codec="ffv1", pix_fmt="bgr0", picture=lambda i, *_: noisy[i]
    )

    def frames(style, **options):
        result = stylize_video(source, tmp_path / "out.mp4", style, **options)
        return np.stack(decode(result.path)[1]).astype(float)

    def change(drawn):
        return np.abs(np.diff(drawn, axis=0))[3:].mean()  # once there is a past to lean on

    assert change(frames(tiny)) < 0.6 * change(frames(tiny, temporal=0))
    for same in ({"style": NEGATIVE}, {"style": tiny, "strength": 0}):  # but for the encoder's rounding
        assert np.abs(frames(**same) - frames(**same, temporal=0)).mean() < 0.1


@pytest.mark.slow
def test_onnx_agrees_with_torch(tiny):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from workbench.styles.stylize import get, network_of

    for size in ((40, 56), (31, 45)):
        frames = [np.random.default_rng(i).integers(0, 256, (*size, 3), np.uint8) for i in range(3)]
        pairs = zip(get(tiny).drawer()(frames), get(tiny).drawer(runtime="onnx")(frames), strict=True)
        assert max(np.abs(a - np.int16(b)).max() for a, b in pairs) <= 1
    assert network_of(str(tiny), "onnx") is network_of(str(tiny), "onnx")


def test_command_line(tmp_path, capsys):
    source = make(tmp_path / "a.mkv", audio="aac")

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main(["video", *map(str, arguments)])
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    out = tmp_path / "b.mp4"
    done = run(source, out, "--style", NEGATIVE, "--scale", 0.5, "--temporal", 0.5)
    assert done == (0, f"{out} (6 frames, 0.2 s, sound: copied (aac))\n", "")
    assert probe(out).width == 32
    (tmp_path / "folder").mkdir()
    assert run(source, tmp_path / "folder", "--style", NEGATIVE)[0] == 0
    assert (tmp_path / "folder" / "a.mp4").is_file()
    for arguments, words in (
        ((source, tmp_path / "b.avi"), "ending in .mp4"),
        ((tmp_path / "none.mp4", out), "does not exist"),
        ((source, out, "--style", "van_gogh"), "Unknown style"),
        ((source, out, "--runtime", "tpu"), "Unknown runtime"),
    ):
        code, said, err = run(*arguments)
        assert (code, said) == (2, "")
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        assert words in err


def test_nothing_is_left_where_the_file_cannot_be_opened(tmp_path, monkeypatch):
    from workbench.styles.video import writing

    source = make(tmp_path / "a.mp4")
    real = av.open

    def refusing(file, mode="r", **options):
        if mode == "w":
            raise PermissionError(13, "Permission denied")
        return real(file, mode, **options)

    monkeypatch.setattr(writing.av, "open", refusing)
    with pytest.raises(VideoError, match="Permission denied"):
        stylize_video(source, tmp_path / "out.mp4", NEGATIVE)
    assert left_behind(tmp_path) == ["a.mp4"]


def test_what_a_killed_process_left_goes_when_the_file_is_written_again(tmp_path):
    """And only that: neither another file's, nor one that is being written now."""
    source, target = make(tmp_path / "a.mkv", 200), tmp_path / "out.mp4"
    code = f"""
import os
from workbench.styles.video import stylize_video
def die(progress):
    if progress.done == 5:
        os.kill(os.getpid(), 9)
stylize_video({str(source)!r}, {str(target)!r}, {NEGATIVE!r}, progress=die)
"""
    done = subprocess.run([sys.executable, "-c", code])
    assert done.returncode == -9
    (left,) = left_behind(tmp_path, "a.mkv")
    assert left.startswith(".")
    assert left.endswith(".part")
    others = [".01234567.abcdefgh.part", f"{left[:9]}.b.mp4.abcdefgh.part"]
    for name in others:
        (tmp_path / name).write_bytes(b"another's")
    busy = Mp4(target, Fraction(1, 25)).__enter__()  # swept the old one
    assert not (tmp_path / left).exists()
    stylize_video(source, target, NEGATIVE)
    (kept,) = left_behind(tmp_path, "a.mkv", "out.mp4", *others)  # what the other writer is at
    assert kept.startswith(left[:9])
    busy.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert left_behind(tmp_path, "a.mkv", "out.mp4") == sorted(others)

"""Order and times of frames on any clip, in pieces and whole; memory that does not grow."""

import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from clips import decode, make, packets, read_counter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.core.errors import VideoError
from workbench.styles.video import Chunk, join, probe, split, stylize_video
from workbench.styles.video.prefetch import prefetch

STYLE = "colormatrix_negative"
quick = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
gaps = st.lists(st.integers(1, 50), min_size=0, max_size=24)
bases = st.sampled_from([Fraction(1, 25), Fraction(1, 1000), Fraction(1001, 30000), Fraction(1, 90000)])


def rising(steps):
    """0 and the sums of the steps."""
    times = [0]
    for step in steps:
        times.append(times[-1] + step)
    return times


@quick
@given(steps=gaps, base=bases, coding=st.sampled_from([{"bf": "0"}, {"bf": "3", "g": "7"}]))
def test_any_times_go_through_exactly(steps, base, coding):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = make(folder / "a.mp4", pts=rising(steps), time_base=base, options=coding)
        before, _ = decode(source)
        result = stylize_video(source, folder / "out.mp4", STYLE)
        after, frames = decode(result.path)
        assert after == before == [t * base for t in rising(steps)]
        assert [read_counter(255 - f) for f in frames] == list(range(len(steps) + 1))
        assert result.seconds >= float(after[-1])


@settings(quick, max_examples=6)
@given(steps=st.lists(st.integers(1, 9), min_size=12, max_size=40), size=st.integers(1, 12), data=st.data())
def test_pieces_joined_equal_the_whole(steps, size, data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kind = data.draw(st.sampled_from(["a.mp4", "a.mkv", "a.ts"]))
        coding = {"g": "5", "bf": str(data.draw(st.integers(0, 2))), "sc_threshold": "0"}
        source = make(folder / kind, pts=rising(steps), options=coding, audio="aac")
        chunks = split(source, size)
        assert [c.index for c in chunks] == list(range(len(chunks)))
        assert sum(c.frames for c in chunks) == len(steps) + 1
        assert all(c.frames >= size for c in chunks[:-1])
        parts = [folder / f"part{c.index}.mp4" for c in chunks]
        drawn = [stylize_video(source, p, STYLE, chunk=c) for c, p in zip(chunks, parts, strict=True)]
        assert [d.frames for d in drawn] == [c.frames for c in chunks]
        order = data.draw(st.permutations(range(len(chunks))))
        joined = join(source, [chunks[i] for i in order], [parts[i] for i in order], folder / "joined.mp4")
        whole = stylize_video(source, folder / "whole.mp4", STYLE).path
        (times, frames), (expected, _) = decode(joined), decode(whole)
        assert times == expected
        assert [read_counter(255 - f) for f in frames] == list(range(len(steps) + 1))
        assert packets(joined) == packets(whole)


def test_split_finds_the_key_frames(tmp_path):
    source = make(tmp_path / "a.mp4", 30, options={"g": "10", "bf": "0", "sc_threshold": "0"})
    tick = probe(source).time_base
    starts = [c.start * tick for c in split(source, 1)]
    assert starts == [0, Fraction(10, 25), Fraction(20, 25)]
    assert [c.frames for c in split(source, 11)] == [20, 10]
    assert split(source, 100) == [Chunk(0, None, None, 30)]
    raw = make(tmp_path / "a.h264", format="h264")
    assert split(raw, 1) == [Chunk(0, None, None, None)]
    with pytest.raises(VideoError, match="at least 1 frame"):
        split(source, 0)


def test_join_refuses_what_does_not_belong_together(tmp_path):
    source = make(tmp_path / "a.mp4", 20, options={"g": "10", "bf": "0", "sc_threshold": "0"})
    chunks = split(source, 1)
    parts = [tmp_path / f"{c.index}.mp4" for c in chunks]
    for chunk, part in zip(chunks, parts, strict=True):
        stylize_video(source, part, STYLE, chunk=chunk)
    out = tmp_path / "out.mp4"
    with pytest.raises(VideoError, match="all pieces"):
        join(source, chunks[1:], parts[1:], out)
    with pytest.raises(VideoError, match="all pieces"):
        join(source, [], [], out)
    with pytest.raises(VideoError, match="all pieces"):
        join(source, [chunks[0]] * 2, [parts[0]] * 2, out)
    with pytest.raises(VideoError, match="itself"):
        join(source, chunks, parts, source)
    stylize_video(source, parts[1], STYLE, chunk=chunks[1], scale=0.5)
    with pytest.raises(VideoError, match="differs from the first"):
        join(source, chunks, parts, out)
    parts[1].write_bytes(b"")
    with pytest.raises(VideoError, match="is empty"):
        join(source, chunks, parts, out)
    assert not list(tmp_path.glob("*out.mp4*"))


def test_a_piece_is_found_where_seeking_fails(tmp_path, monkeypatch):
    from workbench.styles.video import reading

    source = make(tmp_path / "a.mp4", 30, options={"g": "10", "bf": "0", "sc_threshold": "0"})
    chunk, asked = split(source, 1)[1], []

    class Container:
        """Seeks to another place than it is asked for."""

        def __init__(self, inner):
            self._inner = inner

        def __getattr__(self, name):
            return getattr(self._inner, name)

        def seek(self, offset, **options):
            asked.append(offset)
            self._inner.seek(2 * offset, **options)

    real = reading.Reader
    monkeypatch.setattr(reading, "Reader", lambda container, *rest: real(Container(container), *rest))
    result = stylize_video(source, tmp_path / "out.mp4", STYLE, chunk=chunk)
    assert asked == [chunk.start]
    assert [read_counter(255 - f) for f in decode(result.path)[1]] == list(range(10, 20))


def test_prefetch_hands_over_items_errors_and_stops():
    import threading

    with prefetch(iter(range(100)), 3) as items:
        assert list(items) == list(range(100))

    def failing():
        yield 1
        raise ValueError("later")

    with prefetch(failing(), 2) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="later"):
            next(items)

    made, closed = [], []

    def endless():
        try:
            while True:
                made.append(0)
                yield len(made)
        finally:
            closed.append(threading.current_thread().name)

    with prefetch(endless(), 2, "worker") as items:
        assert next(items) == 1
    assert closed == ["worker"]
    assert len(made) <= 5  # never more than a few ahead
    with pytest.raises(ValueError, match="at least 1"), prefetch(iter(()), 0):
        pass


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(tmp_path):
    """Peak resident memory, each clip in a process of its own."""

    def peak(frames):
        source = make(tmp_path / f"{frames}.mp4", frames, size=(480, 272), audio="aac")
        code = f"""
import cv2, resource, torch
cv2.setNumThreads(1)
torch.set_num_threads(1)
from workbench.styles.video import stylize_video
stylize_video({str(source)!r}, {str(tmp_path / "out.mp4")!r}, {STYLE!r}, batch=4)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return int(done.stdout) / 1024  # MiB

    short, long = peak(50), peak(400)
    assert long < short + 30  # 350 frames are 131 MiB

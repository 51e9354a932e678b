"""Interlaced frames as whole pictures: two fields, a moment apart, would be drawn as combs.

Source: BBC R&D's Weston 3-field filter with motion adaption, as FFmpeg's ``bwdif`` has it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
from av.filter import Graph
from av.video.frame import VideoFrame


def progressive(frames: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    """The same frames with their times; those that are interlaced, and what follows them, deinterlaced."""
    graph: Graph | None = None
    kind: tuple[int, int, str] | None = None
    waiting: deque[tuple[int | None, int]] = deque()  # pts and durations of what the filter holds
    for frame in frames:
        if graph is not None and kind != _kind(frame):
            yield from _pulled(graph, waiting, last=True)
            graph = None
        if graph is None and frame.interlaced_frame:
            graph, kind = _made(frame), _kind(frame)
        if graph is None:
            yield frame
            continue
        waiting.append((frame.pts, frame.duration))
        graph.push(frame)
        yield from _pulled(graph, waiting)
    if graph is not None:
        yield from _pulled(graph, waiting, last=True)


def _kind(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _made(frame: VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, av.time_base),
    )
    graph.link_nodes(
        source, graph.add("bwdif", "mode=send_frame:deint=interlaced"), graph.add("buffersink")
    ).configure()
    return graph


def _pulled(graph: Graph, waiting: deque[tuple[int | None, int]], last: bool = False) -> Iterator[VideoFrame]:
    """What the filter has ready, one frame for each that went in, with the times of that one."""
    if last:
        graph.push(None)
    while waiting:
        try:
            whole = cast(VideoFrame, graph.pull())
        except (av.BlockingIOError, av.EOFError):
            return
        whole.pts, whole.duration = waiting.popleft()
        yield whole

"""Frames of HDR films as 8-bit pictures in BT.709, which styles take and browsers play.

FFmpeg's colour management (libswscale) does it: it maps the tones of PQ from the brightness of the mastering
display, if the file names it, and the wide gamut of both PQ and HLG. HLG's curve stays, for it is made to be
shown by displays that know no HDR. The table that FFmpeg makes takes some seconds before the first frame.

Source: ITU-R BT.2100 (PQ, HLG), BT.2390 (HLG on displays of standard range).
"""

from __future__ import annotations

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

CURVES = {16: "smpte2084", 18: "bt709"}  # AVColorTransferCharacteristic of PQ and HLG: what it is taken for
_UNSPECIFIED = 2
_AS_TAGGED = "auto"


class ToBT709:
    """Converts frames, whose size or format may change in the middle of a film.

    Args:
        first: a frame; its colours are those of the film.
        width: of the pictures in pixels.
        height: of the pictures.
        alpha: whether the pictures have a fourth channel.
    """

    def __init__(self, first: VideoFrame, width: int, height: int, alpha: bool):
        self._format = "rgba" if alpha else "rgb24"
        self._options: dict[str, str | int] = {
            "w": width,
            "h": height,
            "flags": "area" if width < first.width else "bicubic",
            "in_transfer": CURVES[first.color_trc],
            "in_primaries": "bt2020" if first.color_primaries == _UNSPECIFIED else _AS_TAGGED,
            "out_primaries": "bt709",
            "out_transfer": "bt709",
            "intent": "perceptual",
        }
        if not first.format.is_rgb:
            matrix = "bt2020" if first.colorspace == _UNSPECIFIED else _AS_TAGGED
            self._options |= {"in_color_matrix": matrix}
            self._options |= {"in_range": "full" if first.color_range == 2 else "limited"}
        self._kind: tuple | None = None
        self._graph: Graph | None = None

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """(H, W, 3) or, with ``alpha``, (H, W, 4)."""
        kind = frame.width, frame.height, frame.format.name
        if self._graph is None or kind != self._kind:
            self._kind, self._graph = kind, self._make(frame)
        self._graph.push(frame)
        return np.asarray(self._graph.pull().to_ndarray(), np.uint8)

    def _make(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        scale = graph.add("scale", ":".join(f"{key}={value}" for key, value in self._options.items()))
        graph.link_nodes(
            source, scale, graph.add("format", self._format), graph.add("buffersink")
        ).configure()
        return graph

"""Options of a drawing and of a film, from which the command line, the page and the API take theirs."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from workbench.core.options import Range
from workbench.styles.names import DEFAULT_STYLE

MAX_SCALE = 4.0
_Share = Annotated[float, Range(0.0, 1.0, step=0.05)]


@dataclasses.dataclass(frozen=True)
class DrawOptions:
    """How a picture is drawn."""

    style: str = DEFAULT_STYLE  # name of a style, or a .safetensors or .onnx file
    strength: _Share = 1.0  # 0 is the photo, 1 the drawing
    preserve_color: _Share = 0.0  # 0 takes the drawing's colours, 1 keeps the photo's under its lights
    # of large pictures: 2 has lines half as wide and regions half as large; 16 draws all pixels
    detail: Annotated[float, Range(0.25, 16.0)] = 1.0
    deform: _Share = 0.25  # of faces, in the drawn portrait: 0 keeps their shape, 1 exaggerates it
    # what runs the network; onnx needs the extra `export`; `workbench bench` measures which is fastest
    runtime: Literal["torch", "torch-bf16", "onnx"] = "torch"
    device: str | None = None  # auto, cpu, cuda (cuda:1 …) or mps; by default WORKBENCH_DEVICE, or auto


@dataclasses.dataclass(frozen=True)
class VideoOptions:
    """How a film is drawn."""

    style: str = DEFAULT_STYLE  # name of a style, or a .safetensors or .onnx file
    strength: _Share = 1.0  # 0 is the film as it is, 1 the drawing
    scale: Annotated[float, Range(0.001, MAX_SCALE)] = 1.0  # of the sides; 0.5 draws a quarter of the pixels
    # of large frames: 2 has lines half as wide and regions half as large; 16 draws all pixels
    detail: Annotated[float, Range(0.25, 16.0)] = 1.0
    deform: _Share = 0.25  # of faces, in the drawn portrait: 0 keeps their shape, 1 exaggerates it
    # against flicker: share of the previous drawing that is warped along the motion, and more of it where
    # the drawing flickers; 0 draws each frame anew, and colour filters always do
    temporal: Annotated[float, Range(0.0, 0.99, step=0.05)] = 0.8
    runtime: Literal["torch", "torch-bf16", "onnx"] = "torch"  # what runs the network
    device: str | None = None  # auto, cpu, cuda (cuda:1 …) or mps; by default WORKBENCH_DEVICE, or auto


@dataclasses.dataclass(frozen=True)
class VideoLimits:
    """How large and how long a film may be that is opened at all."""

    # of one frame, of the source as of the drawing. Memory is about 1 GB, 30 bytes a pixel of the source and
    # 200 a pixel drawn; many players show no frames beyond the default, with which H.264's levels end
    max_pixels: Annotated[int, Range(1)] = 8192 * 4320
    max_frames: Annotated[int, Range(1)] = 216_000  # of a film; by default two hours at 30 a second
    max_seconds: Annotated[float, Range(0.0)] = 2 * 3600.0  # that a film lasts

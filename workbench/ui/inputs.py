"""What is given to the functions of the page and of programs: the name and meaning of each input, once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr

Function = TypeVar("Function", bound=Callable[..., Any])

DRAWING = ("style", "strength", "preserve_color", "runtime", "detail", "deform")  # of a photo
FILMING = ("style", "strength", "scale", "steadiness", "detail", "deform")  # of a video

_FILES = "as a file (JPEG, PNG, WebP, TIFF, HEIC, AVIF, BMP or GIF); no web address is fetched"
_WORDS = {  # in one line each: Gradio reads no second one
    "image": f"the photograph or painting, {_FILES}.",
    "video": "the video, as a file (MP4, MOV, MKV, WebM, AVI or GIF); no web address is fetched.",
    "style": 'name of the style, for example "fsgan_comic".',
    "strength": "from 0, the picture or video as it is, to 1, the drawing alone.",
    "preserve_color": "from 0, the drawing's own colours, to 1, the photograph's in the drawing's light.",
    "runtime": 'what runs the network: "torch"; "torch-bf16", which rounds a little and is quick where the '
    'processor has bfloat16 instructions; or "onnx". Portraits and filters take "torch" only.',
    "detail": "of pictures and frames with a short side of more than 512 pixels: 2 draws lines half as wide "
    "and regions half as large, and 16 every pixel.",
    "deform": 'of faces in the style "drawn_portrait": 0 keeps their shape, 1 exaggerates it.',
    "scale": "size of the result, from 0.1 to 1, as a share of the video's own.",
    "steadiness": "from 0 to 0.9; more means less flicker between frames.",
    "model": 'name of the classifier, for example "mood_statistics" for Chinese paintings.',
    "class_name": "the mood to explain; empty for the likeliest.",
    "method": "name of the method of explanation; empty for Grad-CAM.",
    "layer": "layer that Grad-CAM and guided Grad-CAM look at; empty for their usual one.",
}


def takes(*names: str) -> Callable[[Function], Function]:
    """Let a function of ``(*inputs, request, progress)`` have an input of each name, as Gradio shows them.

    Gradio calls functions by position, and reads from their signature what programs call their inputs; from
    their docstring, which gets the meanings here, what it tells about them.
    """

    def named(function: Any) -> Any:
        inputs = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
        request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        progress = inspect.Parameter(
            "progress", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=gr.Progress()
        )
        function.__signature__ = inspect.Signature([*inputs, request, progress])
        function.__annotations__ = {"request": gr.Request}
        meanings = "".join(f"\n    {name}: {_WORDS[name]}" for name in names if name in _WORDS)
        what, _, given_back = inspect.cleandoc(function.__doc__ or "").partition("\n\nReturns:")
        function.__doc__ = f"{what}\n\nArgs:{meanings}\n\nReturns:{given_back}"
        return function

    return named

"""Pictures and videos on their way in and out of the page: upload boxes, one-line errors, result files."""

from __future__ import annotations

import contextlib
import html
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder, is_in_or_equal
from PIL import Image

from workbench.core.errors import ImageError, WorkbenchError
from workbench.data.images import read_image

PREVIEW_SIDE = 1600  # px; larger pictures are shown reduced and downloaded whole
MAX_FILE_SIZE = "1000mb"  # of any upload: a video's limit
MAX_BYTES = 256 * 2**20  # of a picture: 40 megapixels of uncompressed 16-bit RGB are 240 MB


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn a :class:`WorkbenchError` into a message on the page; anything else is a bug and stays one."""
    try:
        yield
    except WorkbenchError as error:
        raise gr.Error(in_one_line(error), duration=None, print_exception=False) from error


def in_one_line(error: WorkbenchError) -> str:
    """Its text, escaped: the page renders messages as HTML, and one may quote a stranger's file name."""
    return html.escape(" ".join(str(error).split()), quote=False)


def unchecked(component):
    """Hand what the browser or an API client sent to our own functions as it came; return the component.

    Gradio's own checks answer a wrong type with several lines that name internals. Ours are the same for the
    page, the API and the command line. Methods are replaced on the instance because a subclass of a Gradio
    component makes Gradio write a stub file beside the source.
    """
    component.preprocess = lambda value: value
    return component


def share_slider(label: str, info: str, value: float, **options) -> gr.Slider:
    """A slider from 0 to 1, unchecked by Gradio; ``options`` are those of ``gr.Slider``."""
    return unchecked(gr.Slider(0, 1, value=value, step=0.05, label=label, info=info, buttons=[], **options))


def picture_input(label: str, alt_text: str) -> gr.Image:
    """An upload box that hands over the path of the file as uploaded.

    ``gr.Image`` by itself opens the file before our function runs: what it cannot open it rejects with a
    traceback's text, and 16-bit pictures it clips. Here `read_image` is the only decoder.
    """
    box = gr.Image(
        label=label,
        alt_text=alt_text,
        type="filepath",
        sources=["upload", "clipboard"],
        image_mode=None,
        buttons=["fullscreen"],
        height=300,
        elem_classes="picture-input",
    )
    return uploads_only(box, "picture")


def uploads_only(box, what: str):
    """Make an upload box hand over the path of the file as uploaded, and nothing but uploads; return it.

    Args:
        box: a Gradio component whose value is one file.
        what: "picture" or "video", for the messages.
    """
    to_cache = box.async_move_resource_to_block_cache

    async def uploaded_only(path):
        if str(path).startswith(("http://", "https://")):
            raise gr.Error(
                f"Expected an uploaded {what} but got a web address. Download the {what} and upload it.",
                print_exception=False,
            )
        return await to_cache(path)

    def path_of(payload) -> str | None:
        path = getattr(payload, "path", None)
        # gradio checks only paths that come with its own mark, which a client may leave out
        if path is not None and not is_in_or_equal(path, get_upload_folder()):
            raise gr.Error(
                f"Expected an uploaded {what} but got another file. Upload it.", print_exception=False
            )
        return path

    box.async_move_resource_to_block_cache = uploaded_only
    box.preprocess = path_of
    return box


def read_upload(path: str | None) -> Image.Image:
    """The uploaded picture as RGB, upright, or an :class:`ImageError` in words for a visitor."""
    if path is None:
        raise ImageError("Expected a picture but there is none yet. Upload one or pick an example.")
    if Path(path).stat().st_size > MAX_BYTES:
        raise ImageError(f"Expected a picture of at most {MAX_BYTES >> 20} MB. Save it smaller, or as JPEG.")
    return read_image(path)


def preview(image: Image.Image) -> Image.Image:
    """``image``, reduced so that its longer side is at most ``PREVIEW_SIDE`` px."""
    if max(image.size) <= PREVIEW_SIDE:
        return image
    small = image.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
    return small


def result_folder() -> Path:
    """A new folder in Gradio's cache whose name cannot be guessed.

    One visitor's result is not another's, and Gradio deletes it with the rest of its cache.
    """
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True, mode=0o700)
    return folder


def save_png(image: Image.Image, *name_parts: Any) -> str:
    """Write ``image`` as PNG into a folder of its own in Gradio's cache; return the path."""
    folder = result_folder()
    stem = re.sub(r"[^\w-]+", "_", "-".join(str(part) for part in name_parts))[:80].strip("_-") or "picture"
    path = folder / f"{stem}.png"
    image.save(path, compress_level=3)  # twice the speed of the default for a tenth more bytes
    return str(path)


def stem_of(path: str) -> str:
    """The upload's file name without its suffix."""
    return Path(path).stem

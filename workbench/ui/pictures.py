"""Pictures and videos on their way in and out of the page: upload boxes, one-line errors, result files."""

from __future__ import annotations

import abc
import contextlib
import copy
import functools
import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import GradioModel
from gradio.processing_utils import save_pil_to_cache
from gradio.utils import get_upload_folder, is_in_or_equal
from PIL import Image

from workbench.core.errors import ImageError, WorkbenchError
from workbench.service.errors import without_paths

_THUMBNAIL_SIDE = 256  # pixels, the longer side: sharp on screens with two pixels a point
MAX_FILE_SIZE = "1000mb"  # of any upload: a video's limit


@contextlib.contextmanager
def one_line_errors(title: str = "Not done") -> Iterator[None]:
    """Turn a :class:`WorkbenchError` into a message on the page; anything else is a bug and stays one.

    Args:
        title: heads the message: what has not happened.
    """
    try:
        yield
    except WorkbenchError as error:
        raise failure(title, in_one_line(error)) from error


def failure(title: str, words: str) -> gr.Error:
    """A message that stays until it is closed, headed by what has not happened."""
    return gr.Error(headed(title, words), duration=None, print_exception=False)


def headed(title: str, words: str) -> str:
    """A message as the page's script shows it: what stands before the colon as its heading.

    Gradio heads messages by their kind alone ("Error", "Warning (2)"), whatever title they are given.
    """
    return f"{title}: {words}"


def in_one_line(error: WorkbenchError) -> str:
    """Its text, escaped and without paths: the page renders messages as HTML, and one may quote a stranger's
    file name.
    """
    return html.escape(without_paths(" ".join(str(error).split())), quote=False)


@functools.cache
def unchecked(base: type) -> type:
    """A Gradio component that hands what a browser or a program sent to our own functions as it came.

    Gradio's own checks answer a wrong type with several lines that name internals. Ours are the same for the
    page, the API and the command line.
    """
    return _subclass(base, preprocess=lambda self, value: value)


@functools.cache
def uploads_only(base: Any, what: str) -> type:
    """An upload box that hands over the path of the file as uploaded, and nothing but uploads.

    Gradio's own boxes open the file before our function runs, here in the server: what they cannot open they
    reject with a traceback's text, and 16-bit pictures they clip.

    Args:
        base: a Gradio component whose value is one file, or a list of them.
        what: "picture" or "video", for the messages.
    """

    async def uploaded_only(self, path):
        if str(path).startswith(("http://", "https://")):
            words = f"Expected an uploaded {what} but got a web address. Download the {what} and upload it."
            raise failure("Not taken", words)
        return await base.async_move_resource_to_block_cache(self, path)

    def path_of(self, payload) -> Any:
        if hasattr(payload, "root"):
            return [path_of(self, one) for one in payload.root]
        path = getattr(payload, "path", None)
        # gradio checks only paths that come with its own mark, which a client may leave out
        if path is not None and not is_in_or_equal(path, get_upload_folder()):
            raise failure("Not taken", f"Expected an uploaded {what} but got another file. Upload it.")
        return path

    def postprocess(self, value: Any) -> Any:
        """An upload that is given back is not opened either."""
        return value if isinstance(value, GradioModel) else base.postprocess(self, value)

    def api_info(self) -> dict[str, Any]:
        """Gradio's own schema speaks of web addresses."""
        schema = copy.deepcopy(base.api_info(self))
        schema["additional_description"] = f"An uploaded {what}. No web address is fetched."
        schema.get("properties", {}).get("url", {}).pop("description", None)
        return schema

    def example_payload(self) -> dict[str, Any]:
        """What the panel's examples send; Gradio's own is an address."""
        name = f"your_{what}.{'mp4' if what == 'video' else 'jpg'}"
        return {"path": name, "orig_name": name, "meta": {"_type": "gradio.FileData"}}

    return _subclass(
        base,
        api_info=api_info,
        example_payload=example_payload,
        async_move_resource_to_block_cache=uploaded_only,
        preprocess=path_of,
        postprocess=postprocess,
    )


def _subclass(base: type, **methods) -> type:
    """A component that is its base to the browser, with other methods.

    A class, for Gradio makes a component anew from its class whenever an event has changed it for a visitor.
    Gradio's metaclass would write a stub file beside the source; it is passed over.
    """
    own = {"is_template": True, "__module__": base.__module__, **methods}
    return abc.ABCMeta.__new__(type(base), base.__name__, (base,), own)


def _thumbnail(self: gr.Image, path: str) -> Any:
    """What an example's button shows: a small copy under the picture's own name, by which it is known."""
    with Image.open(path) as picture:
        picture.thumbnail((_THUMBNAIL_SIDE, _THUMBNAIL_SIDE))
        return self.postprocess(save_pil_to_cache(picture, self.GRADIO_CACHE, Path(path).stem))


def picture_input(label: str, alt_text: str, height: int = 300) -> gr.Image:
    """An upload box for a picture."""
    return _subclass(uploads_only(gr.Image, "picture"), process_example=_thumbnail)(
        label=label,
        alt_text=alt_text,
        type="filepath",
        sources=["upload", "clipboard"],
        image_mode=None,
        buttons=["fullscreen"],
        height=height,
        elem_classes="picture-input",
    )


def to_try(box: gr.components.Component, paths: Iterable[Path], label: str, elem_id: str) -> None:
    """Files that fill an upload box when they are chosen, and change nothing else of it, nor its words."""
    made = gr.Examples(
        [[str(path)] for path in paths], box, label=label, elem_id=elem_id, api_visibility="private"
    )
    for properties in made.input_component_props:
        properties.clear()
    # else Gradio removes them by age, or as another page of this process ends
    box.keep_in_cache |= box.temp_files


def needed(path: str | None) -> str:
    """The path of an upload, or a :class:`WorkbenchError` for a visitor who has not chosen one."""
    if path is None:
        raise ImageError("Expected a picture but there is none yet. Upload one or pick an example.")
    return path


def named(path: Path, *name_parts: Any) -> str:
    """Rename a result for its download; return the new path."""
    stem = re.sub(r"[^\w-]+", "_", "-".join(str(part) for part in name_parts))[:80].strip("_-") or "picture"
    return str(path.rename(path.with_name(f"{stem}{path.suffix}")))


def stem_of(path: str) -> str:
    """The upload's file name without its suffix."""
    return Path(path).stem

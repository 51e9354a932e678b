"""Tab "Redraw a photo": a photograph in, the same picture in a chosen style out, both to compare."""

from __future__ import annotations

import contextlib
import html
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from workbench.core.errors import CancelledError, WorkbenchError
from workbench.service.platform import Platform
from workbench.service.previews import LARGE, Preview
from workbench.service.tasks import TASKS, FolderPhotoOptions, PhotoOptions
from workbench.styles.stylize import styles
from workbench.ui import (
    controls,
    dropping,
    first_look,
    inputs,
    pictures,
    redraw_desk,
    remembering,
    several,
    style_tiles,
    visitor,
)
from workbench.ui.controls import SETTINGS
from workbench.ui.examples import credits

TASK = TASKS["stylize_picture"]
_LONG = 2.0  # seconds after which there is a button to stop
_FORMATS = [("PNG, every pixel as drawn", "png"), ("JPEG, a tenth of the bytes", "jpg")]
_HIDDEN = gr.update(visible=False)
_YOURS = "Pull the handle, try the styles; then drop in a photo of your own."
EXAMPLE = first_look.example()
# on a phone the result lies below the fold, so that a visitor would not see that anything happens
_TO_THE_RESULT = """(photo) => { if (photo && innerWidth < 700) document.getElementById("redraw-tiles")
  .scrollIntoView({behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"}) }"""

# What Gradio asks for again ("always_last") is the event with all that listens to it: drawing and tiles would
# ask for each other without end. What follows on a step in the browser is asked for again alone.
_ASKED = "() => {}"


def ask(platform: Platform, request: gr.Request, path, choices, compare: bool) -> Preview:
    """Have a photo drawn; ``choices`` are those of the controls, in their order."""
    options = dict(zip(inputs.DRAWING, choices, strict=True))
    runtimes = visitor.style_of(options["style"]).runtimes
    if compare and len(runtimes) == 1:  # nor has the page a choice then
        options["runtime"] = runtimes[0]
    options["compare"] = compare
    return visitor.ask(platform, request, TASK, path, options)


def shown(folder: Path, facts: dict[str, Any], path: str | None, style: str, seconds: float) -> tuple:
    """(before and after, PNG, JPEG, caption) of a drawing; of the example where no photo was given."""
    files = folder / "picture.png", folder / "picture.jpg"
    stem = pictures.stem_of(path or (EXAMPLE.file if EXAMPLE else ""))
    saved = [pictures.named(file, stem, style) if file.exists() else None for file in files]
    caption = "{} × {} px in ".format(*facts["size"]) + f"{seconds:.1f} s."
    if facts["shown"] != facts["size"]:
        caption += " Shown at {} × {} px; the download has every pixel.".format(*facts["shown"])
    if path is None and EXAMPLE:
        caption = f"An example: {EXAMPLE.title}. {_YOURS}"
    return pair_of(folder), *map(_download, saved), caption


def _download(path: str | None) -> gr.DownloadButton:
    return gr.DownloadButton(value=path, interactive=path is not None)


def pair_of(folder: Path) -> tuple[str, str]:
    """Before and after as a page shows them."""
    return str(folder / "before.jpg"), str(folder / "after.jpg")


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open in ``blocks``."""
    gr.Markdown(
        "Drop in a photograph and see it drawn as a comic, as anime or in ink, people with their own faces. "
        "Pull the handle across the result to compare.",
        elem_classes="lead",
    )
    if not any(style.kind == "network" for style in styles().values()):
        gr.HTML(
            '<div class="notice" role="status">No trained drawing style is installed, so only the classical '
            "filters are offered. Put <code>NAME.safetensors</code> and its card <code>NAME.json</code> into "
            "<code>workbench/weights</code>, or train one with <code>workbench train stylizer</code>, and "
            "start again.</div>"
        )
    page = redraw_desk.desk()
    with gr.Accordion("Many photos at once", open=False, elem_id="redraw-many"):
        gr.Markdown(
            "Drop in several photos, or a ZIP of them. They are drawn in the style chosen above, while you "
            "are away if you like, and come back as one ZIP. What cannot be drawn is named in its list.",
            elem_classes="fine",
        )
        kind = controls.dropdown(FolderPhotoOptions, "format", "Drawings as", _FORMATS, info=None)
        settings = {"style": page.style, "strength": page.strength, "preserve_color": page.colours}
        settings |= {"detail": page.detail, "deform": page.deform, "format": kind}
        several.add(platform, blocks, tab, "stylize_pictures", "Draw all of them", settings)
    gr.HTML(f'<p class="fine">{html.escape(credits())}</p>')
    page.settings = [page.style, page.strength, page.colours, page.runtime, page.detail, page.deform]
    _events(platform, page)
    _tile_events(platform, page)
    _first_look(platform, blocks, page)
    blocks.load(None, None, None, js=dropping.SCRIPT, api_visibility="private")
    _api(platform, page)


async def _redrawn(platform: Platform, request: gr.Request, progress, path, choices):
    """(before and after, PNG, JPEG, caption, button that stops it), as the work goes on; of the example as
    long as there is no photo.

    What cannot be redrawn is told in a warning, and the result of before is taken away. Were it an error,
    Gradio would forget the choice that was made meanwhile.
    """
    nothing = None, _download(None), _download(None)
    drawn = path or (EXAMPLE and str(EXAMPLE.path))
    if drawn is None:
        yield *nothing, "", _HIDDEN
        return
    start = time.perf_counter()
    try:
        with ask(platform, request, drawn, choices, compare=True) as preview:
            has_button = False
            while not await visitor.ended(preview, progress):
                if has_button or (preview.lane != LARGE and time.perf_counter() - start < _LONG):
                    continue
                has_button = True
                yield *(gr.skip() for _ in range(4)), gr.Button(visible=True)
            folder = preview.result()
        facts = visitor.read_facts(folder)
        yield *shown(folder, facts, path, choices[0], time.perf_counter() - start), _HIDDEN
    except CancelledError as error:
        yield *(gr.skip() for _ in range(3)), str(error), _HIDDEN
    except WorkbenchError as error:
        message = pictures.in_one_line(error)
        gr.Warning(pictures.headed("Not drawn", message))  # the words stay in the caption
        yield *nothing, message, _HIDDEN


def _events(platform: Platform, page: SimpleNamespace) -> None:
    """What happens when a photo comes, and when something is chosen or pressed."""

    @inputs.takes("replacing", "path", *inputs.DRAWING)
    async def redraw(replacing, path, *rest):
        *choices, request, progress = rest
        if replacing and path is None:  # else the example would flash up between two photos
            yield [gr.skip()] * len(outputs)
            return
        async with contextlib.aclosing(_redrawn(platform, request, progress, path, choices)) as steps:
            async for step in steps:
                yield step

    def stop(request: gr.Request):
        """Stop what this page draws; say so at once."""
        platform.previews.stop_page(visitor.owner_of(request), request.session_hash)
        return "Stopped, as you asked.", _HIDDEN

    page.replacing = gr.Checkbox(False, visible=False)
    given = [page.replacing, page.photo, *page.settings]
    outputs = [page.result, page.png, page.jpeg, page.caption, page.stopper]
    drawing = {"show_progress_on": page.result, "concurrency_limit": None, "api_visibility": "private"}
    drawing |= {"trigger_mode": "always_last", "js": dropping.IS_REPLACING}
    sliders = page.strength, page.colours, page.detail, page.deform
    changes = [page.style.select, page.runtime.select, *(slider.release for slider in sliders)]
    asked = gr.on([page.photo.change, page.button.click, *changes], None, None, None, js=_ASKED, **SETTINGS)
    drawn = asked.then(redraw, given, outputs, **drawing)
    page.came = page.photo.change(None, page.photo, None, js=_TO_THE_RESULT, **SETTINGS)
    chosen = [page.style, page.about, page.runtime, page.tiles]

    def pick(name, tiles):
        """A style by its tile, or a filter, which is not in the menu as long as it is not chosen."""
        known, menu = styles(), controls.style_choices(filters=False)
        name = visitor.style_of(name).name
        if name not in [entry for _, entry in menu]:
            menu.append((known[name].title, name))
        rest = redraw_desk.about_style(name), gr.Dropdown(interactive=redraw_desk.has_runtimes(name))
        return gr.Dropdown(choices=menu, value=name), *rest, style_tiles.show(tiles, name)

    def pick_tile(tiles, event: gr.EventData):
        return pick(event._data.get("style"), tiles)

    page.tried = gr.State(None)
    picks = [
        page.tiles.pick(pick_tile, page.tried, chosen, **SETTINGS),
        page.filter.input(pick, [page.filter, page.tried], chosen, **SETTINGS),
    ]
    picks = [one.success(redraw, given, outputs, **drawing) for one in picks]
    page.style.select(pick, [page.style, page.tried], chosen, **SETTINGS)
    page.pick = pick, [page.style, page.tried], chosen
    for event in (drawn, *picks):
        remembering.forget_unreadable("redraw", page.photo, event.success, page.result)
        event.failure(lambda: _HIDDEN, None, page.stopper, **SETTINGS)  # also after an error
    page.stopper.click(stop, None, [page.caption, page.stopper], **SETTINGS)


def _tile_events(platform: Platform, page: SimpleNamespace) -> None:
    """A photo comes: four styles are tried on it, small. When it goes, those of the example come back."""
    of_example = first_look.Shared(platform, style_tiles.TASK, style_tiles.options())

    @inputs.takes("replacing", "path", "style")
    async def try_styles(replacing, path, style, request, progress):
        """(what was tried, the tiles)"""
        if replacing and path is None:
            yield gr.skip(), gr.skip()
            return
        yield None, style_tiles.show(None, style)
        folder = None
        with contextlib.suppress(WorkbenchError):  # what is wrong with the photo is told by its drawing
            if path is None:
                folder = await of_example.folder()
            else:
                preview = visitor.ask(platform, request, style_tiles.TASK, path, style_tiles.options())
                folder = await visitor.result(preview, progress)
        tiles = style_tiles.read(folder) if folder else None
        yield tiles, style_tiles.show(tiles, style)

    page.came.then(
        try_styles,
        [page.replacing, page.photo, page.style],
        [page.tried, page.tiles],
        trigger_mode="always_last",
        js=dropping.IS_REPLACING,
        show_progress="hidden",
        concurrency_limit=None,
        api_visibility="private",
    )
    page.try_styles = try_styles


def _first_look(platform: Platform, blocks: gr.Blocks, page: SimpleNamespace) -> None:
    """The example and its tiles, drawn once for all visitors."""
    drawing = first_look.Shared(platform, TASK, {"style": page.style.value, "compare": True})
    usual = [setting.value for setting in page.settings]

    @inputs.takes("has_own", "path", *inputs.DRAWING)
    async def look(has_own, path, *rest):
        """The example, unless a photo came back or was given meanwhile, which draws itself."""
        *choices, request, progress = rest
        if has_own or path is not None:
            yield [gr.skip()] * 5
        elif choices != usual:
            async with contextlib.aclosing(_redrawn(platform, request, progress, None, choices)) as steps:
                async for step in steps:
                    yield step
        else:
            yield *_of_example(await drawing.folder()), _HIDDEN

    async def tiles_of_example(has_own, path, style, request: gr.Request):
        if has_own or path is not None:
            yield [gr.skip()] * 2
        else:
            async for step in page.try_styles(False, None, style, request, None):
                yield step

    quiet: dict[str, Any] = {
        "show_progress": "hidden",
        "concurrency_limit": None,
        "api_visibility": "private",
    }
    outputs = [page.result, page.png, page.jpeg, page.caption, page.stopper]
    titles = {name: style.title for name, style in styles().items()}
    back = remembering.remember(platform, "redraw", page.photo, page.settings, blocks.load, titles)
    has_own = gr.State(False)  # what the server reads as a call begins, and not what the browser sent with it
    looked = back.then(look, [has_own, page.photo, *page.settings], outputs, **quiet)
    tiles = [has_own, page.photo, page.style], [page.tried, page.tiles]
    tried = looked.then(tiles_of_example, *tiles, **quiet)
    # else the first look takes the photo's place
    page.photo.change(lambda: True, None, has_own, cancels=[looked, tried], **SETTINGS)
    back.then(*page.pick, **SETTINGS)


def _of_example(folder: Path | None) -> tuple:
    """(before and after, PNG, JPEG, caption) of the example as everybody sees it."""
    if folder is None or EXAMPLE is None:  # the visitor asked for nothing yet: told when they do
        return None, _download(None), _download(None), ""
    files = [str(folder / name) for name in ("picture.png", "picture.jpg")]
    return pair_of(folder), *map(_download, files), f"An example: {EXAMPLE.title}. {_YOURS}"


def _api(platform: Platform, page: SimpleNamespace) -> None:
    """The same for programs: one file out, nothing of the page."""

    @inputs.takes("image", *inputs.DRAWING)
    async def stylize_file(image, *rest):
        """Redraw a photograph in a style: as a drawing with clear lines and flat colour, or through a filter.

        Returns:
            the redrawn picture as a PNG file of the same size
        """
        *choices, request, progress = rest
        with pictures.one_line_errors("Not drawn"):
            preview = ask(platform, request, image, choices, compare=False)
            folder = await visitor.result(preview, progress)
        return pictures.named(folder / "picture.png", pictures.stem_of(image), choices[0])

    any_style = controls.style_menu(PhotoOptions, visible=False)  # with the filters, and the usual default
    gr.Button(visible=False).click(
        stylize_file,
        [page.photo, any_style, page.strength, page.colours, page.runtime, page.detail, page.deform],
        gr.File(visible=False, label="PNG"),
        api_name="stylize",
        concurrency_limit=None,
    )

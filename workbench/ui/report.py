"""Everything that is known of the painting in "Read a painting", to take away."""

from __future__ import annotations

import gradio as gr

from workbench.service.platform import Platform
from workbench.service.tasks import TASKS
from workbench.ui import pictures, visitor


def add(platform: Platform, painting: gr.Image, model: gr.Dropdown) -> None:
    """Add a button that writes the report, and the box where its files appear.

    Args:
        platform: who does it.
        painting: the upload.
        model: who reads it.
    """
    button = gr.Button("Write the whole report", elem_id="read-report")
    files = gr.File(
        label="Report (HTML) and reading (JSON, CSV)",
        visible=False,
        file_count="multiple",
        interactive=False,
        elem_id="read-report-files",
    )

    async def write(path, name, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        with pictures.one_line_errors():
            stem = pictures.stem_of(pictures.needed(path))
            options = {"model": name, "title": stem}
            preview = visitor.ask(platform, request, TASKS["report_picture"], path, options)
            folder = await visitor.result(preview, progress)
        made = [folder / "report.html", folder / "reading.json", folder / "reading.csv"]
        return gr.File([pictures.named(file, stem, file.stem) for file in made], visible=True)

    button.click(
        write,
        [painting, model],
        files,
        show_progress_on=button,
        concurrency_limit=None,
        api_visibility="private",
    )
    painting.change(lambda: gr.File(None, visible=False), None, files, api_visibility="private")

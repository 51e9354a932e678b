"""The job in hand, shown where it was asked for: its progress, and its result when there is one."""

from __future__ import annotations

import html
from collections.abc import Callable
from types import SimpleNamespace

import gradio as gr

from workbench.service import schema
from workbench.service.errors import UnknownJobError
from workbench.service.platform import JobView, Platform
from workbench.ui import job_card, pictures, visitor
from workbench.ui.controls import SETTINGS

EVERY = 1.0  # seconds between looks at a running job


def panel(view: JobView | None, label: str = "Your work") -> str:
    """The job as HTML; empty if there is none."""
    if view is None:
        return ""
    done = view.state == schema.DONE
    buttons = job_card.download(view, "main" if len(job_card.results(view)) == 1 else "") if done else ""
    if not view.ended:
        buttons = job_card.button("cancel", "Cancel", view)
    return (
        f'<section class="job card" aria-label="{html.escape(label)}">'
        f'<div class="job-head"><h2 translate="no">{html.escape(view.title)}</h2>{job_card.pill(view)}</div>'
        f'<p class="fine">{job_card.about(view)}</p>{job_card.progress(view)}'
        f"{job_card.why(view)}{job_card.player(view) if done else ''}"
        f'<div class="job-actions">{buttons}<a class="job-button" href="#work">See all in My work</a></div>'
        f"{job_card.cost(view)}</section>"
    )


def in_hand(platform: Platform, owner: str, job: str | None, kind: str) -> JobView | None:
    """The job to show: the one that this page is following, else the owner's newest of its kind that is at
    work or done.
    """
    if job:
        try:
            return platform.job(owner, job)
        except UnknownJobError:  # deleted in My work
            return None
    mine = [v for v in platform.jobs(owner) if v.kind == kind and v.state in (*schema.ACTIVE, schema.DONE)]
    return next((v for v in mine if not v.ended), mine[0] if mine else None)


def add(
    platform: Platform,
    blocks: gr.Blocks,
    tab: gr.Tab,
    kind: str,
    elem_id: str,
    label: str,
    show: Callable[[str, JobView], str] = lambda owner, view: "",
) -> SimpleNamespace:
    """Add a panel to the open tab, which follows a job of one kind and finds it again after a reload.

    Args:
        platform: whose jobs they are.
        blocks: the page.
        tab: the open tab.
        kind: name of the task.
        elem_id: of the panel.
        label: of the panel, for screen readers.
        show: what to show of a finished job below its panel, as HTML.

    Returns:
        ``job``, the state that holds the id; ``outputs``, and ``follow``, a function of (job, request) that
        gives them.
    """
    page = SimpleNamespace(job=gr.State(None))
    shown = gr.HTML("", elem_id=elem_id, js_on_load=job_card.SCRIPT)
    result = gr.HTML("", elem_id=f"{elem_id}-result", js_on_load=RESULT_SCRIPT)
    timer = gr.Timer(EVERY, active=False)
    page.outputs = [shown, timer, result]

    def follow(job, request: gr.Request):
        with pictures.one_line_errors():
            owner = visitor.owner_of(request)
            view = in_hand(platform, owner, job, kind)
            made = show(owner, view) if view is not None and view.state == schema.DONE else ""
        return panel(view, label), gr.Timer(active=view is not None and not view.ended), made

    def found_again(request: gr.Request):
        with pictures.one_line_errors():
            view = in_hand(platform, visitor.owner_of(request), None, kind)
        job = view.id if view else None
        return job, *(follow(job, request) if job else (gr.skip(),) * 3)

    def pressed(event: gr.EventData, request: gr.Request):
        with pictures.one_line_errors():
            asked = str(event._data.get("job"))
            platform.cancel(visitor.owner_of(request), asked)
        return follow(asked, request)

    timer.tick(follow, page.job, page.outputs, **SETTINGS)
    blocks.load(found_again, None, [page.job, *page.outputs], **SETTINGS)
    tab.select(follow, page.job, page.outputs, **SETTINGS)  # it may have been deleted in My work
    shown.act(pressed, None, page.outputs, **SETTINGS)
    page.follow = follow
    return page


# A table is sorted by the column whose head is pressed, numbers as numbers; pictures that are ticked are
# shown side by side, two at a time.
RESULT_SCRIPT = """
const number = (cell) => cell.dataset.value === undefined ? null : parseFloat(cell.dataset.value);
const sort = (head) => {
  const table = head.closest("table"), place = [...head.parentNode.children].indexOf(head);
  const up = head.getAttribute("aria-sort") !== "ascending";
  head.parentNode.querySelectorAll("[aria-sort]").forEach((one) => one.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = (row) => number(row.cells[place]) ?? row.cells[place].textContent.trim();
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);  // empty ones last
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
    return up ? order : -order;
  });
  table.tBodies[0].append(...rows);
};
const beside = () => {
  const box = element.querySelector(".beside"), heads = element.querySelectorAll("thead th");
  const rows = [...element.querySelectorAll("tbody input:checked")].map((one) => one.closest("tr"));
  box.replaceChildren();
  if (rows.length < 2) return;
  const table = document.createElement("table"), top = table.insertRow();
  table.className = "rows";
  top.insertCell();
  for (const row of rows) {
    const cell = top.insertCell(), look = row.querySelector(".cell").cloneNode(true);
    look.classList.add("large");
    cell.append(look);
  }
  for (let i = 2; i < heads.length; i++) {
    const line = table.insertRow(), name = document.createElement("th");
    name.textContent = heads[i].textContent;
    line.append(name);
    for (const row of rows) line.insertCell().textContent = row.cells[i].textContent;
  }
  box.append(table);
};
element.addEventListener("click", (event) => {
  const head = event.target.closest("th button");
  if (head) sort(head.closest("th"));
});
element.addEventListener("change", (event) => {
  const ticked = [...element.querySelectorAll("tbody input:checked")];
  if (ticked.length > 2) ticked.find((one) => one !== event.target).checked = false;
  beside();
});
"""

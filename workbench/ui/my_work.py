"""Tab "My work": everything that a visitor has had drawn, newest first, and nobody else's."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

import gradio as gr

from workbench.core.errors import WorkbenchError
from workbench.service import schema
from workbench.service.forms import ADMINISTRATION, LOGOUT, PASSWORD
from workbench.service.platform import JobView, Platform
from workbench.service.tasks import TASKS
from workbench.ui import job_card, pictures, visitor
from workbench.ui.controls import SETTINGS

EVERY = 1.5  # seconds between looks while something is at work
PAGE = 12  # jobs that are shown at a time
_MOST = 1000  # jobs that are deleted at once
STATES = {  # words, and the states of jobs
    "": ("All", ()),
    "active": ("At work or waiting", schema.ACTIVE),
    "done": ("Done", (schema.DONE,)),
    "stopped": ("Failed or cancelled", (schema.FAILED, schema.CANCELLED)),
}
ORDERS: dict[
    str, tuple[str, tuple[Callable[[JobView], Any], bool]]
] = {  # words, and what is compared and whether the most comes first
    "newest": ("Newest first", (attrgetter("created"), True)),
    "oldest": ("Oldest first", (attrgetter("created"), False)),
    "name": ("By name", (lambda view: view.title.casefold(), False)),
    "largest": ("Largest first", (attrgetter("bytes"), True)),
}
_ACTIONS = ("cancel", "delete")


def card(view: JobView) -> str:
    """One job of the gallery. Whatever a visitor wrote is escaped."""
    title = html.escape(view.title)
    return (
        f'<li class="job" data-id="{view.id}"><div class="job-look">{job_card.look(view)}</div>'
        '<div class="job-text">'
        f'<div class="job-head"><input type="checkbox" aria-label="Choose: {title}">'
        f'<h3 title="{title}" translate="no">{title}</h3>{job_card.pill(view)}</div>'
        f'<p class="fine">{job_card.about(view)}</p>{job_card.progress(view)}'
        f"{job_card.why(view)}{job_card.cost(view)}"
        f'<div class="job-actions">{_buttons(view)}</div></div></li>'
    )


def _buttons(view: JobView) -> str:
    if not view.ended:
        return job_card.button("cancel", "Cancel", view)
    found = job_card.main_result(view)
    opener = job_card.button("open", "Open", view, "main", src=found[0], media=found[1]) if found else ""
    return opener + job_card.download(view) + job_card.button("delete", "Delete", view)


def arrange(
    views: Iterable[JobView], kind: str = "", state: str = "", order: str = "newest"
) -> list[JobView]:
    """The jobs of a kind and state, in an order.

    Args:
        views: all of an owner's jobs.
        kind: name of a task; empty for all.
        state: "active", "done" or "stopped" (failed or cancelled); empty for all.
        order: one of :data:`ORDERS`.

    Raises:
        WorkbenchError: no such state or order.
    """
    if state not in STATES or order not in ORDERS:
        raise WorkbenchError("Expected a state and an order from the lists. Load the page again.")
    key, falling = ORDERS[order][1]
    of_state = STATES[state][1]
    found = (
        view for view in views if (not kind or view.kind == kind) and (not state or view.state in of_state)
    )
    return sorted(found, key=key, reverse=falling)


def gallery(views: Sequence[JobView], page: int = 0, has_others: bool = False) -> str:
    """The cards of one page and how to reach the others, or what to do where there are none."""
    if not views:
        if has_others:
            return '<p class="empty" role="status">No job is like that. Choose other kinds or states.</p>'
        return (
            '<p class="empty">Nothing here yet. What you have drawn in '
            '<a href="#video">Redraw a video</a>, and folders of photos or paintings, appear here with their '
            "progress and their results.</p>"
        )
    last = (len(views) - 1) // PAGE
    page = min(max(page, 0), last)
    shown = views[PAGE * page : PAGE * (page + 1)]
    pages = ""
    if last:
        turns = (("Earlier page", page - 1), ("Later page", page + 1))
        buttons = "".join(
            f'<button type="button" class="job-button" data-action="turn" data-job="{to}"'
            f"{'' if 0 <= to <= last else ' disabled'}>{words}</button>"
            for words, to in turns
        )
        where = f"<span>{page + 1} of {last + 1}</span>"
        pages = f'<nav class="job-actions" aria-label="Pages">{buttons}{where}</nav>'
    chosen = (
        '<div class="chosen job-actions"><label><input type="checkbox" class="all"> All on this page</label>'
        '<button type="button" class="job-button" data-chosen="delete" disabled>Delete the chosen</button>'
        "</div>"
    )
    head = '<h2 class="unseen">Your jobs</h2>'
    return f'{head}{chosen}<ul class="jobs" aria-label="Your jobs">{"".join(map(card, shown))}</ul>{pages}'


def space(platform: Platform, owner: str, views: list[JobView]) -> str:
    """Who is looking, how much of their space is used, and how long things are kept."""
    used, limits = platform.usage(owner).bytes, platform.limits
    name = platform.accounts.name_of(owner) if owner[0] == "u" else None
    days = limits.keep_days if name else limits.keep_days_anonymous
    kept = "a day" if days == 1 else f"{days:g} days"
    who = ""
    if name:
        who = f"Logged in as <strong>{html.escape(name)}</strong>, "
        if platform.accounts.is_administrator(owner):
            who += f'<a href="{ADMINISTRATION}">Administration</a>, '
        who += f'<a href="{PASSWORD}">change password</a>, <a href="{LOGOUT}">log out</a>. '
    only = "" if name else " Only this browser can see them."
    if owner == platform.local_owner:  # one for all who need no login here
        only = " Every browser on this computer can see them."
    share = min(1.0, used / limits.owner_bytes)
    return (
        f'<div class="space"><p class="fine">{who}{_count(len(views))}, {job_card.size(used)} of '
        f"{job_card.size(limits.owner_bytes)} used. Results are kept for {kept}.{only}</p>"
        f'<meter min="0" max="1" high="0.9" value="{share:.4f}" aria-label="Space used">{100 * share:.0f} %'
        "</meter></div>"
    )


def _count(jobs: int) -> str:
    return "No job" if jobs == 0 else "1 job" if jobs == 1 else f"{jobs} jobs"


def look(platform: Platform, request: gr.Request, kind="", state="", order="newest", page=0) -> tuple:
    """(space used, gallery, timer, menu of kinds); the timer runs while something is at work."""
    with pictures.one_line_errors():
        owner = visitor.owner_of(request)
        views = platform.jobs(owner)
        busy = any(not view.ended for view in views)
        shown = gallery(arrange(views, str(kind or ""), state, order), page, bool(views))
        return space(platform, owner, views), shown, gr.Timer(active=busy), _kinds(views, kind)


def _kinds(views: Iterable[JobView], chosen: str) -> gr.Dropdown:
    known = sorted({view.kind for view in views} | ({chosen} - {""}))
    titles = [(TASKS[kind].title if kind in TASKS else kind, kind) for kind in known]
    return gr.Dropdown(choices=[("All", ""), *titles])


def act(platform: Platform, action: Any, jobs: Any, request: gr.Request) -> None:
    """Cancel or delete one or several of the visitor's own jobs.

    Raises:
        gr.Error: no such job of theirs, an action that is not on offer, or the session has ended.
    """
    with pictures.one_line_errors():
        owner = visitor.owner_of(request)
        if action not in _ACTIONS:
            raise WorkbenchError(f"Expected one of {', '.join(_ACTIONS)} but got {str(action)[:40]!r}.")
        for job in jobs[:_MOST] if isinstance(jobs, list) else [jobs]:
            (platform.cancel if action == "cancel" else platform.delete)(owner, str(job))


def as_data(view: JobView) -> dict[str, Any]:
    """A job for programs."""
    return {
        "id": view.id,
        "kind": view.kind,
        "title": view.title,
        "options": view.options,
        "state": view.state,
        "share": view.share,
        "note": view.note,
        "eta": view.eta,
        "created": view.created,
        "seconds": view.seconds,
        "bytes": view.bytes,
        "reason": view.reason,
        "files": {name: job_card.result_url(view.id, name) for name in job_card.results(view)},
    }


def build(platform: Platform, blocks: gr.Blocks, tab: gr.Tab) -> None:
    """Add the tab's contents to ``tab``, which is open in ``blocks``."""
    gr.Markdown(
        "Your jobs go on while you are away: close the page and come back. A single photo in *Redraw a "
        "photo* is finished at once and not kept here.",
        elem_classes="lead",
    )
    used = gr.HTML("", elem_id="work-space")
    with gr.Row(elem_classes="controls"):
        kind = _menu("Kind", [("All", "")], "")
        state = _menu("State", [(words, name) for name, (words, _) in STATES.items()], "")
        order = _menu("Order", [(words, name) for name, (words, _) in ORDERS.items()], "newest")
    jobs = gr.HTML(gallery([]), elem_id="work-jobs", js_on_load=job_card.SCRIPT + SCRIPT)
    timer, page = gr.Timer(EVERY, active=False), gr.State(0)

    def now(kind, state, order, page, request: gr.Request):
        return look(platform, request, kind, state, order, page)

    def other(kind, state, order, request: gr.Request):
        return 0, *look(platform, request, kind, state, order)

    def pressed(kind, state, order, page, event: gr.EventData, request: gr.Request):
        action, job = event._data.get("action"), event._data.get("job")
        if action == "turn":
            page = int(job)
        else:
            act(platform, action, job, request)
        return page, *look(platform, request, kind, state, order, page)

    shown = [used, jobs, timer, kind]
    menus = [kind, state, order]
    wanted = [*menus, page]
    gr.on([blocks.load, tab.select, timer.tick], now, wanted, shown, **SETTINGS)
    gr.on([menu.select for menu in menus], other, menus, [page, *shown], **SETTINGS)
    jobs.act(pressed, wanted, [page, *shown], **SETTINGS)
    _api(platform)


def _menu(label: str, choices: list[tuple[str, str]], value: str) -> gr.Dropdown:
    return pictures.unchecked(gr.Dropdown)(choices, label=label, value=value, filterable=False, min_width=160)


def _api(platform: Platform) -> None:
    """The same for programs: data in and out, nothing of the page."""

    def my_jobs(request: gr.Request) -> list[dict[str, Any]]:
        """List your jobs, newest first. Whose they are is told by the cookie that the first answer set.

        Returns:
            the jobs with state, progress, cost, and addresses of their results
        """
        with pictures.one_line_errors():
            return [as_data(view) for view in platform.jobs(visitor.owner_of(request))]

    def change(action: str):
        def changed(job, request: gr.Request) -> dict[str, Any] | None:
            with pictures.one_line_errors():
                owner = visitor.owner_of(request)
                (platform.cancel if action == "cancel" else platform.delete)(owner, job)
                return as_data(platform.job(owner, job)) if action == "cancel" else None

        changed.__name__ = f"{action}_job"
        changed.__doc__ = f"""{action.capitalize()} one of your jobs.

        Args:
            job: its id, as submit_video and my_jobs give it.
        """
        return changed

    answer = gr.JSON(visible=False, label="Job")
    job = gr.Textbox(visible=False, label="Job id")
    gr.Button(visible=False).click(
        my_jobs, None, gr.JSON(visible=False, label="Jobs"), api_name="my_jobs", queue=False
    )
    for action in _ACTIONS:
        gr.Button(visible=False).click(change(action), job, answer, api_name=f"{action}_job", queue=False)


# Which jobs are chosen outlives what is shown anew while something is at work.
SCRIPT = """
const chosen = new Set();
const mark = () => {
  const boxes = [...element.querySelectorAll(".job input[type=checkbox]")];
  const ids = boxes.map((box) => box.closest(".job").dataset.id);
  chosen.forEach((id) => { if (!ids.includes(id)) chosen.delete(id); });
  boxes.forEach((box, i) => { box.checked = chosen.has(ids[i]); });
  const all = element.querySelector(".chosen .all");
  if (!all) return;
  all.checked = chosen.size > 0 && chosen.size === ids.length;
  all.indeterminate = chosen.size > 0 && !all.checked;
  element.querySelector("[data-chosen]").disabled = !chosen.size;
};
element.addEventListener("change", ({target}) => {
  const which = target.matches(".all") ? element.querySelectorAll(".job") : [target.closest(".job")];
  which.forEach((job) => target.checked ? chosen.add(job.dataset.id) : chosen.delete(job.dataset.id));
  mark();
});
element.addEventListener("click", async ({target}) => {
  if (!target.closest("[data-chosen]")) return;
  const jobs = [...chosen], what = jobs.length === 1 ? "1 job" : `${jobs.length} jobs`;
  if (await sure(what, `${what} with all files`)) trigger("act", {action: "delete", job: jobs});
});
watch("value", mark);
"""

CSS = """
.chosen { align-items: center; margin: 0 0 .7rem; }
.chosen label { display: flex; align-items: center; gap: .5rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.job-head :is(h2, h3) { flex: 1; }
.job-head input { flex: none; align-self: center; }
.job-button:disabled { opacity: .5; cursor: default; }
.jobs { list-style: none; margin: 0 !important; padding: 0 !important; display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); }
.jobs .job { margin: 0; padding: 0; border: 1px solid var(--block-border-color); border-radius: .8rem;
  overflow: hidden; background: var(--block-background-fill); display: flex; flex-direction: column; }
.job-look { aspect-ratio: 16 / 9; background: var(--neutral-100); display: grid; place-items: center;
  color: var(--neutral-400); overflow: hidden; }
.dark .job-look { background: var(--neutral-800); }
.job-look { position: relative; }
.job-look img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain;
  margin: 0 !important; }
.job-look img.row { object-fit: cover; object-position: left top; }
.job-look svg { width: 3rem; height: 3rem; color: var(--neutral-400) !important; }
.job-text { padding: .8rem .95rem 1rem; display: flex; flex-direction: column; flex: 1; }
.job-text .job-actions { margin-top: auto; padding-top: .7rem; }
.job-head { display: flex; align-items: baseline; gap: .6rem; justify-content: space-between;
  margin-bottom: .2rem; }
.job-head :is(h2, h3) { overflow: hidden; text-overflow: ellipsis; display: -webkit-box;
  -webkit-line-clamp: 2; -webkit-box-orient: vertical; }
.jobs .fine { margin: .1rem 0; }
.why:empty { display: none; }
.space { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem 1rem; margin-bottom: .6rem; }
.space meter { appearance: none; width: 9rem; height: .5rem; border: 0; border-radius: .25rem;
  overflow: hidden; background: var(--neutral-200); }
.space meter::-webkit-meter-bar { height: .5rem; border: 0; border-radius: .25rem;
  background: var(--neutral-200); }
.dark .space meter { background: var(--neutral-700); }
.dark .space meter::-webkit-meter-bar { background: var(--neutral-700); }
.space meter::-webkit-meter-optimum-value { background: var(--primary-600); }
.gradio-container { width: 100%; }
"""

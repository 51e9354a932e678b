"""Tab "My work": everything that a visitor has had drawn, newest first, and nobody else's."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from workbench.core.errors import WorkbenchError
from workbench.service.platform import JobView, Platform
from workbench.ui import job_card, pictures, visitor

EVERY = 1.5  # seconds between looks while something is at work
_ACTIONS = ("cancel", "delete")


def card(view: JobView) -> str:
    """One job of the gallery. Whatever a visitor wrote is escaped."""
    small, title = job_card.thumbnail(view), html.escape(view.title)
    look = f'<img src="{small}" alt="" loading="lazy">' if small else job_card.placeholder(view)
    why = job_card.note(view)
    return (
        f'<li class="job" data-id="{view.id}"><div class="job-look">{look}</div><div class="job-text">'
        f'<div class="job-head"><h3 title="{title}">{title}</h3>{job_card.pill(view)}</div>'
        f'<p class="fine">{job_card.about(view)}</p>{job_card.progress(view)}'
        f'<p class="why">{html.escape(why)}</p>{job_card.cost(view)}'
        f'<div class="job-actions">{_buttons(view)}</div></div></li>'
    )


def _buttons(view: JobView) -> str:
    if not view.ended:
        return job_card.button("cancel", "Cancel", view)
    found = job_card.main_result(view)
    opener = job_card.button("open", "Open", view, "main", src=found[0], media=found[1]) if found else ""
    return opener + job_card.download(view) + job_card.button("delete", "Delete", view)


def gallery(views: list[JobView]) -> str:
    """All cards, or what to do where there are none."""
    if not views:
        return (
            '<p class="empty">Nothing here yet. What you have drawn in '
            '<a href="#video">Redraw a video</a> appears here, with its progress and its result.</p>'
        )
    return f'<ul class="jobs" aria-label="Your jobs">{"".join(map(card, views))}</ul>'


def space(platform: Platform, owner: str, views: list[JobView]) -> str:
    """Who is looking, how much of their space is used, and how long things are kept."""
    used, limits = platform.usage(owner).bytes, platform.limits
    name = platform.accounts.name_of(owner) if owner[0] == "u" else None
    days = limits.keep_days if name else limits.keep_days_anonymous
    kept = "a day" if days == 1 else f"{days:g} days"
    who = ""
    if name:
        who = f'Logged in as <strong>{html.escape(name)}</strong>, <a href="/logout">log out</a>. '
    only = "" if name else " Only this browser can see them."
    share = min(1.0, used / limits.owner_bytes)
    return (
        f'<div class="space"><p class="fine">{who}{_count(len(views))}, {job_card.size(used)} of '
        f"{job_card.size(limits.owner_bytes)} used. Results are kept for {kept}.{only}</p>"
        f'<meter min="0" max="1" high="0.9" value="{share:.4f}" aria-label="Space used">{100 * share:.0f} %'
        "</meter></div>"
    )


def _count(jobs: int) -> str:
    return "No job" if jobs == 0 else "1 job" if jobs == 1 else f"{jobs} jobs"


def look(platform: Platform, request: gr.Request) -> tuple[str, str, gr.Timer]:
    """What the tab shows now; the timer runs while something is at work."""
    with pictures.one_line_errors():
        owner = visitor.owner_of(request)
        views = platform.jobs(owner)
        busy = any(not view.ended for view in views)
        return space(platform, owner, views), gallery(views), gr.Timer(active=busy)


def act(platform: Platform, action: Any, job: Any, request: gr.Request) -> None:
    """Cancel or delete one of the visitor's own jobs.

    Raises:
        gr.Error: no such job of theirs, an action that is not on offer, or the session has ended.
    """
    with pictures.one_line_errors():
        owner = visitor.owner_of(request)
        if action not in _ACTIONS:
            raise WorkbenchError(f"Expected one of {', '.join(_ACTIONS)} but got {str(action)[:40]!r}.")
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
        "Your jobs go on while you are away: close the page and come back. Pictures drawn in *Redraw a "
        "photo* are finished at once and not kept here.",
        elem_classes="lead",
    )
    used = gr.HTML("", elem_id="work-space")
    jobs = gr.HTML(gallery([]), elem_id="work-jobs", js_on_load=job_card.SCRIPT)
    timer = gr.Timer(EVERY, active=False)

    def now(request: gr.Request):
        return look(platform, request)

    def pressed(event: gr.EventData, request: gr.Request):
        act(platform, event._data.get("action"), event._data.get("job"), request)
        return look(platform, request)

    page = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    shown = [used, jobs, timer]
    gr.on([blocks.load, tab.select, timer.tick], now, None, shown, **page)
    jobs.act(pressed, None, shown, **page)
    _api(platform)


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


CSS = """
.jobs { list-style: none; margin: 0 !important; padding: 0 !important; display: grid; gap: .9rem;
  grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); }
.jobs .job { margin: 0; padding: 0; border: 1px solid var(--block-border-color); border-radius: .8rem;
  overflow: hidden; background: var(--block-background-fill); display: flex; flex-direction: column; }
.job-look { aspect-ratio: 16 / 9; background: var(--neutral-100); display: grid; place-items: center;
  color: var(--neutral-400); overflow: hidden; }
.dark .job-look { background: var(--neutral-800); }
.job-look img { width: 100%; height: 100%; object-fit: contain; margin: 0 !important; }
.job-look svg { width: 3rem; height: 3rem; color: var(--neutral-400) !important; }
.job-text { padding: .8rem .95rem 1rem; display: flex; flex-direction: column; flex: 1; }
.job-text .job-actions { margin-top: auto; padding-top: .7rem; }
.job-head { display: flex; align-items: baseline; gap: .6rem; justify-content: space-between;
  margin-bottom: .2rem; }
.job-head h3 { overflow: hidden; text-overflow: ellipsis; display: -webkit-box; -webkit-line-clamp: 2;
  -webkit-box-orient: vertical; }
.jobs .fine { margin: .1rem 0; }
.why:empty { display: none; }
.space { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem 1rem; margin-bottom: .6rem; }
.space meter { appearance: none; width: 9rem; height: .5rem; border: 0; border-radius: .25rem;
  overflow: hidden; background: var(--neutral-200); }
.space meter::-webkit-meter-bar { height: .5rem; border: 0; border-radius: .25rem;
  background: var(--neutral-200); }
.dark .space meter, .dark .space meter::-webkit-meter-bar { background: var(--neutral-700); }
.space meter::-webkit-meter-optimum-value { background: var(--primary-600); }
.gradio-container { width: 100%; }
"""

"""A job as people see it: what it is, how far it is, what it made, and what can be done with it."""

from __future__ import annotations

import datetime
import functools
import html
from pathlib import Path

from workbench.service import schema
from workbench.service.platform import JobView
from workbench.service.tasks import TASKS, THUMBNAIL
from workbench.service.web import result_url
from workbench.styles.stylize import styles

_SHOWN = {
    ".mp4": "video",
    ".png": "img",
    ".jpg": "img",
    ".html": "iframe",
}  # files that a browser shows, and in what
_OUTCOMES = {  # of tasks, where they failed and where something is to be known of the result
    "read_pictures": ("Not read:", "Read, but:"),
    "map_pictures": ("Not mapped:", "Mapped, but:"),
}
_IN_A_LINE = ("read_pictures", "map_pictures")  # tasks whose small picture may be a long row of many
_WORDS = {schema.DONE: "Done", schema.FAILED: "Failed", schema.CANCELLED: "Cancelled"}
_FILM = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 4h16v16H4zM8 4v16M16 4v16M4 8h4M4 12h4M4 16h4'
    'M16 8h4M16 12h4M16 16h4" fill="none" stroke="currentColor" stroke-width="1.4"/></svg>'
)
_PICTURE = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3 5h18v14H3zM3 16l5-5 4 4 4-5 5 6" fill="none" '
    'stroke="currentColor" stroke-width="1.4" stroke-linejoin="round"/></svg>'
)


def duration(seconds: float) -> str:
    """A time span in words: "8 s", "1 min 20 s", "2 h 5 min"."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 and whole < 600 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 // 60 else "")


def size(count: float) -> str:
    """Bytes in words: "340 kB", "2.1 MB", "1.2 GB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f}".removesuffix(".0") + f" {unit}"
    return f"{count / 1000:.0f} kB"


def state(view: JobView) -> str:
    """The job's state in a word or two."""
    if view.state == schema.QUEUED:
        return f"Waiting, {view.ahead} ahead" if view.ahead else "Waiting"
    if view.state == schema.RUNNING:
        return "Stopping" if view.stopping else "At work"
    return _WORDS[view.state]


def note(view: JobView) -> str:
    """What an unfinished job is doing and how long it will take, or what to know of its end."""
    if view.state == schema.QUEUED:
        return view.reason or "It begins as soon as a worker is free."
    if view.stopping:
        return "It stops at its next frame."
    if view.state == schema.RUNNING:
        left = f" · about {duration(view.eta)} left" if view.eta is not None and view.share > 0.02 else ""
        return (view.note or "Starting") + left
    return view.reason or ""


def outcome(view: JobView) -> str:
    """Head of the note of a job that ended otherwise than hoped for."""
    failed, remarked = _OUTCOMES.get(view.kind, ("Not drawn:", "Drawn, but:"))
    if view.state == schema.FAILED:
        return failed
    return remarked if view.state == schema.DONE and view.reason else ""


def why(view: JobView) -> str:
    """The note with its head, as HTML."""
    head = f"<strong>{outcome(view)}</strong> " if outcome(view) else ""
    return f'<p class="why">{head}{html.escape(note(view))}</p>'


def results(view: JobView) -> list[str]:
    """Names of the files worth having, those to look at first and what explains the others last."""
    names = [made.name for made in view.files if not made.name.endswith(THUMBNAIL)]
    return sorted(names, key=lambda name: (name == "dictionary.csv", Path(name).suffix not in _SHOWN))


def thumbnail(view: JobView) -> str | None:
    """Address of a small picture of the result."""
    small = [made.name for made in view.files if made.name.endswith(THUMBNAIL)]
    return result_url(view.id, small[0]) if small else None


def download_name(view: JobView, name: str) -> str:
    """A name for the downloaded file that tells what it is."""
    style = view.options.get("style") or view.options.get("model") or view.kind
    alike = [one for one in results(view) if Path(one).suffix == Path(name).suffix]
    return f"{Path(view.title).stem}-{style if len(alike) < 2 else Path(name).stem}{Path(name).suffix}"


@functools.cache
def _style_title(name: str) -> str:
    known = styles()
    return known[name].title if name in known else name


def about(view: JobView) -> str:
    """Kind and settings of a job in one line, escaped."""
    title = TASKS[view.kind].title if view.kind in TASKS else view.kind
    options = view.options
    parts = [title]
    if "style" in options:
        parts.append(_style_title(options["style"]))
    if options.get("strength", 1) != 1:
        parts.append(f"strength {options['strength']:g}")
    if options.get("scale", 1) != 1:
        parts.append(f"{100 * options['scale']:g} % of the size")
    if options.get("temporal"):
        parts.append(f"steadiness {options['temporal']:g}")
    return html.escape(" · ".join(parts))


def main_result(view: JobView) -> tuple[str, str] | None:
    """(address, element that shows it) of what is best looked at; of the small picture if no other."""
    names = sorted(
        (made.name for made in view.files), key=lambda n: (n.endswith(THUMBNAIL), "after" not in n)
    )
    name = next((n for n in names if Path(n).suffix in _SHOWN), None)
    return (result_url(view.id, name), _SHOWN[Path(name).suffix]) if name else None


def look(view: JobView) -> str:
    """What a list shows of a job: a small picture of its result, or a sign."""
    small = thumbnail(view)
    if small is None:
        return _FILM if "video" in view.kind else _PICTURE
    row = ' class="row"' if view.kind in _IN_A_LINE else ""
    return f'<img src="{small}" alt="" loading="lazy"{row}>'


def player(view: JobView) -> str:
    """A finished video to play, or a small picture of the drawings."""
    found = main_result(view)
    if found is not None and found[1] == "img":
        title = html.escape(view.title)
        return f'<img class="job-player" src="{found[0]}" alt="{title}: the result">'
    if found is None or found[1] != "video":
        return ""
    poster = f' poster="{small}"' if (small := thumbnail(view)) else ""
    return (
        f'<video class="job-player" controls playsinline loop preload="metadata"{poster} src="{found[0]}" '
        f'aria-label="{html.escape(view.title)}, redrawn"></video>'
    )


def progress(view: JobView) -> str:
    """The bar of a job that is not over."""
    if view.ended:
        return ""
    share = f' value="{view.share:.3f}"' if view.state == schema.RUNNING and view.share else ' value="0"'
    return f'<progress max="1"{share} aria-label="{html.escape(view.title)}"></progress>'


def button(action: str, words: str, view: JobView, kind: str = "", **data: str) -> str:
    """A button that says what to do with which job: "open" is the script's, the rest is Python's."""
    title = html.escape(view.title)
    more = "".join(f' data-{key}="{html.escape(value)}"' for key, value in data.items())
    return (
        f'<button type="button" class="job-button {kind}" data-action="{action}" data-job="{view.id}"{more} '
        f'data-title="{title}" aria-label="{words}: {title}">{words}</button>'
    )


def download(view: JobView, kind: str = "") -> str:
    """Links that save the results under telling names."""
    names = results(view)
    return "".join(
        f'<a class="job-button {kind}" href="{result_url(view.id, name)}" '
        f'download="{html.escape(download_name(view, name))}" '
        f'aria-label="Download: {html.escape(view.title)}, {html.escape(name)}">'
        f"Download{'' if len(names) == 1 else ' ' + html.escape(name)}</a>"
        for name in names
    )


def pill(view: JobView) -> str:
    """The state as a coloured word; told to screen readers when it changes."""
    return f'<span class="pill {view.state}" role="status">{html.escape(state(view))}</span>'


def cost(view: JobView) -> str:
    """When it was asked for, and what it took."""
    when = datetime.datetime.fromtimestamp(view.created, datetime.UTC)
    parts = [f'<time datetime="{when.isoformat()}">{when:%Y-%m-%d %H:%M} UTC</time>']
    if view.ended:
        parts.append(f"{duration(view.seconds)} of work" if view.seconds >= 1 else "under 1 s of work")
    parts.append(size(view.bytes))
    return '<p class="fine">' + " · ".join(parts) + "</p>"


# Buttons of cards say what to do with which job; times are shown as the visitor's clock has them. Two native
# dialogs, made once: one asks before anything is deleted, one shows a result.
SCRIPT = """
const dialog = (id, content) => {
  let found = document.getElementById(id);
  if (!found) {
    found = document.createElement("dialog");
    found.id = id; found.className = "job-dialog"; found.innerHTML = content;
    found.addEventListener("click", (e) => { if (e.target === found) found.close("no"); });
    document.querySelector(".gradio-container").append(found);
  }
  return found;
};
const sure = (what, said) => new Promise((resolve) => {
  const box = dialog("job-sure", `<form method="dialog"><h2></h2><p></p>` +
    `<div class="job-actions"><button class="job-button" value="no">Keep</button>` +
    `<button class="job-button danger" value="yes">Delete for good</button></div></form>`);
  box.querySelector("h2").textContent = `Delete ${what}?`;
  box.querySelector("p").textContent = `${said} will be gone.`;
  box.returnValue = "no";
  box.onclose = () => resolve(box.returnValue === "yes");
  box.showModal();
});
const show = (pressed, card) => {
  const box = dialog("job-show", `<form method="dialog"><h2></h2><div class="job-stage"></div>` +
    `<div class="job-actions"><span class="job-links"></span>` +
    `<button class="job-button">Close</button></div></form>`);
  const {src, media, title} = pressed.dataset;
  const shown = document.createElement(media);
  shown.className = "job-player";
  if (media === "video") {
    Object.assign(shown, {controls: true, loop: true, playsInline: true, autoplay: true});
  } else shown[media === "img" ? "alt" : "title"] = title + ": the result";
  shown.src = src;
  box.querySelector("h2").textContent = title;
  box.querySelector(".job-stage").replaceChildren(shown);
  box.querySelector(".job-links").replaceChildren(
    ...[...card.querySelectorAll("a[download]")].map((a) => a.cloneNode(true)));
  box.onclose = () => box.querySelector(".job-stage").replaceChildren();
  box.showModal();
};
element.addEventListener("click", async (event) => {
  const pressed = event.target.closest("[data-action]");
  if (!pressed) return;
  const {action, job, title} = pressed.dataset;
  if (action === "open") { show(pressed, pressed.closest(".job")); return; }
  if (action === "delete" && !(await sure("this job", `“${title}” and its files`))) return;
  trigger("act", {action, job});
});
const clock = () => element.querySelectorAll("time").forEach((time) => {
  time.textContent = new Date(time.dateTime).toLocaleString([], {dateStyle: "medium", timeStyle: "short"});
});
watch("value", clock);
clock();
"""

CSS = """
.job-button { display: inline-flex; align-items: center; justify-content: center; height: 2.4rem;
  margin: 0 !important; padding: 0 .95rem !important; border-radius: .5rem; cursor: pointer;
  border: 1px solid var(--neutral-300); background: var(--block-background-fill);
  color: var(--body-text-color) !important; font-size: .9rem !important; font-weight: 500;
  line-height: 1.2 !important; text-decoration: none !important; }
.job-button:hover { border-color: var(--neutral-500); }
.dark .job-button { border-color: var(--neutral-600); }
.job-button:focus-visible { outline: 3px solid var(--primary-400); outline-offset: 2px; }
.job-button.main, .job-button.danger { background: var(--primary-600); border-color: var(--primary-600);
  color: #fff !important; }
.job-button.main:hover, .job-button.danger:hover { background: var(--primary-700); }
.job-actions { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: .7rem; }
.pill { display: inline-block; font-size: .78rem; font-weight: 600; padding: .1rem .6rem; border-radius: 1rem;
  white-space: nowrap; background: var(--neutral-200); color: var(--neutral-800); }
.pill.done { background: #dcefdd; color: #14521c; }
.pill.running { background: var(--primary-100); color: var(--primary-800); }
.pill.failed { background: #fbd9d3; color: #7d1508; }
.job progress { appearance: none; display: block; width: 100%; height: .55rem; border: 0;
  margin: .6rem 0 .3rem; border-radius: .3rem; overflow: hidden; background: var(--neutral-200); }
.job progress::-webkit-progress-bar { background: var(--neutral-200); }
.job progress::-webkit-progress-value { background: var(--primary-600); transition: width .4s; }
.job progress::-moz-progress-bar { background: var(--primary-600); }
.dark .job progress { background: var(--neutral-700); }
.dark .job progress::-webkit-progress-bar { background: var(--neutral-700); }
.dark .job progress::-webkit-progress-value { background: var(--primary-400); }
.job-player { display: block; width: 100%; max-height: 62vh; object-fit: contain; background: #000;
  border-radius: .5rem; margin: 0 !important; }
img.job-player { background: none; width: auto; max-width: 100%; }
section.job img.job-player { margin-top: .6rem !important; border: 1px solid var(--block-border-color); }
iframe.job-player { height: 75vh; border: 0; background: #fff; }
.job time { color: inherit !important; font-size: inherit !important; }
.job .why { color: var(--body-text-color); font-size: .9rem; margin: .4rem 0 0; overflow-wrap: anywhere; }
.job :is(h2, h3) { font-family: inherit; font-size: 1rem; font-weight: 600; text-transform: none;
  letter-spacing: 0; margin: 0; overflow-wrap: anywhere; color: var(--body-text-color); }
.job-dialog { margin: auto; border: 0; border-radius: .8rem; padding: 1.2rem 1.3rem;
  max-width: min(60rem, 94vw); background: var(--background-fill-primary); color: var(--body-text-color); }
.job-dialog::backdrop { background: rgb(20 16 12 / .6); }
.job-dialog h2 { font-size: 1.1rem; font-weight: 600; margin: 0 0 .6rem; overflow-wrap: anywhere; }
#job-show { width: 60rem; }
#job-show .job-links { display: flex; flex-wrap: wrap; gap: .5rem; }
"""

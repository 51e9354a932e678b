"""The server's own pages, beside Gradio's: log in, change the password, and what an administrator sees.

Plain HTML without scripts, under a policy that allows none.
"""

from __future__ import annotations

import datetime
import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

if TYPE_CHECKING:
    from workbench.service.platform import Platform

LOGIN, LOGOUT, PASSWORD, ADMINISTRATION = "/login", "/logout", "/password", "/administration"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{title} · Painter Psychology Workbench</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
body{{font:16px/1.5 system-ui,sans-serif;background:#faf8f4;color:#2b2825;display:grid;place-items:center;
min-height:100vh;margin:0}}main{{background:#fff;padding:2rem;border-radius:8px;box-sizing:border-box;
margin:1rem;max-width:calc(100vw - 2rem)}}form{{width:min(20rem,80vw)}}h1{{font-size:1.2rem;margin:0 0 1rem}}
h2{{font-size:1rem;margin:1.4rem 0 .4rem}}label{{display:block;margin:.7rem 0 .2rem}}
input,button{{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;border:1px solid #7a736a;
border-radius:4px}}button{{margin-top:1.2rem;background:#922e1c;color:#fff;border:0;cursor:pointer}}
:focus-visible{{outline:3px solid #cc4a30;outline-offset:2px}}[role=alert]{{color:#922e1c}}a{{color:#922e1c}}
.scroll{{overflow-x:auto}}th,td{{text-align:left;padding:.25rem 1.4rem .25rem 0;white-space:nowrap}}
@media(prefers-color-scheme:dark){{body{{background:#131211;color:#f3f0ea}}main{{background:#1d1b19}}
a,[role=alert]{{color:#eb9c88}}input{{background:#2b2825;color:inherit}}}}
</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"""
_FIELD = '<label for="{name}">{words}</label><input id="{name}" name="{name}" {attributes} required>'
_CURRENT = 'type="password" autocomplete="current-password"'
_NEW = 'type="password" autocomplete="new-password"'
_FIELDS = {
    LOGIN: (("name", "Name", 'autocomplete="username" autofocus'), ("password", "Password", _CURRENT)),
    PASSWORD: (
        ("password", "Your password now", f"{_CURRENT} autofocus"),
        ("new", "New password", _NEW),
        ("again", "New password again", _NEW),
    ),
}


def form(action: str, message: str = "", status: int = 200) -> HTMLResponse:
    """The form of an address, with what was wrong at the last attempt.

    Args:
        action: :data:`LOGIN` or :data:`PASSWORD`.
        message: what was wrong; escaped here.
        status: of the answer.
    """
    said = f'<p role="alert">{html.escape(message)}</p>' if message else ""
    fields = "".join(
        _FIELD.format(name=name, words=words, attributes=attributes)
        for name, words, attributes in _FIELDS[action]
    )
    title, button = ("Log in", "Log in") if action == LOGIN else ("Change your password", "Change")
    back = "" if action == LOGIN else '<p><a href="/#work">Back</a></p>'
    return page(
        title,
        f'<form method="post" action="{action}">{said}{fields}<button>{button}</button>{back}</form>',
        status,
    )


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """A page of the server's own around ``body``, which is HTML."""
    return HTMLResponse(_PAGE.format(title=html.escape(title), body=body), status, _HEADERS)


def administration(platform: Platform) -> HTMLResponse:
    """Who has an account, what they use, how many jobs there are, and how full the disk is."""
    counts, oldest = platform.counts()
    people = []
    for account in platform.accounts.list():
        usage = platform.usage(account.owner)
        role = "administrator" if account.is_administrator else ""
        people.append((account.name, role, _day(account.created), usage.active, _megabytes(usage.bytes)))
    waits = [("waiting since", _day(oldest))] if oldest is not None else []
    disk = [
        ("free", _megabytes(platform.store.free())),
        ("kept free", _megabytes(platform.limits.free_bytes)),
    ]
    body = (
        "<h2>Accounts</h2>"
        + _table(("Name", "Role", "Since", "Jobs at work", "Space used"), people)
        + "<h2>Jobs</h2>"
        + _table(("State", "Jobs"), [*counts.items(), *waits])
        + "<h2>Disk</h2>"
        + _table(("", "Space"), disk)
        + '<p>Accounts are made and removed with <code>workbench users</code>. <a href="/#work">Back</a></p>'
    )
    return page("Administration", body)


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _day(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"

"""Pages of the server itself: login, change of password, administration.

Plain HTML under a policy that allows no scripts, in the language of the browser.
"""

from __future__ import annotations

import datetime
import html
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

from workbench.service.languages import translated

if TYPE_CHECKING:
    from workbench.service.platform import Platform

LOGIN, LOGOUT, PASSWORD, ADMINISTRATION = "/login", "/logout", "/password", "/administration"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_PAGE = """<!doctype html><html lang="{language}"><head><meta charset="utf-8">
<title>{title} · {product}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
body{{font:16px/1.5 system-ui,"Noto Sans","Noto Sans CJK SC",sans-serif;background:#faf8f4;
color:#2b2825;display:grid;place-items:center;
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
_FORMS = {  # title, button, and fields: name, label, attributes
    LOGIN: (
        *("Log in", "Log in"),
        (("name", "Name", 'autocomplete="username" autofocus'), ("password", "Password", _CURRENT)),
    ),
    PASSWORD: (
        *("Change your password", "Change"),
        (
            ("password", "Your password now", f"{_CURRENT} autofocus"),
            ("new", "New password", _NEW),
            ("again", "New password again", _NEW),
        ),
    ),
}


def form(action: str, language: str, message: str = "", status: int = 200) -> HTMLResponse:
    """The form at an address, with the error of the last attempt.

    Args:
        action: :data:`LOGIN` or :data:`PASSWORD`.
        language: of the visitor.
        message: the error, in English.
        status: of the response.
    """
    say = _say(language)
    alert, described = "", ""
    if message:
        alert, described = f'<p role="alert" id="wrong">{say(message)}</p>', ' aria-describedby="wrong"'
    title, button, fields = _FORMS[action]
    made = "".join(
        _FIELD.format(name=name, words=say(words), attributes=attributes + described)
        for name, words, attributes in fields
    )
    back = "" if action == LOGIN else f'<p><a href="/#work">{say("Back")}</a></p>'
    return page(
        title,
        f'<form method="post" action="{action}">{alert}{made}<button>{say(button)}</button>{back}</form>',
        language,
        status,
    )


def password_changed(language: str) -> HTMLResponse:
    """Tells that the password is changed, and what became of other sessions."""
    say = _say(language)
    told = say("You are logged in here with the new one, and nowhere else.")
    body = f'<p role="status">{told}</p><p><a href="/#work">{say("Back")}</a></p>'
    return page("Your password is changed", body, language)


def page(title: str, body: str, language: str, status: int = 200) -> HTMLResponse:
    """A page of the server's own around ``body``, which is HTML in the ``language``."""
    say = _say(language)
    text = _PAGE.format(
        language=language, title=say(title), product=say("Painter Psychology Workbench"), body=body
    )
    return HTMLResponse(text, status, _HEADERS)


def _say(language: str) -> Callable[[object], str]:
    """A function that translates a text and escapes it for HTML."""
    return lambda text: html.escape(translated(str(text), language))


def administration(platform: Platform, language: str) -> HTMLResponse:
    """Accounts and their use, numbers of jobs, and free disk space."""
    say = _say(language)
    counts, oldest = platform.counts()
    people = []
    for account in platform.accounts.list():
        usage = platform.usage(account.owner)
        role = say("administrator") if account.is_administrator else ""
        name = html.escape(account.name)  # whatever it means in a language
        people.append((name, role, usage.active, _megabytes(usage.bytes), _day(account.created)))
    states: list[tuple[str, object]] = [(say(state), count) for state, count in counts.items()]
    waits = [(say("waiting since"), _day(oldest))] if oldest is not None else []
    disk = [
        (say("free"), _megabytes(platform.store.free())),
        (say("kept free"), _megabytes(platform.limits.free_bytes)),
    ]
    how = say("Accounts are made and removed with `workbench users`.").replace(
        "`workbench users`", "<code>workbench users</code>"
    )
    body = (
        _table(say, "Accounts", ("Name", "Role", "Jobs at work", "Space used", "Since"), people)
        + _table(say, "Jobs", ("State", "Jobs"), [*states, *waits])
        + _table(say, "Disk", ("Disk", "Space"), disk)
        + f'<p>{how} <a href="/#work">{say("Back")}</a></p>'
    )
    return page("Administration", body, language)


def _table(
    say: Callable[[object], str], title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> str:
    """A heading and a table; its cells are HTML already."""
    head = "".join(f'<th scope="col">{say(column)}</th>' for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<h2 id="{title}">{say(title)}</h2><div class="scroll" tabindex="0" role="region" '
        f'aria-labelledby="{title}"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def _day(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds, datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.0f} MB"

"""Cells of CSV files that spreadsheets would run: a file or a painter may be called ``=HYPERLINK(...)``.

Where a comma is the decimal sign, spreadsheets split cells at ``;``, others at tabs and bars as well, and at
the end of a line in a cell that begins with no quote for them: what comes after may be a cell of its own.

Source: OWASP, CSV Injection.
"""

from __future__ import annotations

import re
from typing import Any

_SEPARATORS = re.compile(r"[;|\t\n\v\f\r\x85\u2028\u2029]")
_SIGN = "[=+\\-@＝＋－＠]"  # East Asian Excel runs the wide ones, too
_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?%?|[+-]?(inf|nan)"
# what stands before a sign, but not before a number
_MARKED = re.compile(rf"""(?<![;|"'\s])[;|"'\s]*(?={_SIGN})(?!({_NUMBER})\ *(;|\Z))""", re.IGNORECASE)


def guarded(value: Any) -> Any:
    """A text with an apostrophe before whatever a spreadsheet would run; anything else as it is.

    >>> guarded("=1+1"), guarded("a;=1+1"), guarded("-0.5"), guarded("serenity")
    ("'=1+1", "a;'=1+1", '-0.5', 'serenity')
    """
    if not isinstance(value, str):
        return value
    return _MARKED.sub(lambda found: found[0] + "'" * _begins_a_cell(found), value)


def unguarded(text: str) -> str:
    """The text as it was before :func:`guarded`.

    >>> unguarded("'=1+1"), unguarded("'quoted'")
    ('=1+1', "'quoted'")
    """
    return _MARKED.sub(
        lambda found: found[0][:-1] if found[0].endswith("'") and _begins_a_cell(found) else found[0], text
    )


def _begins_a_cell(found: re.Match[str]) -> bool:
    return found.start() == 0 or _SEPARATORS.search(found[0]) is not None

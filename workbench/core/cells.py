"""Cells of CSV files that spreadsheets would run: a file or a painter may be called ``=HYPERLINK(...)``.

Source: OWASP, CSV Injection.
"""

from __future__ import annotations

import re
from typing import Any

_STARTS = tuple("=+-@＝＋－＠\t\r\n")  # East Asian Excel runs the wide ones, too
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?%?|[+-]?(inf|nan)", re.IGNORECASE)


def guarded(value: Any) -> Any:
    """A text with an apostrophe before it if a spreadsheet would run it; anything else as it is.

    >>> guarded("=1+1"), guarded("-0.5"), guarded("serenity")
    ("'=1+1", '-0.5', 'serenity')
    """
    is_formula = isinstance(value, str) and value.startswith(_STARTS) and not _NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value


def unguarded(text: str) -> str:
    """The text as it was before :func:`guarded`.

    >>> unguarded("'=1+1"), unguarded("'quoted'")
    ('=1+1', "'quoted'")
    """
    return text[1:] if text.startswith("'") and guarded(text[1:]) == text else text

"""English and Chinese: the language of a browser, and translation of the server's messages.

Messages in the code are English. ``zh.json`` has the Chinese, sentence by sentence; the page uses the same
table, and ``ui/assets/chinese.js`` applies the same rules: "{}" is any text within a sentence, which is
translated too, and "{n}" is a number.
"""

from __future__ import annotations

import functools
import json
import re
from importlib.resources import files

ENGLISH, CHINESE = "en", "zh-CN"
TRANSLATIONS: dict[str, str] = json.loads(files(__package__).joinpath("zh.json").read_text(encoding="utf-8"))
_VALUES = {r"\{n\}": r"(-?[\d.,]+)", r"\{\}": r"((?:(?![.!?] ).)+?)"}


def preferred(accept: str) -> str:
    """The first of the two languages in an ``Accept-Language`` header; English if it has neither.

    >>> preferred("de, zh-TW;q=0.8, en;q=0.5"), preferred("en-GB, zh;q=0.9")
    ('zh-CN', 'en')
    """
    found = re.findall(
        r"(?:^|,)\s*(en|zh)\b[\w-]*\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*(?=,|$)", accept[:500].lower()
    )
    wanted = [
        (-float(share or 1), place, name)
        for place, (name, share) in enumerate(found)
        if float(share or 1) > 0
    ]
    return CHINESE if wanted and min(wanted)[2] == "zh" else ENGLISH


def translated(text: str, language: str) -> str:
    """``text`` in a language; text that is not in the table is unchanged.

    >>> translated("There is no such page.", "zh-CN")
    '没有这个页面。'
    """
    if language != CHINESE:
        return text
    if text in TRANSLATIONS:
        return TRANSLATIONS[text]
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(text):
            return re.sub(r"\{(\d)\}", lambda place: translated(found[int(place[1])], language), chinese)
    first, _, rest = text.partition(". ")
    if not rest:
        return text
    first = translated(f"{first}.", language)
    return first + " " * (not first.endswith("。")) + translated(rest, language)


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The table's entries with values in them, the longest first."""
    found = []
    for english in sorted(filter(lambda text: "{" in text, TRANSLATIONS), key=len, reverse=True):
        pattern = re.escape(english)
        for place, value in _VALUES.items():
            pattern = pattern.replace(place, value)
        found.append((re.compile(pattern), TRANSLATIONS[english]))
    return tuple(found)

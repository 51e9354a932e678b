"""Names of painters compared: which may be one painter's, and whom a title names as the picture's painter.

Compared are the words of a name in lower case, without accents and in simplified characters. Titles are read
in Chinese and English: "in the manner of" and its like before a name say that the picture is another's.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

UNKNOWN = ("unknown", "anonymous")  # prefixes of unknown painters' names

_CHINESE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")  # and kana
_WORD = re.compile(r"[^\W_]+")
_LETTER = "[0-9a-z\u00df-\u024f\u0370-\u052f]"  # no letter of an alphabet may touch a name in one
_DYNASTY = "(?:北宋|南宋|五代|[晋隋唐宋辽金元明清])"

# What stands before or after a name that is not the painter's, in simplified characters. 师 (to learn from)
# is no verb in the words for master, court painter and the like, nor is 临 (to copy) in those for arriving.
_ENGLISH = "school|manner|style|circle|studio|workshop|followers?|pupils?|students?|imitators?|imitation"
_BEFORE = re.compile(
    rf"(?:(?:[仿倣彷摹橅拟]|(?<![登来光亲莅降照君])临)[写效傚]?\s*(?:{_DYNASTY}(?:[人朝代]|\s)?)?"
    rf"|(?<![大老祖画国禅律宗名导法牧厨京渔乐技巫医药军])师法?(?:{_DYNASTY}人?)?"
    rf"|\b(?:after|cop(?:y|ies) (?:of|after|from)|copied (?:after|from)|(?:{_ENGLISH}|portraits?) of"
    r"|imitating|inspired by|homage to)\s*(?:(?:an?|the)\s+)?"
    r"(?:(?:painting|picture|work|drawing|print|original|design|composition)s?\s+(?:by|of)\s*)?)$"
)
_AFTER = re.compile(
    r"\s*(?:笔[意法]|画?派|画法|款|\(款\)|[小肖]?像"
    rf"|['’]s (?:{_ENGLISH})\b|\(\s*(?:after|cop(?:y|ies)|(?:{_ENGLISH}) of)\b"
    rf"|,\s*(?:{_ENGLISH}) of\s*(?:$|[).;:]))"
)
_AND = re.compile(r"(?:\s*(?:、|和|与|及|&|\band\b)\s*)?")


class NearName(NamedTuple):
    """Two names that may be one painter's."""

    first: str
    second: str
    reason: str  # what they share, or the title in which the second is named


def normalise(name: str) -> str:
    """One Unicode form (NFKC, which makes full-width letters narrow), no surplus spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def is_unknown(name: str) -> bool:
    """Whether a name says that the painter is not known."""
    return not normalise(name) or normalise(name).casefold().startswith(UNKNOWN)


def near_names(names: Sequence[str], titles: Sequence[str] | None = None) -> list[NearName]:
    """Names that may be one painter's, for a person to decide: nothing is merged.

    Two names are near if they differ only in case, accents, spaces or punctuation, in traditional and
    simplified characters, in the order of their words, or, from three characters, in one character that is
    no digit. So are an unknown painter and one of ``names`` whom a title names.

    Args:
        names: N painters; those that begin with "unknown" or "anonymous", or are empty, are unknown.
        titles: N titles, in which unknown painters are looked for.
    """
    known = sorted({normalise(name) for name in names if not is_unknown(name)})
    found = {
        (a.name, b.name): NearName(a.name, b.name, reason)
        for a, b in _candidates([_Form(name) for name in known])
        if (reason := _likeness(a, b))
    }
    finder = TitleFinder({name: name for name in known})
    in_titles: dict[tuple[str, str], NearName] = {}
    for name, title in zip(names, titles or [""] * len(names), strict=True):
        painter = finder.painter(title) if title and is_unknown(name) else None
        if painter:
            reason = f"named in the title {normalise(title)}"
            in_titles.setdefault((name, painter), NearName(name, painter, reason))
    return sorted(found.values()) + list(in_titles.values())


class TitleFinder:
    """Finds the painter whom a title names."""

    def __init__(self, painters: Mapping[str, str]):
        """
        Args:
            painters: the painter of each name that is looked for; names of one Chinese character or of two
                letters are not.
        """
        self._painters: dict[str, str] = {}
        patterns = set()
        for name, painter in painters.items():
            for words in _orders(name):
                self._painters.setdefault("".join(words), painter)
                patterns.add(_title_pattern(words))
        longest_first = sorted(patterns, key=lambda p: (-len(p), p))
        self._pattern = re.compile("|".join(longest_first)) if patterns else None

    def painter(self, title: str) -> str | None:
        """The painter named first in a title, if it does not say that the picture is a copy, or another's."""
        if self._pattern is None:
            return None
        text = fold(title)
        end_of_other = -1
        for match in self._pattern.finditer(text):
            joined = end_of_other >= 0 and _AND.fullmatch(text, end_of_other, match.start())
            if (
                not joined
                and not _BEFORE.search(text[: match.start()])
                and not _AFTER.match(text, match.end())
            ):
                return self._painters["".join(_WORD.findall(match[0]))]
            end_of_other = match.end()
        return None


def fold(text: str) -> str:
    """Text in which names are compared: NFKC, lower case, without accents, in simplified characters."""
    return "".join(map(_simplified, _plain(text)))


class _Form:
    """A name as it is compared."""

    def __init__(self, name: str):
        self.name = name
        self.plain = _words(_plain(name))
        self.words = _words(fold(name))
        self.sorted = sorted(self.words)
        self.text = fold(name)
        self.without_digits = re.sub(r"\d", "", self.text)


def _candidates(forms: Iterable[_Form]) -> Iterable[tuple[_Form, _Form]]:
    """Pairs that share their words, or all but a letter of each: all others are no near names."""
    sharing = defaultdict(list)
    for form in forms:
        less = {form.text[:i] + form.text[i + 1 :] for i in range(len(form.text))}
        for key in {form.text, *less, " ".join(form.sorted)}:
            sharing[key].append(form)
    return itertools.chain.from_iterable(itertools.combinations(some, 2) for some in sharing.values())


def _likeness(a: _Form, b: _Form) -> str:
    """Why two names may be one painter's; empty if nothing says so."""
    if a.without_digits == b.without_digits and a.text != b.text:
        return ""  # "Painter 1" and "Painter 2" are two
    if a.words and a.sorted == b.sorted:
        if a.plain == b.plain:
            return "only case, accents, spaces or punctuation differ"
        same_order = a.words == b.words
        return "traditional and simplified characters" if same_order else "the same words in another order"
    if min(len(a.name), len(b.name)) > 2 and _one_edit_apart(a.text, b.text):
        return "one character differs"
    return ""


def _one_edit_apart(a: str, b: str) -> bool:
    """Whether one character replaced, added or left out makes one name the other."""
    short, long = sorted((a, b), key=len)
    if len(long) - len(short) > 1:
        return False
    start = next((i for i, (x, y) in enumerate(zip(short, long, strict=False)) if x != y), len(short))
    return short[start + (len(short) == len(long)) :] == long[start + 1 :]


def _words(text: str) -> list[str]:
    """The words of a folded name; a name in Chinese is one, whatever its spaces."""
    words = _WORD.findall(text)
    return ["".join(words)] if _CHINESE.search(text) else words


def _orders(name: str) -> Iterable[list[str]]:
    """A folded name's words as titles may have them: as written, and with the family name before or after."""
    text = fold(name)
    words = _WORD.findall(text)
    is_chinese = bool(_CHINESE.search(text))
    if len("".join(words)) < (2 if is_chinese else 3) or "".join(words).isdigit():
        return []
    if is_chinese:
        return [words]
    family, comma, given = text.partition(",")
    if comma and _WORD.search(given):
        return [words, _WORD.findall(given) + _WORD.findall(family)]
    return [words, [words[-1], *words[:-1]]]


def _title_pattern(words: list[str]) -> str:
    between = r"[\s·]*" if _CHINESE.search("".join(words)) else r"[\W_]+"
    return f"(?<!{_LETTER}){between.join(words)}(?!{_LETTER})"


def _plain(text: str) -> str:
    """NFKC, lower case, no surplus spaces, no accents on letters."""
    parts = unicodedata.normalize("NFD", normalise(text).casefold())
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", parts))


@functools.cache
def _simplified(character: str) -> str:
    """One by one, so that a name is written alike alone and within a title."""
    return _to_simplified().convert(character) if _CHINESE.match(character) else character


@functools.cache
def _to_simplified():
    from opencc import OpenCC  # only where there are Chinese names

    return OpenCC("t2s")

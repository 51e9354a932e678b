"""The settings of a rating study, each with its comment, read from a TOML file and checked."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from workbench.core import options
from workbench.core.errors import WorkbenchError
from workbench.core.options import Range
from workbench.data.moods import MOODS
from workbench.rating.words import LANGUAGES, Words, blanks

ORIGINAL = "original"  # the "style" of an unchanged picture
SLIDER = (0, 100)  # values of its ends
_RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")
# columns of the exported tables, and names by which `workbench ratings` finds pictures and raters
_TAKEN = {"rater", "participant", "subject", "observer", "path", "picture", "stimulus", "image", "item"} | {
    "source", "style", "other", "side",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Scale:
    """One question about a picture, and how it is answered."""

    name: str  # column of the table: letters, digits and _
    question: str  # text shown to raters
    # see docs/rating_studies.md
    kind: Literal["slider", "likert", "sam", "choice", "mood", "preference"] = "slider"
    low: str = ""  # label of the low end of a slider, a Likert or a SAM scale
    high: str = ""  # label of the high end
    points: Annotated[int, Range(2, 11)] | None = None  # of a Likert scale (7) or of SAM (9, or 5)
    figure: Literal["pleasure", "arousal", "dominance"] = "pleasure"  # what the manikins of SAM show
    options: tuple[str, ...] = ()  # answers of a choice, as in the table
    labels: tuple[str, ...] = ()  # labels shown to raters instead, in the same order

    def __post_init__(self) -> None:
        def refuse(what: str) -> None:
            raise WorkbenchError(f"Expected {what} in the scale {self.name[:40]!r}.")

        if not self.name.isidentifier() or not self.name.isascii() or self.name.casefold() in _TAKEN:
            refuse("a name of letters, digits and _ that is not a column of the tables already")
        if not self.question.strip():
            refuse("a question")
        if self.kind == "sam" and self.points not in (None, 5, 9):
            refuse("points = 5 or points = 9 (SAM)")
        if self.kind == "choice" and (
            len(set(self.options)) < 2 or len(set(self.options)) < len(self.options)
        ):
            refuse("two options or more, all different,")
        if self.kind != "choice" and self.options:
            refuse(f'no options (they are of kind = "choice", this is a {self.kind})')
        if self.labels and len(self.labels) != len(self.values):
            refuse(f"{len(self.values)} labels, one for each answer, not {len(self.labels)},")

    @property
    def values(self) -> tuple[int | str, ...]:
        """All possible answers; for a slider its two ends."""
        match self.kind:
            case "choice":
                return self.options
            case "mood":
                return tuple(MOODS)
            case "preference":
                return 1, 2
            case "slider":
                return SLIDER
        return tuple(range(1, (self.points or {"likert": 7, "sam": 9}[self.kind]) + 1))

    def shown(self, language: str = "en") -> tuple[str, ...]:
        """Text shown to raters for each value: its label, the label of an end, or the number."""
        if self.labels:
            return self.labels
        if self.kind == "mood":
            chinese = language.startswith("zh")
            return tuple(
                m["name_zh"] if chinese else f"{name.capitalize()} {m['name_zh']}"
                for name, m in MOODS.items()
            )
        words = [str(value) for value in self.values]
        if self.kind == "slider":
            return self.low or words[0], self.high or words[1]
        return tuple(words)

    def check(self, value: Any) -> int | float | str:
        """An answer, as stored.

        Raises:
            WorkbenchError: not a possible answer.
        """
        if self.kind == "slider":
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if is_number and SLIDER[0] <= value <= SLIDER[1]:
                return value
            raise WorkbenchError(f"Expected {self.name} to be a number from 0 to 100.")
        if isinstance(value, bool) or value not in self.values:
            raise WorkbenchError(f"Expected {self.name} to be one of {', '.join(map(str, self.values))}.")
        return self.values[self.values.index(value)]


@dataclasses.dataclass(frozen=True)
class Study:
    """A rating study."""

    title: str  # heading of every page
    consent: str  # what raters agree to before they start; empty lines separate paragraphs
    pictures: Path  # folder of the pictures, relative to the study's file
    scales: tuple[Scale, ...]  # one [[scales]] each; all of kind "preference": pairs are compared
    instructions: str = ""  # shown before the first trial
    thanks: str = ""  # shown after the last one, for example with a code for payment
    language: str = "en"  # of the texts; the pages' own texts exist in en and zh, see [words]
    practice: Path | None = None  # folder of pictures for practice trials, whose answers are left out
    # random for each rater, balanced, or by file name
    order: Literal["random", "williams", "fixed"] = "random"
    # pictures (or pairs) per rater, those with the fewest ratings first
    per_rater: Annotated[int, Range(1, 1000)] | None = None
    styles: tuple[str, ...] = (ORIGINAL,)  # "original", and styles in which the pictures are redrawn
    # whether a rater sees a picture in one of several styles, by Latin square, or in all
    see: Literal["one", "all"] = "one"
    break_every: Annotated[int, Range(0, 1000)] = 20  # trials between two breaks; 0: none
    attention_every: Annotated[int, Range(0, 1000)] = 15  # trials between two attention checks; 0: none
    most_raters: Annotated[int, Range(1, 100_000)] = 1000  # with so many the study is closed to new raters
    # of a picture as shown; larger ones are scaled down
    megapixels: Annotated[float, Range(0.05, 20)] = 1.5
    seed: int = 0  # of the orders
    words: Words | None = None  # the pages' own words, where others are wanted

    def __post_init__(self) -> None:
        names = [scale.name for scale in self.scales]
        if not names or len(set(names)) < len(names):
            raise WorkbenchError(
                "Expected one [[scales]] or more, of different names, but got: "
                f"{', '.join(names)[:80] or 'none'}."
            )
        if not self.consent.strip() or not self.title.strip():
            raise WorkbenchError("Expected a title and a consent text but one of them is empty.")
        kinds = {scale.kind == "preference" for scale in self.scales}
        if len(kinds) > 1:
            raise WorkbenchError(
                "Expected preferences alone or none but the scales mix them with ratings of one picture. "
                "Make two studies of them."
            )
        if not self.styles or len(set(self.styles)) < len(self.styles):
            raise WorkbenchError(
                f"Expected styles, each once, but got: {', '.join(self.styles)[:80] or 'none'}."
            )
        if self.per_rater is not None and self.order != "random":
            raise WorkbenchError(
                'Expected order = "random" with per_rater, as raters see different pictures.'
            )
        if self.is_pairs and self.order == "williams":
            raise WorkbenchError('Expected order = "random" or "fixed" for pairs but got "williams".')

    @property
    def is_pairs(self) -> bool:
        """Whether raters compare two pictures."""
        return self.scales[0].kind == "preference"

    @property
    def spoken(self) -> Words:
        """The pages' own texts."""
        return self.words or LANGUAGES.get(self.language.partition("-")[0].casefold(), Words())

    @property
    def direction(self) -> str:
        """Of the script."""
        return "rtl" if self.language.partition("-")[0].casefold() in _RIGHT_TO_LEFT else "ltr"


_TEMPLATES = Path(__file__).parent / "templates"


def templates() -> dict[str, str]:
    """Templates of study files by name; ``{file}`` stands for the name of the file."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(_TEMPLATES.glob("*.toml"))}


def load(path: str | os.PathLike) -> Study:
    """Read a study from a TOML file; its folders are relative to the file.

    Raises:
        WorkbenchError: the file cannot be read, or something in it is unknown, missing or wrong.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise WorkbenchError(f"{path} cannot be read as a study ({reason}). Check it.") from error
    try:
        study = _study(content)
    except WorkbenchError as error:
        raise WorkbenchError(f"{path.name}: {error}") from error
    beside = {
        name: path.parent / folder for name in ("pictures", "practice") if (folder := getattr(study, name))
    }
    return dataclasses.replace(study, **beside)


def _study(content: Mapping[str, Any]) -> Study:
    """A checked study. The names in [[scales]] and [words] are checked there, so that errors say where."""
    changes = dict(content)
    scales = changes.get("scales", [])
    if not isinstance(scales, list) or not all(isinstance(scale, dict) for scale in scales):
        raise WorkbenchError("Expected the scales as [[scales]], one for each question.")
    if "scales" in changes:
        changes["scales"] = [
            _within(f"[[scales]] {number}", Scale, scale) for number, scale in enumerate(scales, 1)
        ]
    for name in ("pictures", "practice"):
        if name in changes and not isinstance(changes[name], str):
            raise WorkbenchError(f"Expected {name} to be a folder in quotes.")
    words = changes.pop("words", None)
    study = options.build(Study, changes)
    if words is None:
        return study
    if not isinstance(words, dict):
        raise WorkbenchError("Expected the words under [words].")
    _within("[words]", Words, words)
    for name, text in words.items():
        _check_blanks(name, text, blanks(getattr(Words(), name)))
    return dataclasses.replace(study, words=dataclasses.replace(study.spoken, **words))


def _within(where: str, cls: type, changes: Mapping[str, Any]) -> Any:
    try:
        return options.build(cls, changes)
    except WorkbenchError as error:
        raise WorkbenchError(f"in {where}: {error}") from error


def _check_blanks(name: str, text: str, known: set[str]) -> None:
    try:
        unknown = blanks(text) - known
    except ValueError:
        unknown = {"{"}
    if unknown:
        shown = ", ".join(f"{{{blank}}}" for blank in sorted(known)) or "none"
        raise WorkbenchError(f"in [words]: {name} may have these names in braces: {shown}.")

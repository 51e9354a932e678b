"""Data collection of a study: raters start, resume and answer; the experimenter follows their progress."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import hmac
import math
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.core.cache import key
from workbench.core.errors import WorkbenchError
from workbench.core.runs import write_rows
from workbench.metrics.reliability import krippendorff_alpha, split_half
from workbench.rating.plan import ATTENTION, RATING, Cell, Design, Trial
from workbench.rating.stimuli import Stimulus, prepare
from workbench.rating.store import AnswerRow, RaterRow, Store
from workbench.rating.study import Scale, Study

TABLES = ("ratings", "answers", "raters")  # exported as CSV
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # no 0, 1, I or O: 5 bits a letter
_LETTERS = 16  # 80 bits
# seconds without an answer after which a rater's place in the design is reassigned
_SILENT = 86_400.0
_SLACK = 10  # largest distance from the requested end at which a slider's attention check is passed
_LONGEST = 86_400.0  # longest response time in seconds


class StudyChangedError(WorkbenchError):
    """The folder holds answers to a different study."""


@dataclasses.dataclass(frozen=True)
class Rater:
    """A participant, identified by a code."""

    number: int
    code: str
    trials: tuple[Trial, ...]
    answered: int

    @property
    def is_done(self) -> bool:
        """Whether every trial is answered."""
        return self.answered >= len(self.trials)


class Collection:
    """The ratings of a study in a folder. Safe to share between threads.

    Args:
        study: what is asked.
        folder: for answers and prepared pictures; created if missing.

    Attributes:
        stimuli: prepared pictures by their address.
        skipped: one line per picture that cannot be shown.
        key: opens the experimenter's page.

    Raises:
        WorkbenchError: the folder cannot be used, or see :func:`workbench.rating.stimuli.prepare`.
        StudyChangedError: raters have answered a different study there.
    """

    def __init__(self, study: Study, folder: str | os.PathLike):
        self.study, self.folder = study, Path(folder)
        prepared, self.skipped = prepare(study, self.folder / "pictures")
        self.stimuli = {stimulus.id: stimulus for stimulus in prepared}
        self._design = Design(study, prepared)
        self._scales = {scale.name: scale for scale in study.scales}
        self._store = Store(self.folder / "answers.sqlite")
        self._beginning = threading.Lock()
        self.key = self._store.meta("key", secrets.token_urlsafe(24))
        self._secret = self._store.meta("secret", secrets.token_hex(32)).encode()
        self._check_unchanged(prepared)

    def _check_unchanged(self, prepared: Sequence[Stimulus]) -> None:
        """Refuse changes that would make answers incomparable once a rater has started; texts may change."""
        study, texts = self.study, ("title", "consent", "instructions", "thanks", "words", "language")
        settled = {f.name: getattr(study, f.name) for f in dataclasses.fields(study) if f.name not in texts}
        limits = ("pictures", "practice", "most_raters", "break_every", "attention_every")
        settled = {name: value for name, value in settled.items() if name not in limits}
        asked = [(s.name, s.kind, s.values, s.figure) for s in settled.pop("scales")]
        shown = [(s.id, s.picture, s.is_practice, s.file.name) for s in prepared]
        digest = key("rating-study", 1, (settled, asked), pictures=shown)
        begun = self._store.meta("study", digest)
        if begun != digest:
            if self._store.raters():
                raise StudyChangedError(
                    f"Raters have started a different study in {self.folder}: pictures, scales, styles or "
                    "order differ. Give the changed study another folder (--data), or undo the change."
                )
            self._store.set_meta("study", digest)

    def begin(self, ticket: str = "") -> str:
        """Register a new rater and return the code. The same ticket gives the same code, so that a repeated
        request registers nobody twice.

        Raises:
            WorkbenchError: the study has the maximum number of raters.
        """
        code = self._code(ticket or secrets.token_hex(16))
        with self._beginning:
            if self._store.raters(_digest(code)):
                return code
            raters = self._store.raters()
            if len(raters) >= self.study.most_raters:
                raise WorkbenchError(self.study.spoken.closed)
            number = self._next_number(raters)
            rng = np.random.default_rng([self.study.seed, number])
            now = time.time()
            counted = [r for r in raters if r.answered >= len(r.trials) or now - r.last < _SILENT]
            cell = self._design.choose_cell([Cell(*r.place) for r in counted], rng)
            counts = Counter(tuple(t["stimuli"]) for r in counted for t in r.trials if t["phase"] == RATING)
            trials = self._design.trials(cell, counts, rng)
            self._store.add_rater(
                number, _digest(code), [cell.row, cell.rotation], [t.pack() for t in trials], now
            )
        return code

    def _next_number(self, raters: Sequence[RaterRow]) -> int:
        """A number that was never used, not even by a rater who withdrew."""
        number = max([0, int(self._store.meta("last", "0")), *(r.number for r in raters)]) + 1
        self._store.set_meta("last", str(number))
        return number

    def forget(self, name: str) -> None:
        """Delete a rater, given by name ("r007") or code, with all answers, as participants may withdraw.

        Raises:
            WorkbenchError: there is no such rater.
        """
        rater = self.rater(name)
        number = str(rater.number) if rater else name.removeprefix("r")
        if not (number.isdecimal() and self._store.remove(int(number))):
            raise WorkbenchError(f"Expected r001 or another rater, or a code, but got {name[:40]!r}.")

    def _code(self, ticket: str) -> str:
        """The rater's code; the database stores only its digest."""
        number = int.from_bytes(hmac.digest(self._secret, ticket.encode(), "sha256")[:10], "big")
        letters = "".join(_ALPHABET[number >> 5 * i & 31] for i in range(_LETTERS))
        return _in_groups(letters)

    def rater(self, code: str) -> Rater | None:
        """The rater with this code, in whatever case and grouping it was typed; None if there is none."""
        letters = "".join(c for c in code[:80].upper() if c in _ALPHABET)
        if len(letters) != _LETTERS:
            return None
        code = _in_groups(letters)
        rows = self._store.raters(_digest(code))
        if not rows:
            return None
        return Rater(rows[0].number, code, tuple(map(Trial.unpack, rows[0].trials)), rows[0].answered)

    def scales_of(self, trial: Trial) -> list[Scale]:
        """The scales that a trial asks for."""
        return [self._scales[trial.scale]] if trial.phase == ATTENTION else list(self.study.scales)

    def answer(
        self,
        rater: Rater,
        trial: int,
        values: Mapping[str, Any],
        seconds: float,
        seconds_of: Mapping[str, float] | None = None,
        hidden_seconds: float = 0.0,
    ) -> int:
        """Store the answers to a trial, on disk when this returns. Earlier answers are never replaced.

        Args:
            rater: who answered.
            trial: index among the rater's trials.
            values: answer on every scale of the trial.
            seconds: from the display of the picture to the end of the trial.
            seconds_of: likewise, to the last change of each scale.
            hidden_seconds: time during which the page was not visible.

        Returns:
            Number of trials answered so far.

        Raises:
            WorkbenchError: an answer is missing, for an unknown scale or not a value of the scale.
            IndexError: no such trial, or an earlier one is unanswered.
        """
        if not 0 <= trial < len(rater.trials):
            raise IndexError(trial)
        asked = self.scales_of(rater.trials[trial])
        unknown = set(values) - {scale.name for scale in asked}
        if unknown:
            raise WorkbenchError(f"Expected answers to {', '.join(s.name for s in asked)} only.")
        missing = [scale.name for scale in asked if values.get(scale.name) is None]
        if missing:
            raise WorkbenchError(f"Expected an answer to {', '.join(missing)}.")
        given = {
            "values": {scale.name: scale.check(values[scale.name]) for scale in asked},
            "seconds": _seconds(seconds),
            "seconds_of": {s.name: _seconds((seconds_of or {}).get(s.name, seconds)) for s in asked},
            "hidden": _seconds(hidden_seconds),
        }
        return self._store.add_answer(rater.number, trial, given)

    def progress(self) -> list[dict[str, Any]]:
        """One row per rater: rater, began and last_answer (UTC), answered, trials, is_done, checks_passed,
        checks_failed and median_seconds of a trial.
        """
        checks: dict[int, list[bool]] = {}
        seconds: dict[int, list[float]] = {}
        raters = {row.number: row for row in self._store.raters()}
        for row in self._store.answers():
            trial = Trial.unpack(raters[row.rater].trials[row.trial])
            if trial.phase == ATTENTION:
                checks.setdefault(row.rater, []).append(self._is_passed(trial, row))
            elif trial.phase == RATING:
                seconds.setdefault(row.rater, []).append(row.given["seconds"])
        return [
            {
                "rater": _name(row.number),
                "began": _time(row.began),
                "last_answer": _time(row.last),
                "answered": row.answered,
                "trials": len(row.trials),
                "is_done": row.answered >= len(row.trials),
                "checks_passed": sum(checks.get(row.number, [])),
                "checks_failed": len(checks.get(row.number, [])) - sum(checks.get(row.number, [])),
                "median_seconds": float(np.median(seconds.get(row.number, [math.nan]))),
            }
            for row in raters.values()
        ]

    def _is_passed(self, trial: Trial, row: AnswerRow) -> bool:
        value = row.given["values"][trial.scale]
        if self._scales[trial.scale].kind == "slider":
            return abs(value - trial.answer) <= _SLACK
        return value == trial.answer

    def ratings(self) -> list[dict[str, Any]]:
        """One row per rater and picture: rater, picture, source, style and a column per scale.

        Both pictures of a pair have a row: 1 if preferred to the picture in the column other, else 0.
        Practice and attention checks are left out.
        """
        rows = []
        for trial, row in self._answered():
            if trial.phase != RATING:
                continue
            shown = [self.stimuli[i] for i in trial.stimuli]
            for side, stimulus in enumerate(shown, 1):
                values = row.given["values"]
                names = _named(row.rater, stimulus)
                if len(shown) == 2:
                    names |= {"other": shown[2 - side].picture, "side": f"side {side}"}
                    values = {name: int(value == side) for name, value in values.items()}
                rows.append(names | values)
        return rows

    def answers(self) -> list[dict[str, Any]]:
        """One row per answer, including practice and attention checks, with time and duration."""
        rows = []
        for trial, row in self._answered():
            shown = [self.stimuli[i] for i in trial.stimuli]
            for name, value in row.given["values"].items():
                rows.append(
                    {
                        "rater": _name(row.rater),
                        "trial": row.trial + 1,
                        "phase": trial.phase,
                        "picture": shown[0].picture if shown else "",
                        "other": shown[1].picture if len(shown) > 1 else "",
                        "scale": name,
                        "value": value,
                        "asked_for": "" if trial.answer is None else trial.answer,
                        "seconds": row.given["seconds_of"][name],
                        "trial_seconds": row.given["seconds"],
                        "hidden_seconds": row.given["hidden"],
                        "saved": _time(row.saved),
                    }
                )
        return rows

    def _answered(self) -> list[tuple[Trial, AnswerRow]]:
        trials = {row.number: row.trials for row in self._store.raters()}
        return [(Trial.unpack(trials[row.rater][row.trial]), row) for row in self._store.answers()]

    def agreement(self) -> list[dict[str, Any]]:
        """One row per scale: scale, ratings, mean, alpha (Krippendorff's), split_half; nan if unknown."""
        rows, scales = self.ratings(), []
        pictures = {name: i for i, name in enumerate(dict.fromkeys(row["picture"] for row in rows))}
        raters = {name: i for i, name in enumerate(dict.fromkeys(row["rater"] for row in rows))}
        for scale in self.study.scales:
            names = (
                {value: n for n, value in enumerate(scale.values)} if scale.kind in ("choice", "mood") else {}
            )
            sums, counts = (np.zeros((max(len(pictures), 2), max(len(raters), 2))) for _ in range(2))
            for row in rows:
                place = pictures[row["picture"]], raters[row["rater"]]
                sums[place] += names.get(row[scale.name], row[scale.name]) if names else row[scale.name]
                counts[place] += 1
            with np.errstate(invalid="ignore"):
                table = sums / np.where(counts > 0, counts, np.nan)
            known = table[~np.isnan(table)]
            alpha = krippendorff_alpha(table, "nominal" if names else "interval") if len(known) else math.nan
            scales.append(
                {
                    "scale": scale.name,
                    "ratings": int(counts.sum()),
                    "mean": math.nan if names or not len(known) else float(known.mean()),
                    "alpha": alpha,
                    "split_half": math.nan if names or not len(known) else split_half(table),
                }
            )
        return scales

    def export(self, folder: str | os.PathLike) -> list[Path]:
        """Write ratings.csv, answers.csv and raters.csv; the first is what `workbench ratings` reads.

        Raises:
            WorkbenchError: there is no answer yet, or a file cannot be written.
        """
        if not self._store.answers():
            raise WorkbenchError(f"Expected answers in {self.folder} but there are none yet.")
        return [write_rows(self.table(name), Path(folder) / f"{name}.csv") for name in TABLES]

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of one of :data:`TABLES`."""
        return {"ratings": self.ratings, "answers": self.answers, "raters": self.progress}[name]()

    def close(self) -> None:
        """Close the file of the answers."""
        self._store.close()


def _in_groups(letters: str) -> str:
    return "-".join(letters[i : i + 4] for i in range(0, _LETTERS, 4))


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()


def _name(number: int) -> str:
    return f"r{number:03d}"


def _named(rater: int, stimulus: Stimulus) -> dict[str, Any]:
    return {
        "rater": _name(rater),
        "picture": stimulus.picture,
        "source": stimulus.source,
        "style": stimulus.style,
    }


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")


def _seconds(value: Any) -> float:
    """A duration reported by the browser.

    Raises:
        WorkbenchError: not a duration.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LONGEST:
        raise WorkbenchError("Expected a time in seconds, from 0 to 86400.")
    return round(float(value), 3)

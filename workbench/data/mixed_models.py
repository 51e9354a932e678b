"""Linear mixed models of ratings, with random effects of raters and pictures.

    model = mixed_model(table, "pleasure ~ contrast", random=("rater", "picture"))
    print(model)

Raters use a scale differently and pictures differ in more than the measure, so ratings are not independent.
Crossed random effects of raters and pictures model this; a test that leaves one of them out finds effects
that are not there. The fit is by restricted maximum likelihood (statsmodels).

Sources: Baayen, Davidson and Bates, "Mixed-effects modeling with crossed random effects for subjects and
items", 2008; Judd, Westfall and Kenny, "Treating stimuli as a random factor in social psychology", 2012;
Nakagawa and Schielzeth, "A general and simple method for obtaining R² from generalized linear mixed-effects
models", 2013; SAS/STAT, "The MIXED procedure" (containment degrees of freedom).
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from workbench.core.errors import DatasetError
from workbench.core.extras import require

if TYPE_CHECKING:
    import pandas

__all__ = ["FixedEffect", "MixedModel", "RandomEffect", "mixed_model"]

_FEW = 6  # levels below which a variance is poorly estimated


class FixedEffect(NamedTuple):
    """How much the rating changes with a term."""

    term: str
    estimate: float  # in points of the scale
    se: float
    df: float  # of Student's t, by containment
    p: float  # two-sided, of "no effect"
    low: float
    high: float


class RandomEffect(NamedTuple):
    """Standard deviation between the levels of a factor, or of single answers (the residual)."""

    factor: str
    levels: int
    variance: float
    sd: float
    share: float  # of the sum of all variances


@dataclasses.dataclass(frozen=True)
class MixedModel:
    """A fitted model. ``print`` shows it as a table."""

    formula: str
    fixed: tuple[FixedEffect, ...]
    random: tuple[RandomEffect, ...]  # the residual is the last
    observations: int
    r2_marginal: float  # share of variance that the fixed effects explain
    r2_conditional: float  # share that fixed and random effects explain
    converged: bool
    notes: tuple[str, ...]  # notes for the reader

    def effect(self, term: str) -> FixedEffect:
        """The fixed effect of a term.

        Raises:
            KeyError: no such term.
        """
        return {one.term: one for one in self.fixed}[term]

    def rows(self) -> list[dict[str, Any]]:
        """A row per effect, for a table: kind, name and its numbers."""
        fixed = [{"kind": "fixed", "name": one.term, **one._asdict()} for one in self.fixed]
        random = [{"kind": "random", "name": one.factor, **one._asdict()} for one in self.random]
        return [{k: v for k, v in row.items() if k not in ("term", "factor")} for row in fixed + random]

    def __str__(self) -> str:
        lines = [f"{self.formula}   ({self.observations} ratings)", ""]
        width = max(map(len, [*(one.term for one in self.fixed), *(one.factor for one in self.random)]))
        lines.append(f"{'':{width}}  estimate      low     high       df        p")
        for one in self.fixed:
            numbers = f"{one.estimate:9.3f}{one.low:9.3f}{one.high:9.3f}{one.df:9.0f}{one.p:9.4f}"
            lines.append(f"{one.term:{width}} {numbers}")
        lines += ["", f"{'':{width}}    levels       sd    share"]
        lines += [f"{r.factor:{width}} {r.levels:9d}{r.sd:9.3f}{r.share:9.3f}" for r in self.random]
        lines += [
            "",
            f"R² of fixed effects {self.r2_marginal:.3f}, with random ones {self.r2_conditional:.3f}",
        ]
        return "\n".join([*lines, *self.notes])


def mixed_model(
    table: pandas.DataFrame | Mapping[str, Sequence],
    formula: str,
    random: Sequence[str] = ("rater", "picture"),
    level: float = 0.95,
) -> MixedModel:
    """Fit a linear model of ratings with crossed random effects.

    Degrees of freedom are those of containment: an effect that does not vary within pictures is tested
    against the number of pictures, one that does not vary within raters against that of raters, however many
    ratings there are. A full design of 20 raters and 200 pictures takes about 10 s.

    Args:
        table: one row per rating.
        formula: "rating ~ terms" in patsy's language: words are classes, ``scale(x)`` standardises. It is
            evaluated as Python: never use one from an untrusted source.
        random: columns whose levels have an effect each; "rater:condition" gives one to every combination,
            which lets the effect of the condition differ between raters.
        level: of the intervals.

    Raises:
        DatasetError: a formula that does not fit the table, ratings that are all equal or no numbers, a
            random effect without repetition, or fixed effects that cannot be told apart.
        MissingExtraError: statsmodels is not installed.
    """
    require("ratings")
    import pandas

    frame = pandas.DataFrame(table).reset_index(drop=True)
    used, y, x, notes = _design(frame, formula, random)
    codes = {name: _codes(used, name, notes) for name in random}
    _check_design(y, x, formula)
    fit = _fit(y, x, codes, notes)
    variances = {name: float(v) for name, v in zip(fit.model.exog_vc.names, fit.vcomp, strict=True)}
    residual = float(fit.scale)
    total = sum(variances.values()) + residual
    for name, value in variances.items():
        if value < 1e-4 * total:
            notes.append(f"No variance between levels of {name} was found: its estimate is 0.")
    levels = {name: int(code.max()) + 1 for name, code in codes.items()}
    explained = float(np.var(x.to_numpy() @ fit.fe_params.to_numpy()))
    whole = explained + total
    parts = [
        RandomEffect(n, levels[n], variances[n], variances[n] ** 0.5, variances[n] / total) for n in random
    ]
    parts.append(RandomEffect("residual", len(y), residual, residual**0.5, residual / total))
    return MixedModel(
        formula,
        _fixed_effects(fit, x, codes, level),
        tuple(parts),
        len(y),
        explained / whole,
        (whole - residual) / whole,
        bool(fit.converged),
        tuple(notes),
    )


def _design(
    frame: pandas.DataFrame, formula: str, random: Sequence[str]
) -> tuple[pandas.DataFrame, NDArray[np.float64], pandas.DataFrame, list[str]]:
    """The rows that are complete, their ratings, the matrix of fixed effects, and notes."""
    import patsy

    for name in (part for term in random for part in term.split(":")):
        if name not in frame:
            raise DatasetError(
                f"Expected a column {name} for a random effect but the table has: {', '.join(frame)}."
            )
    if "~" not in formula:
        raise DatasetError(f"Expected a formula such as 'pleasure ~ contrast' but got {formula!r}.")
    try:
        left, right = patsy.dmatrices(formula, frame, return_type="dataframe")
    except (patsy.PatsyError, SyntaxError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise DatasetError(
            f"The formula {formula!r} does not fit the table ({reason}). It has: {', '.join(frame)}."
        ) from error
    if left.shape[1] != 1:
        raise DatasetError(f"Expected numbers to the left of ~ in {formula!r} but they are words.")
    factors = [part for term in random for part in term.split(":")]
    keep = frame.index.isin(left.index) & frame[factors].notna().all(axis=1)
    used = frame[keep]
    dropped = len(frame) - len(used)
    notes = [f"{dropped} of {len(frame)} rows lack a value and are left out."] if dropped else []
    return used, left.loc[used.index].iloc[:, 0].to_numpy(np.float64), right.loc[used.index], notes


def _codes(frame: pandas.DataFrame, term: str, notes: list[str]) -> NDArray[np.int64]:
    """(N,) level of a random effect on each row."""
    codes = frame.groupby(term.split(":"), sort=False).ngroup().to_numpy()
    counts = np.bincount(codes) if len(codes) else np.zeros(1)
    if len(counts) < 2 or counts.max() < 2:
        raise DatasetError(
            f"Expected two levels or more of {term}, with several ratings each, but got {len(counts)} of "
            f"{len(codes)} ratings. Leave it out of the random effects."
        )
    once = int((counts == 1).sum())
    if once:
        notes.append(f"{once} of {len(counts)} levels of {term} have one rating only.")
    if len(counts) < _FEW:
        notes.append(f"{term} has {len(counts)} levels: their variance is poorly estimated.")
    return codes


def _check_design(y: NDArray[np.float64], x: pandas.DataFrame, formula: str) -> None:
    if not np.isfinite(y).all() or not np.isfinite(x.to_numpy()).all():
        raise DatasetError(f"Expected finite values in {formula!r} but some are infinite.")
    if np.ptp(y) == 0:
        raise DatasetError(f"Expected ratings that differ but all {len(y)} are {y[0]:g}.")
    spread = x.to_numpy() / np.maximum(np.abs(x.to_numpy()).max(0), 1e-300)
    if np.linalg.matrix_rank(spread) < x.shape[1]:
        raise DatasetError(
            f"The terms of {formula!r} cannot be told apart ({', '.join(x)}): one follows from the others. "
            "Leave one out."
        )


def _fit(
    y: NDArray[np.float64], x: pandas.DataFrame, codes: Mapping[str, NDArray[np.int64]], notes: list[str]
) -> Any:
    """statsmodels' result. All rows are one group there, and each random effect a variance component."""
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    names = list(codes)
    columns = [[f"{n}[{i}]" for i in range(codes[n].max() + 1)] for n in names]
    matrices = [np.eye(codes[n].max() + 1)[codes[n]] for n in names]
    spec = VCSpec(names, [[c] for c in columns], [[m] for m in matrices])
    model = MixedLM(y, x, groups=np.zeros(len(y)), exog_re=None, exog_vc=spec)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        try:
            fit = model.fit(reml=True)
        except (np.linalg.LinAlgError, ValueError) as error:
            raise DatasetError(
                f"The model cannot be fitted ({error}). Leave a random effect or a term out."
            ) from error
    if not fit.converged or any(
        w.category is ConvergenceWarning and "converge" in str(w.message).lower() for w in raised
    ):
        notes.append(
            "The fit did not converge: do not trust its numbers. Leave out a random effect that has few "
            "levels or no variance, standardise the terms by scale(), or collect more ratings."
        )
    return fit


def _fixed_effects(
    fit: Any, x: pandas.DataFrame, codes: Mapping[str, NDArray[np.int64]], level: float
) -> tuple[FixedEffect, ...]:
    matrix = x.to_numpy()
    effects = []
    df = _containment(matrix, codes)
    for j, term in enumerate(x):
        estimate, se = float(fit.fe_params.iloc[j]), float(fit.bse_fe.iloc[j])
        half = float(student.ppf(0.5 + level / 2, df[j])) * se
        p = float(2 * student.sf(abs(estimate / se), df[j])) if se > 0 else float("nan")
        effects.append(FixedEffect(str(term), estimate, se, df[j], p, estimate - half, estimate + half))
    return tuple(effects)


def _containment(x: NDArray[np.float64], codes: Mapping[str, NDArray[np.int64]]) -> list[float]:
    """Degrees of freedom of each column: the rank that the random effect which contains it adds."""
    dummies = {name: np.eye(code.max() + 1)[code] for name, code in codes.items()}

    def rank(*parts: NDArray) -> int:
        whole = np.concatenate(parts, 1)
        scaled = whole / np.maximum(np.linalg.norm(whole, axis=0), 1e-300)
        return int(np.linalg.matrix_rank(scaled.T @ scaled, hermitian=True))

    everything = rank(x, *dummies.values())
    added = {name: everything - rank(x, *(d for n, d in dummies.items() if n != name)) for name in dummies}
    free = []
    for column in x.T:
        within = [added[name] for name, code in codes.items() if _constant_within(column, code)]
        free.append(float(max(1, min(within, default=len(x) - everything))))
    return free


def _constant_within(column: NDArray[np.float64], codes: NDArray[np.int64]) -> bool:
    high, low = np.full(codes.max() + 1, -np.inf), np.full(codes.max() + 1, np.inf)
    np.maximum.at(high, codes, column)
    np.minimum.at(low, codes, column)
    return bool((high - low <= 1e-12 * max(1.0, float(np.abs(column).max()))).all())

"""Do the intervals of a mixed model contain the true effects of simulated raters as often as they should?

Simulated raters of the atelier's pictures prefer warm colours and dislike dry strokes by known amounts. Each
simulated study is analysed twice: with raters, pictures and painters as random effects, and with raters
alone, as is often done.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from workbench.data.mixed_models import mixed_model
from workbench.data.rating_tables import rating_frame
from workbench.studies.ratings_regression import EFFECTS, simulated_table
from workbench.studies.study import TableStudy, register

RANDOM = {"raters, pictures and painters": ("rater", "picture", "painter"), "raters alone": ("rater",)}


@register
@dataclasses.dataclass(frozen=True)
class RatingsEffects(TableStudy):
    """Do the intervals of a mixed model contain the true effects of simulated raters as often as they should?

    One row per simulated study, model and term: truth, estimate, low, high, whether the interval contains the
    truth, and whether the fit converged.
    """

    keys = ("seed", "model")
    sources = ("data",)
    selection = ("studies",)

    data: str = "atelier:60"  # "atelier:N": factors must be known
    studies: int = 20  # number of simulated studies
    raters: int = 12  # raters of each

    def plan(self) -> list[dict]:
        return [{"seed": seed, "model": model} for seed in range(self.studies) for model in RANDOM]

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        def analyse(seed: int, model: str) -> list[dict]:
            folder = out / "cache"
            root, table = simulated_table(self.data, folder, self.raters, seed)
            frame = rating_frame(table, [root / "ratings.csv"])
            fitted = mixed_model(frame, f"pleasure ~ {' + '.join(EFFECTS)}", RANDOM[model])
            rows = []
            for term, truth in EFFECTS.items():
                one = fitted.effect(term)
                inside = one.low <= truth <= one.high
                rows.append(
                    {
                        "term": term, "truth": truth, "estimate": one.estimate, "low": one.low,
                        "high": one.high, "df": one.df, "inside": inside, "converged": fitted.converged,
                    }
                )  # fmt: skip
            return rows

        return analyse

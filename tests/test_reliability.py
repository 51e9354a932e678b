"""Agreement of raters on numbers, against published worked examples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workbench.metrics.reliability import ceiling, icc, krippendorff_alpha, split_half

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
_ = np.nan
KRIPPENDORFF = (
    np.array(  # four observers, twelve units: "Computing Krippendorff's alpha-reliability", section C
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
            [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
        ]
    ).T
)


def test_intraclass_correlations_of_the_paper():
    """Table 4 of Shrout and Fleiss, 1979."""
    found = {name: round(value, 2) for name, value in icc(SHROUT_FLEISS).items()}
    assert found == {
        "ICC(1,1)": 0.17, "ICC(2,1)": 0.29, "ICC(3,1)": 0.71,
        "ICC(1,k)": 0.44, "ICC(2,k)": 0.62, "ICC(3,k)": 0.91,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)]
)
def test_alpha_of_the_paper(level, alpha):
    assert krippendorff_alpha(KRIPPENDORFF, level) == pytest.approx(alpha, abs=5e-4)


def test_split_halves_find_the_reliability_of_the_mean():
    """Ratings are true + noise of equal variance: the mean of 8 has reliability 8 / (8 + 1)."""
    rng = np.random.default_rng(0)
    ratings = rng.normal(size=(4000, 1)) + rng.normal(size=(4000, 8))
    assert split_half(ratings, draws=20) == pytest.approx(8 / 9, abs=0.01)
    assert icc(ratings)["ICC(2,k)"] == pytest.approx(8 / 9, abs=0.01)
    holes = np.where(rng.random(ratings.shape) < 0.5, np.nan, ratings)  # about four raters each
    assert split_half(holes, draws=20) == pytest.approx(4 / 5, abs=0.05)
    assert ceiling(8 / 9) == pytest.approx(0.943, abs=1e-3)
    assert ceiling(-0.1) == 0


def test_what_says_nothing_is_nan():
    same = np.full((5, 3), 4.0)
    assert math.isnan(krippendorff_alpha(same))
    assert math.isnan(split_half(same))
    assert all(math.isnan(v) for v in icc(same).values())
    assert math.isnan(split_half([[1, 2], [2, np.nan], [3, np.nan]]))  # one target with two raters


def test_bad_tables():
    with pytest.raises(ValueError, match="missing"):
        icc([[1, 2], [3, np.nan]])
    with pytest.raises(ValueError, match="2 raters"):
        icc([[1], [2]])
    with pytest.raises(ValueError, match="nominal"):
        krippendorff_alpha(SHROUT_FLEISS, "odd")

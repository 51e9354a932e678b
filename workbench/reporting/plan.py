"""What a full report measures. Apart from it, so that whoever asks for one need not load torch."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class ReportPlan:
    """What is measured, and at which cost."""

    size: int = 224  # pixels of a view of the classifier
    folds: int = 5  # of the cross-validation; fewer if a class lies in fewer groups
    split_seeds: tuple[int, ...] = (0, 1, 2)  # one cross-validation each
    samples: int = 1000  # bootstrap samples over groups
    explained: int = 6  # pictures with a heat map
    judged: int = 12  # pictures that the heat maps are judged on
    redrawn: int = 4  # pictures shown redrawn
    shifted: int = 40  # pictures whose reading is compared before and after
    seed: int = 0  # of the choice of pictures

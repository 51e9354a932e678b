"""The study of the light classifier from another domain: who starts from what."""

import dataclasses

import pandas as pd
import pytest

from workbench import models
from workbench.studies import dkse as study


@pytest.mark.slow
def test_variants_start_from_what_their_architecture_learnt(tmp_path):
    config = dataclasses.replace(study.CONFIG, epochs=1, folds=2)
    asked = study.Dkse("atelier:10", config, study.PLANNED, samples=50, source="atelier:15", size=32)
    found = asked.estimators(tmp_path)
    starts = {label: estimator.config.initial for label, estimator in found.items()}
    assert starts[study.BASELINE] == starts["augmentation=none"]
    assert starts["kernels=3,3"] != starts[study.BASELINE]
    assert models.card(starts["kernels=3,3"]).arguments["kernels"] == [3, 3]
    assert found["augmentation=none"].config.augmentation == "none"
    assert {estimator.config.size for estimator in found.values()} == {32}
    assert len(pd.read_csv(tmp_path / "transfer_sources.csv")) == 2
    assert not any(
        e.config.initial for e in dataclasses.replace(asked, source="").estimators(tmp_path).values()
    )

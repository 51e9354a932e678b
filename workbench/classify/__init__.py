"""Estimators of mood: fit, predict, cross-validate, calibrate, compare.

    estimator = statistics.StatisticsEstimator(variants=("lite0",))  # or estimators.estimator_for(config)
    found = validation.cross_validate(estimator, paintings, folds=5, split_seeds=(0, 1, 2), out="runs/cache")
    found.probabilities()                                            # (S, N, C) calibrated, out of fold

**An estimator** follows scikit-learn's conventions: the constructor takes settings, ``fit`` learns, learnt
attributes end in ``_``; ``get_params``, ``set_params`` and ``sklearn.base.clone`` work. Instead of ``X, y``
it takes the paintings, which hold pictures, labels and votes, and the rows to use:

- ``fit(paintings, rows, seed=None) -> self``: ``rows`` are indices; ``seed`` defaults to the config's.
- ``predict_logits(paintings, rows)``, ``predict_proba(...)``: (len(rows), C); ``predict(...)``: (len(rows),).
- ``cache``: a :class:`~workbench.core.cache.Cache` for features of single pictures; ``parameters_``: the
  number of fitted parameters.

=================================  =========================================================================
``statistics.StatisticsEstimator``  ``lite_statistics``: a linear layer on frozen stage statistics
``views.ViewsEstimator``            ``lite0_classifier``: deep stages tuned on stored views
``embedding.EmbeddingEstimator``    ``backbone_probe``: a linear layer on embeddings of any frozen network
``finetune.FinetuneEstimator``      any other registered classifier, end to end
``probes.LinearProbe``              logistic regression on a source of :mod:`~workbench.classify.features`
``probes.SoftProbe``                the same towards the raters' votes
``probes.MajorityClass``            the frequencies of the classes: the floor
=================================  =========================================================================

**One cross-validation**, :func:`~workbench.classify.validation.cross_validate`: painters stay on one side of
every split, each picture is tested once per split seed, and the result is a ``Validation`` of typed ``Fold``
entries (``split_seed, fold, rows, logits, labels, seconds, parameters, provenance``). With ``out``, finished
folds are cached under a key of everything they depend on (see :mod:`workbench.core.cache`).

**One calibration**, :mod:`~workbench.classify.calibration`: the temperature of a fold is fitted on the other
folds; the temperature of the published model on all.

**One summary**, :mod:`~workbench.classify.summary`: ``score_rows`` (one row per fold),
``prediction_rows`` (one per picture), ``summarise`` (scores with intervals over painters, paired differences,
corrected p), and ``compare``, which does all of this for several estimators and writes a study's three
tables.
"""

from workbench.core import lazy

__getattr__, __dir__, __all__ = lazy.modules_of(__name__, __path__)
lazy.callable_package(__name__, "workbench.classify.classifier", "classify")

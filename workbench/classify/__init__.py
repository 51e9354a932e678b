"""Estimators of mood: fit, predict, cross-validate, calibrate, compare.

    estimator = StatisticsEstimator(variants=("lite0",))           # or estimator_for(config)
    validation = cross_validate(estimator, paintings, folds=5, split_seeds=(0, 1, 2), out="runs/cache")
    validation.probabilities()                                     # (S, N, C) calibrated, out of fold

**An estimator** follows scikit-learn's conventions: settings in, nothing learnt before ``fit``, what is learnt
ends in ``_``, ``get_params``, ``set_params`` and ``sklearn.base.clone`` work. Instead of ``X, y`` it takes the
paintings and the rows to use, since labels, votes and pictures lie together:

- ``fit(paintings, rows, seed=None) -> self``: ``rows`` are indices; ``seed`` is by default its own.
- ``predict_logits(paintings, rows)``, ``predict_proba(...)``: (len(rows), C); ``predict(...)``: (len(rows),).
- ``cache``: a :class:`~workbench.core.cache.Cache` for features of single pictures; ``parameters_``: how many
  numbers were fitted.

===========================================  =================================================================
:class:`~.statistics.StatisticsEstimator`    ``lite_statistics``: a linear layer on frozen stage statistics
:class:`~.views.ViewsEstimator`              ``lite0_classifier``: deep stages tuned on stored views
:class:`~.finetune.FinetuneEstimator`        any other registered classifier, end to end
:class:`~.probes.LinearProbe`                logistic regression on ImageNet features, squeezed or of views
:class:`~.probes.DescriptorProbe`            logistic regression on descriptors measured by hand
:class:`~.probes.MajorityClass`              the frequencies of the classes: the floor
===========================================  =================================================================

**One cross-validation**, :func:`~.validation.cross_validate`: painters stay on one side of every split, each
picture is tested once per split seed, and the result is a :class:`~.validation.Validation` of typed
:class:`~.validation.Fold`\\ s (``split_seed, fold, rows, logits, labels, seconds, parameters, provenance``). With
``out`` every finished fold is kept under the key of all that it depends on (see :mod:`workbench.core.cache`).

**One calibration**, :mod:`~.calibration`: the temperature of a fold comes from the other folds; the temperature
that is shipped comes from all. ``Validation.probabilities(calibrated=True)`` and ``Validation.temperature``.

**One summary**, :mod:`~.summary`: ``score_rows`` (one row per training), ``prediction_rows`` (one per picture),
``summarise(validations, baseline)`` (scores with intervals over painters, paired differences, corrected p), and
:func:`~.summary.compare`, which does all of it for several estimators and leaves three tables:

    compare("mafr", out, paintings, {"n=0": FinetuneEstimator(config), ...}, baseline="n=0", folds=3,
            split_seeds=(0, 1, 2), samples=2000, calibrated=False) -> Path of ``mafr.csv``

beside which lie ``mafr_predictions.csv`` and ``mafr_summary.csv``. A value of the mapping may be a function of
the split seed that gives the estimator. The tables are written from the kept folds, never appended to: they hold
the pictures and estimators of this call and no others.
"""

import importlib

_WHERE = {
    "StatisticsEstimator": "statistics",
    "ViewsEstimator": "views",
    "FinetuneEstimator": "finetune",
    "LinearProbe": "probes",
    "DescriptorProbe": "probes",
    "MajorityClass": "probes",
    "estimator_for": "estimators",
    "cross_validate": "validation",
    "Validation": "validation",
    "Fold": "validation",
    "compare": "summary",
    "summarise": "summary",
    "Classifier": "reading",
    "Reading": "readings",
    "classifiers": "readings",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str):
    """Import what is asked for when it is asked for: ``import workbench.classify`` does not bring torch."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)

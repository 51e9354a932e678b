"""Training recipes of stylizers, one file each: networks, losses, schedule and data.

All share steps, budgets, averaging, checkpoints and publication with :mod:`workbench.training.trainer`, so
that two methods differ only in what their papers specify. Their settings are in
:mod:`workbench.training.configs`.
"""

"""How a stylizer is taught, by the name of its paper: networks, losses, schedule and data; a file each.

All share steps, budgets, averaging, checkpoints and publication with :mod:`workbench.training.trainer`, so
that two methods differ in what their papers say and in nothing else. Their choices are in
:mod:`workbench.training.configs`.
"""

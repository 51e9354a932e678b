"""Orders of presentation that are balanced over raters.

Source: Williams, "Experimental designs balanced for the estimation of residual effects of treatments", 1949.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def williams(n: int) -> NDArray[np.int64]:
    """Williams design: a Latin square (n even), or two of them (n odd), balanced for first-order carry-over.

    Over all rows every item is equally often in every position, and follows every other item equally often:
    once for an even n, twice for an odd one.

    Args:
        n: items, at least 1.

    Returns:
        (rows, n): n rows if n is even or 1, else 2 n.
    """
    first = [0]
    for step in range(1, n):  # 0, 1, n - 1, 2, n - 2, …
        first.append((step + 1) // 2 if step % 2 else n - step // 2)
    square = (np.array(first) + np.arange(n)[:, None]) % n
    return square if n % 2 == 0 or n == 1 else np.concatenate([square, square[:, ::-1]])


def least_used(
    counts: NDArray, most: int, rng: np.random.Generator, limits: NDArray
) -> list[tuple[int, int]]:
    """Choose cells of a table, at most one per row, so that all cells are used equally often in the long run.

    Args:
        counts: (rows, columns) how often each cell was used.
        most: cells to choose, at most the rows.
        rng: breaks ties.
        limits: (columns,) how many cells of each column may be chosen; together at least ``most``.

    Returns:
        (row, column) of the chosen cells.
    """
    cost = counts.astype(float) + rng.random(counts.shape) / 2  # ties only: whole counts differ by 1
    left, chosen = limits.copy(), []
    for _ in range(most):
        row, column = np.unravel_index(np.argmin(np.where(left > 0, cost, np.inf)), cost.shape)
        chosen.append((int(row), int(column)))
        cost[row] = np.inf
        left[column] -= 1
    return chosen

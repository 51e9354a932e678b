"""Embeddings of a folder of pictures by an image network; :mod:`workbench.data.neighbours` compares them."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from workbench.core.cache import Cache, key
from workbench.core.errors import DatasetError, WorkbenchError
from workbench.data.images import list_images, read_image

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 16  # pictures per pass


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """Vectors of N pictures, aligned with ``paths``, and what was skipped."""

    paths: tuple[str, ...]  # POSIX paths relative to the folder
    vectors: NDArray[np.float32]  # (N, D)
    backbone: str
    skipped: dict[str, str]  # path -> reason

    def rows(self) -> list[dict[str, Any]]:
        """A row per picture: ``path`` and ``e0``, ``e1`` …"""
        names = [f"e{i}" for i in range(self.vectors.shape[1])]
        return [
            {"path": path, **dict(zip(names, vector, strict=True))}
            for path, vector in zip(self.paths, self.vectors.tolist(), strict=True)
        ]


def embed(
    folder: str | os.PathLike,
    backbone: str = "lite0",
    *,
    weights: str | os.PathLike | None = None,
    cache: str | os.PathLike | None = None,
    shard: tuple[int, int] | None = None,
    device: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> Embeddings:
    """Embed all pictures of a folder, at any depth, in batches.

    Args:
        folder: of pictures.
        backbone, weights: see :func:`workbench.models.backbones.load_backbone`.
        cache: folder that keeps the vectors by content, so that stopped work goes on; None keeps none.
        shard: (i, n) embeds the i-th of n parts only, each n-th picture from the i-th on.
        device: see :func:`workbench.core.devices.resolve`.
        progress: called with the share done; by default a progress bar on the terminal.

    Raises:
        DatasetError: no picture can be read.
        WeightsError: no such backbone, or its weights are not there or do not fit.
    """
    root = Path(folder)
    paths = list_images(root)
    if shard is not None:
        paths = paths[shard[0] - 1 :: shard[1]]
    if not paths:
        raise DatasetError(f"Expected pictures in {root} but found none. Check the folder.")
    kept = None if cache is None else Cache(cache)
    found, skipped = embed_files(
        paths, backbone, weights=weights, cache=kept, device=device, progress=progress
    )
    if not found:
        first = next(iter(skipped.values()))
        raise DatasetError(
            f"Expected pictures that can be read in {root} but none of {len(paths)} can. The first: {first}"
        )
    return Embeddings(
        tuple(path.relative_to(root).as_posix() for path in found),
        np.stack(list(found.values())),
        backbone,
        {path.relative_to(root).as_posix(): reason for path, reason in skipped.items()},
    )


def embed_files(
    paths: Sequence[Path],
    backbone: str = "lite0",
    *,
    weights: str | os.PathLike | None = None,
    cache: Cache | None = None,
    device: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[dict[Path, NDArray[np.float32]], dict[Path, str]]:
    """:func:`embed` for a list of files.

    Returns:
        The vector (D,) of each file that can be read, and the reason for each other.
    """
    from workbench.core.devices import in_batches, resolve
    from workbench.data.transforms import Squeeze, Views
    from workbench.models.backbones import load_backbone, weights_file

    known, target = load_backbone(backbone, weights), resolve(device)
    views = Views((Squeeze(known.size),), known.mean, known.std)
    settings = (backbone, weights_file(backbone, weights))
    found: dict[Path, NDArray[np.float32]] = {}
    skipped: dict[Path, str] = {}

    def compute(x: Tensor) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            return known.network.to(target)(x.to(target)).float().cpu().numpy()

    def alone(path: Path) -> dict[str, NDArray[np.float32]]:
        return {"x": compute(views(read_image(path)))[0]}

    def run(batch: Sequence[Path]) -> list[None]:
        names: dict[Path, str] = {}
        prepared: dict[Path, Tensor] = {}
        for path in batch:
            try:
                names[path] = key("embed", 2, settings, picture=path) if cache else ""
                if cache and f"{names[path]}.npz" in cache:
                    found[path] = cache.arrays(names[path], functools.partial(alone, path))["x"]
                else:
                    prepared[path] = views(read_image(path))
            except (WorkbenchError, OSError) as error:
                skipped[path] = str(error)
        if prepared:
            import torch

            for path, vector in zip(prepared, compute(torch.cat(list(prepared.values()))), strict=True):
                found[path] = vector
                if cache:
                    cache.arrays(names[path], functools.partial(dict, x=vector))
        return [None] * len(batch)

    with tqdm(total=len(paths), desc="embedding", unit="picture", disable=True if progress else None) as bar:

        def tell(done: int) -> None:
            bar.update(done - bar.n)
            if progress:
                progress(done / len(paths))

        in_batches(run, paths, BATCH, tell)
    return {path: found[path] for path in paths if path in found}, skipped

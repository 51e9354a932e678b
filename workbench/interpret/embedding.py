"""Embeddings of a folder of pictures by an image network, and what lies near what.

Nearest neighbours are exact, by faiss. Pictures whose embeddings are equal are compared once, so that a
folder of thousands of copies gives as many pairs as it has copies and not their square.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from tqdm import tqdm

from workbench.core.cache import Cache, key
from workbench.core.errors import DatasetError, WeightsError, WorkbenchError
from workbench.core.extras import require
from workbench.data.images import as_rgb, list_images, read_image

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Embeddings", "Pairs", "alike_pairs", "embed", "nearest", "outlier_scores"]

BATCH = 16  # pictures per pass
_LITE = ("lite0", "lite1")


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


class Pairs(NamedTuple):
    """M pairs of pictures that look alike, the most alike first."""

    first: NDArray[np.int64]  # (M,) index of a picture
    second: NDArray[np.int64]  # (M,) index of another, above `first`
    similarity: NDArray[np.float32]  # (M,) cosine


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network without its head, and how pictures are prepared for it."""

    network: nn.Module
    size: int  # pixels of the square that pictures are resized to
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        """(B, D) pooled features of B pictures."""
        import torch

        square = [
            np.asarray(as_rgb(i).resize((self.size, self.size), Image.Resampling.BICUBIC)) for i in images
        ]
        x: Tensor = torch.from_numpy(np.stack(square)).permute(0, 3, 1, 2).float().div_(255)
        mean, std = (torch.tensor(v)[:, None, None] for v in (self.mean, self.std))
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            return self.network(((x - mean) / std).to(device)).float().cpu().numpy()


def load_backbone(name: str, weights: Path | None = None, device: str | None = None) -> Backbone:
    """A network by name.

    Args:
        name: "lite0", "lite1" (whose weights come with the installation), or a timm model.
        weights: file of a timm model's weights (safetensors or a state dict); without it timm downloads them.
        device: see :func:`workbench.core.devices.resolve`.

    Raises:
        WeightsError: no such model, or its weights are not there or do not fit.
    """
    import timm
    import torch

    import workbench.models  # noqa: F401  # registers this project's networks with timm
    from workbench.core.devices import resolve
    from workbench.models.features import FrozenFeatures

    if name in _LITE:
        return Backbone(FrozenFeatures(name).to(resolve(device)), 224, (0.5,) * 3, (0.5,) * 3)
    try:
        if weights is None:
            network = timm.create_model(name, pretrained=True, num_classes=0)
        else:
            if not weights.is_file():
                raise WeightsError(
                    f"Expected weights at {weights} but there is no such file. Check the path."
                )
            network = timm.create_model(name, num_classes=0)
            state = _state(weights)
            lacking = network.load_state_dict(state, strict=False).missing_keys
            if lacking:
                raise WeightsError(
                    f"The weights in {weights.name} do not fit {name}: {lacking[0]} is missing."
                )
    except WorkbenchError:
        raise
    except Exception as error:  # timm and its hub raise errors of many types
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise WeightsError(
            f"The backbone {name} cannot be loaded ({reason}). Name lite0, lite1 or a timm model; offline, "
            "give its weights as a file."
        ) from error
    config = timm.data.resolve_data_config({}, model=network)
    network = network.eval().requires_grad_(False).to(resolve(device))
    assert isinstance(network, torch.nn.Module)
    return Backbone(network, config["input_size"][-1], tuple(config["mean"]), tuple(config["std"]))


def _state(weights: Path) -> dict[str, Tensor]:
    if weights.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(weights)
    import torch

    state = torch.load(weights, map_location="cpu", weights_only=True)
    return state.get("state_dict", state)


def embed(
    folder: str | os.PathLike,
    backbone: str = "lite0",
    *,
    weights: str | os.PathLike | None = None,
    cache: str | os.PathLike | None = None,
    device: str | None = None,
    progress: Callable[[float], None] | None = None,
) -> Embeddings:
    """Embed all pictures of a folder, at any depth, in batches.

    Args:
        folder: of pictures.
        backbone, weights, device: see :func:`load_backbone`.
        cache: folder that keeps the vectors by content, so that stopped work goes on; None keeps none.
        progress: called with the share done; by default a progress bar on the terminal.

    Raises:
        DatasetError: no picture can be read. WeightsError: see :func:`load_backbone`.
    """
    from workbench.core.devices import in_batches

    root = Path(folder)
    paths = list_images(root)
    if not paths:
        raise DatasetError(f"Expected pictures in {root} but found none. Check the folder.")
    file = None if weights is None else Path(weights)
    network = load_backbone(backbone, file, device)
    kept = None if cache is None else Cache(cache)
    skipped: dict[str, str] = {}

    def alone(path: Path) -> dict[str, NDArray[np.float32]]:
        return {"x": network([read_image(path)])[0]}

    def run(batch: Sequence[Path]) -> list[NDArray[np.float32] | None]:
        names: dict[Path, str] = {}
        found: dict[Path, NDArray[np.float32]] = {}
        images: dict[Path, Image.Image] = {}
        for path in batch:
            try:
                names[path] = key("embed", 1, backbone, weights=file, picture=path) if kept else ""
                if kept and f"{names[path]}.npz" in kept:
                    found[path] = kept.arrays(names[path], functools.partial(alone, path))["x"]
                else:
                    images[path] = read_image(path)
            except (WorkbenchError, OSError) as error:
                skipped[path.relative_to(root).as_posix()] = str(error)
        if images:
            for path, vector in zip(images, network(list(images.values())), strict=True):
                found[path] = (
                    kept.arrays(names[path], functools.partial(dict, x=vector))["x"] if kept else vector
                )
        return [found.get(path) for path in batch]

    with tqdm(total=len(paths), desc="embedding", unit="picture", disable=True if progress else None) as bar:

        def tell(done: int) -> None:
            bar.update(done - bar.n)
            if progress:
                progress(done / len(paths))

        vectors = in_batches(run, paths, BATCH, tell)
    good = [(p, v) for p, v in zip(paths, vectors, strict=True) if v is not None]
    if not good:
        raise DatasetError(f"Expected pictures that can be read in {root} but none of {len(paths)} can.")
    names = tuple(p.relative_to(root).as_posix() for p, _ in good)
    return Embeddings(names, np.stack([v for _, v in good]), backbone, skipped)


def _unit(vectors: ArrayLike) -> NDArray[np.float32]:
    x = np.asarray(vectors, dtype=np.float32)
    if x.ndim != 2 or not len(x):
        raise ValueError(f"Expected vectors of shape (N, D) with N of 1 or more but got {x.shape}.")
    if not np.isfinite(x).all():
        bad = int(np.argmin(np.isfinite(x).all(1)))
        raise ValueError(f"Expected finite vectors but row {bad} has a NaN or an infinity.")
    return np.ascontiguousarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12))


def nearest(vectors: ArrayLike, count: int = 10) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest pictures of each, without itself, by cosine.

    Args:
        vectors: (N, D).
        count: of neighbours; at most N - 1 are given.

    Returns:
        Indices and cosines, both (N, min(count, N - 1)), nearest first.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    require("collection")
    import faiss

    x = _unit(vectors)
    count = max(0, min(count, len(x) - 1))
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(x)
    cosines, found = index.search(x, count + 1)
    own = found == np.arange(len(x))[:, None]
    own[~own.any(1), -1] = True  # among many equal pictures its own index may be missing: drop the last
    keep = ~own
    return found[keep].reshape(len(x), count), cosines[keep].reshape(len(x), count)


def alike_pairs(vectors: ArrayLike, threshold: float = 0.9) -> Pairs:
    """Pairs at or above a cosine. Of equal vectors each is paired with the first of them only.

    Args:
        vectors: (N, D).
        threshold: least cosine, in (0, 1].

    Raises:
        ValueError: another shape, values that are not finite, or a threshold outside (0, 1].
    """
    require("collection")
    import faiss

    if not 0 < threshold <= 1:
        raise ValueError(f"Expected a threshold in (0, 1] but got {threshold}.")
    x = _unit(vectors)
    _, first, member = np.unique(x, axis=0, return_index=True, return_inverse=True)
    copies = np.flatnonzero(first[member] != np.arange(len(x)))
    distinct = np.sort(first)
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(x[distinct])
    firsts, seconds, cosines = [first[member[copies]]], [copies], [np.ones(len(copies), np.float32)]
    for start in range(0, len(distinct), 1024):
        block = distinct[start : start + 1024]
        limits, cosine, found = index.range_search(
            x[block], float(np.nextafter(np.float32(threshold), np.float32(0)))
        )
        rows = np.repeat(block, np.diff(limits).astype(np.int64))
        columns = distinct[found]
        keep = rows < columns
        firsts.append(rows[keep])
        seconds.append(columns[keep])
        cosines.append(cosine[keep])
    i, j, similarity = np.concatenate(firsts), np.concatenate(seconds), np.concatenate(cosines).clip(max=1)
    order = np.lexsort((j, i, -similarity))
    return Pairs(i[order].astype(np.int64), j[order].astype(np.int64), similarity[order])


def outlier_scores(vectors: ArrayLike, count: int = 10) -> NDArray[np.float32]:
    """(N,) distance of each picture to its ``count`` nearest: 1 less their mean cosine; nan for one alone.

    Source: Ramaswamy, Rastogi and Shim, Efficient algorithms for mining outliers from large data sets, 2000.
    """
    _, cosines = nearest(vectors, count)
    return 1 - cosines.mean(1) if cosines.shape[1] else np.full(len(cosines), np.nan, np.float32)

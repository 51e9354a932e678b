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
from PIL import Image
from tqdm import tqdm

from workbench.core.cache import Cache, key
from workbench.core.errors import DatasetError, WeightsError, WorkbenchError
from workbench.data.images import as_rgb, list_images, read_image

if TYPE_CHECKING:
    from torch import Tensor, nn

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

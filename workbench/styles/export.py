"""A trained network as one file for other runtimes: ONNX, or TorchScript.

What is written is the network alone, float32, with its card inside. Input ``picture`` is (batch, 3, height,
width) RGB, scaled as the card's ``preprocessing`` says ([-1, 1] for a stylizer). A stylizer takes any batch,
height and width and returns ``drawing``, of the same shape, in [-1, 1]. A classifier takes any batch of views
of the one size that its card names and returns ``logits`` (batch, classes), which are to be averaged over a
painting's views and divided by the card's temperature before the softmax. What the workbench does around a
network (the mirrored border and the tiles of a drawing, the views of a painting) is not in the file.

Before anything is written, the bytes are loaded again by the runtime that they are meant for and compared
with the network on photographs of two shapes that the export has not seen.

The card, as JSON:

    onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map["card"]
    extra = {"card.json": ""}; torch.jit.load(path, _extra_files=extra); extra["card.json"]

PyTorch 2.15 warns that TorchScript is deprecated: it still runs, in C++ too, but ONNX is the safer choice.

Sources: torch.onnx's exporter on torch.export with ``dynamic_shapes``; torch.jit.trace.
"""

from __future__ import annotations

import dataclasses
import importlib
import io
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from workbench.core import extras
from workbench.core.errors import UnknownNameError, WorkbenchError
from workbench.core.files import write_whole
from workbench.data.transforms import Views
from workbench.models import Card, weights

FORMATS = {"onnx": ".onnx", "torchscript": ".pt"}  # format: suffix of its files
TOLERANCE = 1e-3  # largest absolute difference allowed: an eighth of one of 255 levels; 0.001 of a logit

DYNAMIC = {"stylizer": {0: "batch", 2: "height", 3: "width"}, "classifier": {0: "batch"}}
_OUTPUT = {"stylizer": "drawing", "classifier": "logits"}

Runner = Callable[[Tensor], NDArray[np.float32]]


@dataclasses.dataclass(frozen=True)
class Exported:
    """A file that was written, and how much it differs from its network."""

    path: Path
    difference: float  # largest absolute difference of an output over all compared pictures


def export(model: str | os.PathLike, target: str | os.PathLike, format: str = "onnx") -> Exported:
    """Write the network of a model as one file with its card inside, whole or not at all.

    Args:
        model: name of a shipped model, or a ``.safetensors`` file with its card beside it.
        target: file ending in the format's suffix, or a folder, which gets ``NAME`` with that suffix.
        format: a key of :data:`FORMATS`. "onnx" needs the packages of the extra ``export``.

    Raises:
        UnknownNameError: no such model or format.
        WeightsError: weights or card are missing, damaged or do not belong together.
        WorkbenchError: another suffix, packages are missing, the file cannot be written, or what would be
            written differs from the network by more than :data:`TOLERANCE`.
    """
    if format not in FORMATS:
        raise UnknownNameError("format", format, FORMATS)
    target = Path(target)
    if not target.is_dir() and target.suffix.lower() != FORMATS[format]:
        raise WorkbenchError(
            f"Expected an output ending in {FORMATS[format]} for {format} but got {target.name}. Rename it."
        )
    if format == "onnx":
        extras.require("export")
    network, card = weights.load(model, weights.SHIPPED)
    if target.is_dir():
        target = target / f"{card.name}{FORMATS[format]}"
    payload = {"onnx": _to_onnx, "torchscript": to_torchscript}[format](network, card)
    run = {"onnx": _onnx_runner, "torchscript": torchscript_runner}[format](payload)
    difference = float(np.max([_difference(network, run, batch) for batch in _batches(card)]))
    if not difference <= TOLERANCE:  # a NaN is refused too
        raise WorkbenchError(
            f"Expected {card.name} as {format} to agree with its network within {TOLERANCE:g} but they "
            f"differ by {difference:.2g}, so nothing was written. Try another format, or the pinned versions."
        )
    write_whole(payload, target)
    return Exported(target, difference)


def _card_json(card: Card) -> str:
    return json.dumps(dataclasses.asdict(card), ensure_ascii=False)


def _example(card: Card) -> Tensor:
    """What the network is traced with. A batch of 2, as 1 would be taken for a constant."""
    if card.kind == "stylizer":
        return torch.zeros(2, 3, 64, 96)  # no padding needed here, and both compared shapes need some
    size = Views.from_card(card.preprocessing).kinds[0].size
    return torch.zeros(2, 3, size, size)


def _to_onnx(network: nn.Module, card: Card) -> bytes:
    program = torch.onnx.export(
        network,
        (_example(card),),
        dynamo=True,
        dynamic_shapes=(DYNAMIC[card.kind],),
        input_names=["picture"],
        output_names=[_OUTPUT[card.kind]],
        verbose=False,
    )
    assert program is not None  # it is what ``dynamo=True`` gives
    proto = program.model_proto
    proto.metadata_props.add(key="card", value=_card_json(card))
    return proto.SerializeToString()


def _onnx_runner(payload: bytes) -> Runner:
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(payload, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {"picture": batch.numpy()})[0]


def to_torchscript(network: nn.Module, card: Card) -> bytes:
    """The network as a TorchScript file."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # deprecation, and that a check of the input's shape is not kept; _difference sees what matters
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, _example(card), check_trace=False)
        torch.jit.save(traced, buffer, _extra_files={"card.json": _card_json(card).encode()})
    return buffer.getvalue()


def torchscript_runner(payload: bytes) -> Runner:
    """Runs a TorchScript file as whoever receives it would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = torch.jit.load(io.BytesIO(payload))

    def run(batch: Tensor) -> NDArray[np.float32]:
        with torch.no_grad():
            return loaded(batch).numpy()

    return run


def _difference(network: nn.Module, run: Runner, batch: Tensor) -> float:
    try:
        with torch.no_grad():
            expected = network(batch).numpy()
        got = run(batch)
    except Exception as error:  # each runtime has its own classes
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
        raise WorkbenchError(
            f"Expected the network and its export to take a batch of shape {tuple(batch.shape)} but one "
            f"fails ({reason}), so nothing was written. Try another format."
        ) from error
    return float(np.abs(got - expected).max()) if got.shape == expected.shape else float("inf")


def _batches(card: Card) -> list[Tensor]:
    """Photographs as the network takes them, in two shapes."""
    cat, coffee, palace = _photographs()
    if card.kind == "classifier":
        views = Views.from_card(card.preprocessing)
        return [views(cat), torch.cat([views(coffee), views(palace)])]
    scale = Views((), mean=(0.5,) * 3, std=(0.5,) * 3).normalise  # to [-1, 1]
    return [scale([cat]), scale([picture.crop((30, 20, 333, 211)) for picture in (coffee, palace)])]


def _photographs() -> list[Image.Image]:
    """451 × 300, 600 × 400 and 640 × 427 pixels; files of the installed packages, nothing is downloaded."""
    from skimage import data
    from sklearn.datasets import load_sample_image

    return [Image.fromarray(a) for a in (data.chelsea(), data.coffee(), load_sample_image("china.jpg"))]

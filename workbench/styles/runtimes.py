"""A generator on PyTorch or on ONNX Runtime, whichever is faster on a machine (`workbench bench stylizers`).

A network is exported once into the user's cache folder, under a name that changes with its weights and with
the versions of what exports and runs it. The export compares the two on photographs and refuses a file that
differs by more than 1e-3 (an eighth of one of 255 levels). A file written by ``workbench export`` runs as it
is: its card, which is embedded, says how to cut a large picture into tiles.

bfloat16 halves memory traffic and has its own instructions on recent processors (AVX-512 BF16, AMX). The
change that the network makes to the photo is rounded to 8 bits of mantissa, the photo itself is not.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import threading
import weakref
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workbench.core import extras
from workbench.core.cache import digest, user_cache
from workbench.core.devices import onnx_providers
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.core.files import identity
from workbench.styles.tiling import reach

log = logging.getLogger(__name__)

_sessions: weakref.WeakKeyDictionary[nn.Module, OnnxNetwork] = weakref.WeakKeyDictionary()
_files: dict[tuple, OnnxNetwork] = {}
_CPU = torch.device("cpu")
_lock = threading.Lock()


class OnnxNetwork(nn.Module):
    """A generator that runs in ONNX Runtime, with the attributes that tiling needs."""

    def __init__(self, session: Any, halo: int, stride: int):
        super().__init__()
        self.session, self.halo, self.stride = session, halo, stride
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] to the same."""
        return torch.from_numpy(self.session.run(None, {"picture": x.contiguous().cpu().numpy()})[0])


class Bfloat16Network(nn.Module):
    """A generator whose convolutions run in bfloat16, with the attributes that tiling needs."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, (self.stride, self.halo) = network, reach(network)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [-1, 1] to the same."""
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            return self.network(x).float()


def onnx_network(path: str | os.PathLike, network: nn.Module, device: torch.device = _CPU) -> OnnxNetwork:
    """A stylizer in ONNX Runtime, exported into the cache and compared with PyTorch's the first time.

    Args:
        path: its ``.safetensors`` file, with the card beside it.
        network: the same, loaded; kept as the key of this process's sessions.
        device: that ONNX Runtime computes on, if it was installed for it.

    Raises:
        WorkbenchError: the extra ``export`` is not installed, or the two disagree.
    """
    with _lock:
        if network not in _sessions:
            file = _cached(Path(path))
            try:
                session = _session(file, device)
            except WorkbenchError:  # not there yet, or damaged
                from workbench.styles.export import export  # with all that writes ONNX: 200 MB

                export(path, file)
                session = _session(file, device)
            stride, halo = reach(network)
            _sessions[network] = OnnxNetwork(session, halo, stride)
        return _sessions[network]


def onnx_file(path: str | os.PathLike, device: torch.device = _CPU) -> OnnxNetwork:
    """A stylizer that ``workbench export`` wrote as ONNX, on a device that ONNX Runtime was installed for.

    Raises:
        WeightsError: no such file, or it is not one, has no card, or is no stylizer that can work in tiles.
        WorkbenchError: ONNX Runtime is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"Expected an ONNX file at {path} but there is none. Check the path.")
    key = (identity(path), str(device))
    with _lock:
        if key not in _files:
            _files.clear()  # one at a time: a file that was replaced is not kept either
            _files[key] = _from_file(path, device)
        return _files[key]


def _from_file(path: Path, device: torch.device) -> OnnxNetwork:
    from workbench.models.registry import create

    session = _session(path, device)
    try:
        card = json.loads(session.get_modelmeta().custom_metadata_map["card"])
        network = create(card["architecture"], **card["arguments"])
        stride, halo = reach(network)
        return OnnxNetwork(session, halo, stride)
    except (KeyError, ValueError, TypeError, AttributeError, UnknownNameError) as error:
        raise WeightsError(
            f"Expected {path.name} to hold the card of a stylizer that can work in tiles but it does not "
            f"({error}). Write it with `workbench export`."
        ) from error


def _session(path: Path, device: torch.device) -> Any:
    extras.require("export")
    runtime: Any = importlib.import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.enable_cpu_mem_arena = False  # which keeps a third more than a tile needs, and gains no time
    # between two tiles its threads leave the cores to others, and do not spin
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return runtime.InferenceSession(path.read_bytes(), options, providers=onnx_providers(device))
    except Exception as error:  # the runtime has classes of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(f"Expected an ONNX file but {path.name} cannot be loaded ({reason}).") from error


def forget() -> None:
    """Drop the loaded networks and sessions; the next drawing reads its file again."""
    _sessions.clear()
    _files.clear()


def _cached(path: Path) -> Path:
    """Where the export of a ``.safetensors`` file is kept."""
    versions = {name: _version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")}
    return user_cache("onnx") / f"{path.stem}-{digest((path, path.with_suffix('.json'), versions))[:16]}.onnx"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""

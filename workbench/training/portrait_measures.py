"""Measures of a portrait stylizer: distance to the style, mask, background, skin and cost."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import nn

from workbench.core.errors import ImageError
from workbench.core.pixels import to_tensor
from workbench.data.faces import Composites, Portrait
from workbench.drawing.face_shapes import Shape
from workbench.drawing.faces import Face
from workbench.drawing.portrait import PortraitSettings, draw
from workbench.styles import portrait as people
from workbench.training.configs import PortraitConfig
from workbench.training.validation import StyleJudge


@torch.inference_mode()
def mask_scores(network: nn.Module, composites: Composites, count: int = 96) -> dict[str, float]:
    """Agreement of the output mask with the true one on composites.

    Returns:
        ``mask_iou`` at 0.5, mean over pictures; ``background_psnr`` in dB, mean and least over pictures, of
        the pixels where the true mask is 0.
    """
    device = next(network.parameters()).device
    portray: Any = network.portray
    iou, psnr = [], []
    for step in range(-(-count // 8)):
        example = composites.batch(step, 8)
        x = to_tensor(example.photo, device)
        answer = portray(x)
        true = torch.from_numpy(example.mask).to(device)[:, None].float() / 255
        predicted, person = answer.mask > 0.5, true > 0.5
        iou += ((predicted & person).flatten(1).sum(1) / (predicted | person).flatten(1).sum(1)).tolist()
        psnr += background_psnr(x, answer.picture, true).tolist()
    return {
        "mask_iou": float(np.mean(iou)),
        "background_psnr": float(np.mean(psnr)),
        "background_psnr_least": float(np.min(psnr)),
    }


def background_psnr(photo: torch.Tensor, drawing: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """PSNR of the background: (B,) in dB, over the pixels where ``mask`` is 0.

    Args:
        photo: (B, 3, H, W) in [-1, 1].
        drawing: the same.
        mask: (B, 1, H, W) in [0, 1], 0 outside the people.
    """
    drawn = (drawing.clamp(-1, 1) + 1).mul(127.5).round()
    error = (drawn - (photo + 1) * 127.5).square().mean(1, keepdim=True)
    mean = torch.stack([e[outside].mean() for e, outside in zip(error, mask == 0, strict=True)])
    return 10 * (255**2 / mean.clamp_min(1e-3)).log10()


def skin_lightness(picture: np.ndarray, portrait: Portrait) -> float:
    """Median L* of the skin of the face."""
    shape = Shape(portrait.landmarks, portrait.photo.astype(np.float32) / 255)
    lab = cv2.cvtColor(picture[shape.window].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return float(np.median(lab[..., 0][shape.skin > min(0.5, float(shape.skin.max()) / 2)]))


def draw_all(network: nn.Module, portraits: list[Portrait]) -> tuple[list[np.ndarray], int]:
    """Drawings of whole portraits as users get them, and how many had no face and stay photos."""
    drawings, missed = [], 0
    for portrait in portraits:
        try:
            drawings.append(people.draw(network, portrait.photo))
        except ImageError:
            drawings.append(portrait.photo)
            missed += 1
    return drawings, missed


def latency(network: nn.Module, size: int = 256) -> float:
    """Median milliseconds of one picture of ``size``² through the network, over 7 runs after 2 to warm up."""
    x = to_tensor(np.full((size, size, 3), 128, np.uint8), next(network.parameters()).device)
    times = []
    with torch.inference_mode():
        for _ in range(9):
            started = time.perf_counter()
            network(x)
            times.append(time.perf_counter() - started)
    return 1e3 * float(np.median(times[2:]))


def nearness(
    sets: dict[str, list[np.ndarray]],
    portraits: dict[str, Portrait],
    style: list[np.ndarray],
    device: torch.device | str = "cpu",
) -> list[dict]:
    """KID-lite0 × 1000 to the style and lightness of the skin, for several drawings of the same people.

    Args:
        sets: drawings (H, W, 3) uint8 in the order of ``portraits``, by their name.
        portraits: by file name, whose part before the first "_" is the source.
        style: all pictures in the style.
        device: where features are computed.

    Returns:
        One row per set and source, including "all", and one for the two halves of the style. KID has 95 %
        intervals over people and pictures of the style, and its paired difference from the photos.
    """
    everyone = list(portraits.values())
    sources = [n.split("_")[0] for n in portraits]
    judge = StyleJudge(style, device)
    untouched = judge.features(Image.fromarray(p.photo) for p in everyone)
    before = np.array([skin_lightness(p.photo, p) for p in everyone])
    rows = []
    for title, pictures in sets.items():
        features = judge.features(map(Image.fromarray, pictures))
        after = np.array([skin_lightness(a, p) for a, p in zip(pictures, everyone, strict=True)])
        for source in ("all", *sorted(set(sources))):
            chosen = np.array([source in ("all", s) for s in sources])
            correlation = np.corrcoef(before[chosen], after[chosen])[0, 1] if chosen.sum() > 2 else np.nan
            rows.append(
                {
                    "pictures": title,
                    "source": source,
                    "portraits": int(chosen.sum()),
                    **judge.columns(features[chosen], untouched[chosen]),
                    "skin_lightness_correlation": round(float(correlation), 3),
                    "skin_lightness_shift": round(float((after - before)[chosen].mean()), 2),
                }
            )
    rows.append({"pictures": "style against itself", "source": "all", "portraits": len(style)})
    rows[-1] |= {"kid_lite0": round(judge.style_halves().mean, 2)}
    return rows


def measure(
    network: nn.Module,
    name: str,
    portraits: dict[str, Portrait],
    scenes: list[np.ndarray],
    style: list[np.ndarray],
    config: PortraitConfig,
    teacher: PortraitSettings,
) -> list[dict]:
    """Rows for photos, teacher and network, over all held-out portraits and for each source.

    Args:
        network: portrait generator in eval mode.
        name: of the network's rows.
        portraits: held-out ones by file name.
        scenes: photos that were not used as backgrounds in training.
        style: all anime faces.
        config: of the training run.
        teacher: how the drawn teacher draws.
    """
    everyone = list(portraits.values())
    drawn, missed = draw_all(network, everyone)
    sets = {
        "photos": [p.photo for p in everyone],
        "drawn teacher": [
            draw(p.photo, faces=[Face(p.landmarks, 1.0)], **dataclasses.asdict(teacher)) for p in everyone
        ],
        name: drawn,
    }
    rows = nearness(sets, portraits, style, next(network.parameters()).device)
    composites = Composites(everyone, scenes, config.crop, config.interocular_px, config.seed + 17, 0.0, 0.0)
    composites = dataclasses.replace(
        composites, portraits=[dataclasses.replace(p, drawing=p.photo) for p in everyone]
    )
    own = next(r for r in rows if r["pictures"] == name and r["source"] == "all")
    own |= {k: round(v, 3) for k, v in mask_scores(network, composites).items()}
    own |= {
        "faces_not_found": missed,
        "parameters": sum(p.numel() for p in network.parameters()),
        "milliseconds_256": round(latency(network), 1),
    }
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return [{c: row.get(c, "") for c in columns} for row in rows]

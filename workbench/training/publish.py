"""From the best checkpoint of a stylizer's training to weights with a card, measured on photos that neither
trained nor chose it.
"""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from workbench import losses, models
from workbench.core.errors import WorkbenchError
from workbench.core.provenance import provenance, write_rows
from workbench.drawing import teacher
from workbench.metrics.stylization import color_drift
from workbench.training.start import time_before
from workbench.training.stylizer import StylizerTrainer
from workbench.training.stylizer_config import StylizerConfig
from workbench.training.validation import StyleJudge, to_tensor

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Publication:
    """What a card says that the training cannot know."""

    name: str  # file stem and public name
    title: str = "A style of your own"  # one line for menus
    description: str = "Scenes redrawn in the style of the pictures it was trained on."
    photo_source: str = "the user's photos"  # what the photos are and their licence
    style_source: str = "the user's style pictures"  # what the style pictures are and their licence
    licence: str = "as the training pictures allow"  # of the weights
    recipe: str = "distilled from a drawn teacher, then adversarial: features, gray patches, spectra"
    limitations: str = (
        "Trained on scenes: faces are redrawn like any other surface, not turned into anime faces. "
        "Fine texture may be lost, and faint borders may be inked where the photo has none."
    )


def region_variation(picture: np.ndarray, labels: np.ndarray) -> float:
    """Mean absolute deviation from region means in [0, 1] units: 0 is perfectly flat."""
    y = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
    return losses.color_block_loss(y, torch.from_numpy(labels)[None]).item()


def measure(trainer: StylizerTrainer, drawings: dict[str, list[Image.Image]]) -> list[dict]:
    """One row for each set of drawings of the test photos: KID on two networks, colour drift, flatness.

    Args:
        trainer: gives the test photos and the style pictures.
        drawings: sets of pictures by name, each in the order of ``trainer.test``.
    """
    from skimage.segmentation import felzenszwalb

    photos = list(trainer.test.values())
    regions = [felzenszwalb(p, scale=80, sigma=0.8, min_size=40) for p in photos]
    judges = {v: StyleJudge(trainer.style_pictures, photos, trainer.device, v) for v in ("lite0", "lite1")}
    rows = []
    for name, pictures in drawings.items():
        arrays = [np.asarray(p) for p in pictures]
        row = {"pictures": name, "photos": len(photos)}
        for variant, judge in judges.items():
            value = judge.kid(pictures)
            row |= {f"kid_{variant}": round(value.mean, 2), f"kid_{variant}_error": round(value.error, 2)}
        drift = [color_drift(p, a) for p, a in zip(photos, arrays, strict=True)]
        flat = [region_variation(a, r) for a, r in zip(arrays, regions, strict=True)]
        row |= {
            "color_drift": round(float(np.mean(drift)), 2),
            "region_variation": round(float(np.mean(flat)), 4),
        }
        rows.append(row)
    halves = judges["lite0"].style_halves(), judges["lite1"].style_halves()
    rows.append(
        {"pictures": "style against itself", "photos": ""}
        | {"kid_lite0": round(halves[0].mean, 2), "kid_lite0_error": round(halves[0].error, 2)}
        | {"kid_lite1": round(halves[1].mean, 2), "kid_lite1_error": round(halves[1].error, 2)}
        | {"color_drift": "", "region_variation": ""}
    )
    return rows


def publish(out: str | Path, publication: Publication, command: str, keep: str = "best") -> Path:
    """Write ``NAME.safetensors``, its card and ``measured.csv`` into the output folder of a training.

    Args:
        out: folder of a finished or interrupted training that has validated at least once.
        publication: what the card says beside the measurements.
        command: the command that trained it.
        keep: "best" takes the averaged weights that came closest to the style on the validation photos,
            "last" the latest ones, for where the eyes and the metric disagree.

    Returns:
        Path of the weights.

    Raises:
        WorkbenchError: if the folder holds no validated training, or ``keep`` is neither.
    """
    if keep not in ("best", "last"):
        raise WorkbenchError(f"Expected `keep` to be 'best' or 'last' but got {keep!r}.")
    out = Path(out)
    if not (out / "best.pt").is_file() or not (out / "config.json").is_file():
        raise WorkbenchError(f"Expected a validated training in {out} but there is none. Train longer first.")
    config = dataclasses.replace(StylizerConfig.read(out / "config.json"), out=str(out))
    trainer = StylizerTrainer(config)
    trainer.resume()
    if keep == "best":
        chosen = torch.load(out / "best.pt", map_location=trainer.device, weights_only=True)
    else:
        chosen = trainer.ema.state_dict()
    rounded = {k: v.half().float() for k, v in chosen.items()}  # measured as shipped
    trainer.ema.load_state_dict(rounded)
    photos = [Image.fromarray(p) for p in trainer.test.values()]
    taught = [Image.fromarray(teacher.draw(p, config.drawing)) for p in trainer.test.values()]
    rows = measure(
        trainer,
        {"photos": photos, "drawn teacher": taught, publication.name: trainer.stylize(trainer.test.values())},
    )
    stamp = provenance(str(trainer.device))
    run = {"seed": config.seed, "steps": trainer.step, "seconds": round(trainer.seconds)}
    write_rows([row | run | stamp for row in rows], out / "measured.csv")
    mine = next(r for r in rows if r["pictures"] == publication.name)
    places = ("start", "photos", "style", "out")
    settings = {k: v for k, v in dataclasses.asdict(config).items() if k not in places}
    card = models.Card(
        name=publication.name,
        kind="stylizer",
        title=publication.title,
        description=publication.description,
        architecture=config.architecture,
        arguments=config.arguments,
        preprocessing={"range": [-1, 1], "channels": "RGB"},
        training={
            "photos": publication.photo_source,
            "style": publication.style_source,
            "recipe": publication.recipe,
            "command": command,
            "steps": trainer.best["step"] if keep == "best" else trainer.step,
            "kept": keep,
            "seconds": round(trainer.seconds),
            **time_before(config.start),
            "device": stamp["device"],
            "settings": settings,
            "versions": stamp["versions"],
        },
        metrics={
            "split": f"{mine['photos']} held-out photos that neither trained nor chose the weights",
            "rows": rows,
        },
        limitations=publication.limitations,
        licence=publication.licence,
        commit=stamp["commit"],
        date=stamp["date"],
    )
    path = models.save(trainer.ema, card, out)
    network, _ = models.load(path)  # what was written can be read, and draws
    with torch.inference_mode():
        network(to_tensor(np.zeros((1, 16, 16, 3), np.uint8)))
    log.info("published %s", path)
    return path

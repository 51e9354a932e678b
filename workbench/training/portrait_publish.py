"""From a portrait training to weights with a card, measured on people that neither trained nor chose them."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import torch

from workbench import models
from workbench.core.errors import WorkbenchError
from workbench.core.provenance import provenance, write_rows
from workbench.data.faces import load_portraits, split_by_person
from workbench.data.scenes import load_pictures, split
from workbench.styles import portrait as people
from workbench.styles.people import KIND
from workbench.training.portrait_config import PortraitConfig
from workbench.training.portrait_measures import measure
from workbench.training.start import time_before

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class PortraitPublication:
    """What a card says that the training cannot know."""

    name: str  # file stem and public name
    title: str = "Anime portrait of your own"  # one line for menus
    description: str = "People redrawn as anime portraits; what surrounds them stays as it is."
    portrait_source: str = "the user's portraits"
    scene_source: str = "the user's scenes"
    style_source: str = "the user's anime faces"
    licence: str = "as the training pictures allow"
    recipe: str = "distilled from a drawn teacher, then adversarial on frozen features and attended patches"
    limitations: str = (
        "Upright faces that look roughly at the viewer; profiles, tilted and very small faces are not found. "
        "Glasses, beards and wrinkles are mostly drawn away; haircuts, and bald heads a little, gain a "
        "fringe. A drawing is not a likeness: do not use it to say who somebody is, or how old, or of what "
        "sex or descent."
    )


def publish(
    out: str | Path, publication: PortraitPublication, command: str, weights: str = "best.pt"
) -> Path:
    """Write ``NAME.safetensors``, its card and ``measured.csv`` into the output folder of a training.

    Args:
        out: folder of a finished or interrupted training that has validated at least once.
        publication: what the card says beside the measurements.
        command: the command that trained it.
        weights: "best.pt", or one of the folder's ``step_*.pt``, for where the eyes and the metric disagree.

    Returns:
        Path of the weights.

    Raises:
        WorkbenchError: if the folder holds no such weights.
    """
    out = Path(out)
    if not (out / weights).is_file() or not (out / "config.json").is_file():
        raise WorkbenchError(f"Expected a validated training with {weights} in {out}. Train longer first.")
    config = dataclasses.replace(PortraitConfig.read(out / "config.json"), out=str(out))
    chosen = torch.load(out / weights, map_location="cpu", weights_only=True)
    network = models.create(config.architecture, **config.arguments)
    network.load_state_dict({k: v.half().float() for k, v in chosen.items()})  # measured as shipped
    network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    portraits = load_portraits(config.portraits, config.annotations)
    test = split_by_person(list(portraits), config.held_out, config.seed)[2]
    scenes = load_pictures(config.scenes, config.crop)
    unseen = split(list(scenes), max(2, len(scenes) // 10), config.seed)[1]
    style = list(load_pictures(config.style, 256).values())
    rows = measure(
        network,
        publication.name,
        {n: portraits[n] for n in test},
        [scenes[n] for n in unseen],
        style,
        config,
    )
    state = torch.load(out / "checkpoint.pt", map_location="cpu", weights_only=True)
    stamp = provenance("cpu")
    step = state["best"]["step"] if weights == "best.pt" else int(Path(weights).stem.split("_")[1])
    run = {"seed": config.seed, "steps": step, "seconds": round(state["seconds"])}
    write_rows([row | run | stamp for row in rows], out / "measured.csv")
    places = ("start", "portraits", "annotations", "scenes", "style", "out")
    card = models.Card(
        name=publication.name,
        kind=KIND,
        title=publication.title,
        description=publication.description,
        architecture=config.architecture,
        arguments=config.arguments,
        preprocessing={"range": [-1, 1], "channels": "RGB", "pixels_between_eyes": people.UNIT},
        training={
            "portraits": publication.portrait_source,
            "scenes": publication.scene_source,
            "style": publication.style_source,
            "recipe": publication.recipe,
            "command": command,
            "steps": step,
            "kept": weights,
            "seconds": round(state["seconds"]),
            **time_before(config.start),
            "device": stamp["device"],
            "settings": {k: v for k, v in dataclasses.asdict(config).items() if k not in places},
            "versions": stamp["versions"],
        },
        metrics={
            "split": f"{len(test)} held-out portraits of people that neither trained nor chose the weights",
            "rows": rows,
        },
        limitations=publication.limitations,
        licence=publication.licence,
        commit=stamp["commit"],
        date=stamp["date"],
    )
    path = models.save(network, card, out)
    log.info("published %s", path)
    return path

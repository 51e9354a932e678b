"""U-GAT-IT light trained on AFGAN's portraits and anime faces, for the same processor time.

Both are trained on the same people and anime faces for the same number of minutes on one core, and compared
on the same held-out people, who train and choose nothing: what a person is for depends on the name and the
seed alone (:func:`workbench.data.faces.split_by_person`), so it is fixed before any training; the other half
of the people held out chose AFGAN's weights. U-GAT-IT has no mask and gets no annotations: it draws the whole
portrait, as in its paper.

The budget is minutes on one core, where the paper takes days on a GPU. The comparison shows which method
learns quickly, not which is best after convergence.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from workbench import models
from workbench.core.files import write_image, write_whole
from workbench.core.pixels import resized, to_pixels, to_tensor
from workbench.data.faces import Portrait, load_portraits, split_by_person
from workbench.data.scenes import load_pictures
from workbench.studies.study import TableStudy, register
from workbench.training.configs import PortraitConfig, StylizerConfig, config_for
from workbench.training.portrait_measures import background_psnr, draw_all, latency, nearness
from workbench.training.scene_data import SceneData
from workbench.training.trainer import Trainer

PEER, SHIPPED, PHOTOS = "ugatit_light", "afgan_portrait", "photos"
PHOTO_SIDE, STYLE_SIDE, CROP = 192, 176, 160  # pixels: faces of both kinds have about the same size
DRAWN_SIDE = 184  # short side of the portraits that are drawn, about a crop's
PERSON = "^(frl_)[^_]+_.*?__([^_]+)"  # the London set shows each face twice: frl_neutral_front__001_03
_DONE = "done.json"  # written last


def config(out: str | Path, minutes: float, **changes) -> StylizerConfig:
    """Settings of U-GAT-IT light's training: crops of :data:`CROP` pixels and a budget of minutes."""
    values = {
        "photos": "",
        "style": "",
        "out": str(out),
        "steps": 1_000_000,
        "total_minutes": minutes,
        "clock": "processor",
        "crop": CROP,
        "mixed_precision": "bf16",
        "threads": 1,
        "validate_every": 0,
        "checkpoint_every": 10,
    }
    return config_for(PEER, **values | changes)


def train(people: dict[str, Portrait], style: list[NDArray], config: StylizerConfig) -> Path:
    """Train on whole portraits until the budget is spent; resumes, and does nothing if it was spent before.

    Returns:
        The averaged generator's weights.
    """
    out = Path(config.out)
    if not (out / _DONE).is_file():
        photos = {name: _scaled(portrait.photo, PHOTO_SIDE) for name, portrait in people.items()}
        pictures = [_scaled(picture, STYLE_SIDE) for picture in style]
        trainer = Trainer(config, SceneData(photos, {}, {}, pictures))
        trainer.run()
        torch.save(trainer.ema.state_dict(), out / "weights.pt")
        done = {"steps": trainer.step, "minutes": round(trainer.seconds / 60, 2)}
        write_whole(json.dumps(done).encode(), out / _DONE)
    return out / "weights.pt"


@torch.inference_mode()
def draw_whole(network: torch.nn.Module, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A whole portrait (H, W, 3), drawn at the size that the network was trained for."""
    x = to_tensor(_scaled(photo, DRAWN_SIDE, multiple=4), next(network.parameters()).device)
    drawing = to_pixels(network(x))[0]
    return cv2.resize(drawing, photo.shape[1::-1], interpolation=cv2.INTER_CUBIC)


@register
@dataclasses.dataclass(frozen=True)
class PortraitTraining(TableStudy):
    """How does U-GAT-IT light compare with AFGAN on the same portraits, anime faces and processor time?

    Rows have method and source of the portraits ("all" of them, or one collection); nearness to the style and
    lightness of the skin (:func:`nearness`); of all portraits ``background_psnr`` in dB, mean over those of
    the pixels outside the true mask; steps and processor minutes of training, parameters, milliseconds of
    256² on one thread. Interrupted training resumes.
    """

    keys = ("method",)
    sources = ("portraits", "annotations", "style")

    portraits: str  # folder of portraits
    annotations: str  # folder of their landmarks and masks, see workbench.data.faces
    style: str  # folder of anime faces
    minutes: float | None = None  # on one core; by default those of AFGAN's training, from its card
    held_out: float = PortraitConfig.held_out  # share of the people that are held out of training
    seed: int = 0  # of that split
    network: str = SHIPPED  # the portrait stylizer: name of installed weights, or a .safetensors file
    person: str = PERSON  # regular expression whose groups name the person that a portrait shows
    changes: dict = dataclasses.field(default_factory=dict)  # changes to the peer's settings

    def plan(self) -> list[dict]:
        """The photos themselves, the shipped network, and the peer."""
        return [{"method": method} for method in (PHOTOS, SHIPPED, PEER)]

    def depends_on(self, **run: str) -> str | None:
        return models.card(self.network).digest if run["method"] == SHIPPED else None

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        """Train the peer, draw everything, and compare all drawings with the style at once."""
        everyone = load_portraits(self.portraits, self.annotations)
        learnt, _, test = split_by_person(list(everyone), self.held_out, self.seed, self.person)
        pictures = list(load_pictures(self.style, 256).values())
        minutes = _minutes(models.card(self.network)) if self.minutes is None else self.minutes
        training = config(out / f"{PEER}-{self.content_key[-12:]}", minutes, **self.changes)
        weights = train({n: everyone[n] for n in learnt}, pictures, training)
        peer = models.create(training.architecture, **training.arguments)
        peer.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        done = json.loads((weights.parent / _DONE).read_text())
        return _judge({n: everyone[n] for n in test}, pictures, peer.eval(), done, out, self.network)


def _judge(
    people: dict[str, Portrait],
    style: list[NDArray],
    peer: torch.nn.Module,
    done: dict,
    out: Path,
    network: str,
) -> Callable[..., list[dict]]:
    """A function that gives the rows of a method; all at once, as the style's features take minutes."""
    torch.set_num_threads(1)
    shipped, card = models.load(network)
    costs = {
        SHIPPED: {"steps": _steps(card), "minutes": _minutes(card)} | _cost(shipped),
        PEER: done | _cost(peer),
    }
    photos = [p.photo for p in people.values()]
    drawings = {
        PHOTOS: photos,
        SHIPPED: draw_all(shipped, list(people.values()))[0],
        PEER: [draw_whole(peer, photo) for photo in photos],
    }
    *near, halves = nearness(drawings, people, style)

    def rows_of(method: str) -> list[dict]:
        _save_drawings(drawings[method], out / "drawings" / method)
        rows = [
            {k: v for k, v in row.items() if k != "pictures"} for row in near if row["pictures"] == method
        ]
        if method == PHOTOS:
            same = {k: v for k, v in halves.items() if k != "pictures"}
            return [*rows, same | {"source": "style set's halves"}]
        rows[0] |= {"background_psnr": _background(drawings[method], people)} | costs[method]
        return rows

    return rows_of


def _minutes(card: models.Card) -> float:
    """Minutes of a training run, including those of the weights that it started from."""
    return (card.training["seconds"] + card.training.get("seconds_before", 0)) / 60


def _steps(card: models.Card) -> int:
    return card.training["steps"] + card.training.get("steps_before", 0)


def _cost(network: torch.nn.Module) -> dict[str, float]:
    parameters = sum(p.numel() for p in network.parameters())
    return {"parameters": parameters, "milliseconds_256": round(latency(network), 1)}


def _background(drawings: list[NDArray], people: dict[str, Portrait]) -> float:
    values = []
    for drawing, portrait in zip(drawings, people.values(), strict=True):
        mask = torch.from_numpy(portrait.mask)[None, None].float() / 255
        values.append(background_psnr(to_tensor(portrait.photo), to_tensor(drawing), mask).item())
    return round(float(np.mean(values)), 2)


def _save_drawings(drawings: list[NDArray], folder: Path) -> None:
    """Save the drawings for inspection."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, drawing in enumerate(drawings):
        write_image(Image.fromarray(drawing), folder / f"{i:03d}.png")


def _scaled(picture: NDArray[np.uint8], side: int, multiple: int = 1) -> NDArray[np.uint8]:
    """With a short side of ``side`` pixels, both sides rounded to a ``multiple``."""
    scale = side / min(picture.shape[:2])
    size = [multiple * round(length * scale / multiple) for length in picture.shape[1::-1]]
    return resized(picture, size)

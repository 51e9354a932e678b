"""Do explanations hold? Every attribution method, judged on paintings and where the truth is known.

Four cases, each a network and pictures:

- ``paintings``: a shipped classifier on the paintings given. There is no true region: what counts is whether
  the maps predict what the network does, and whether they need its weights.
- ``atelier``: a classifier of the atelier's moods on new pictures of it; the region that carries the mood is
  known.
- ``seal``: a classifier that was taught the kind of a small seal on pictures whose mood has nothing to do
  with it. It can only look at the seal, and a method worth its name shows that.
- ``no cue``: the atelier's mood classifier on the very same sealed pictures, for comparison.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from workbench import models
from workbench.core.runs import Runs
from workbench.data.atelier import open_dataset
from workbench.data.transforms import Squeeze, Views
from workbench.interpret.faithfulness import MEASURES, Settings, measure, summarise
from workbench.interpret.localisation import mask_area, pointing_game, relevance_mass
from workbench.interpret.methods import METHODS, attribute
from workbench.studies.quick_networks import (
    detail_network,
    mood_network,
    painted,
    predictions,
    share_right,
)

CASES = ("paintings", "atelier", "seal", "no cue")
KEYS = ("case", "network", "data")
PACKAGED = (
    "network", "weights", "size", "method", "measure", "estimate", "low", "high", "vs_random",
    "vs_random_low", "vs_random_high", "vs_edges", "vs_edges_low", "vs_edges_high", "pictures", "seeds",
)  # fmt: skip
_TEST = 100_000  # first seed of the atelier's test pictures


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is measured, and at which cost: about 10 minutes on one core by default."""

    model: str = "mood_lite0"  # shipped classifier of the case `paintings`
    pictures: int = 60  # of the paintings, drawn by the seed
    painted: int = 30  # test pictures of the atelier
    training: int = 250  # atelier pictures that its classifiers are fitted on
    size: int = 160  # pixels of a side; a picture is squeezed to a square
    seed: int = 0  # of the choice of pictures
    settings: Settings = dataclasses.field(default_factory=Settings)


def run(data: str | os.PathLike, out: str | os.PathLike, plan: Plan | None = None, ratings=None) -> Path:
    """Measure all four cases; cases that are in the table already are not measured again.

    Args:
        data: what :func:`~workbench.data.atelier.open_dataset` takes, e.g. "atelier:60" or a folder.
        out: folder of the table ``explanations_hold.csv``.
        plan: see :class:`Plan`.
        ratings: the table of a folder, if it is not its ``ratings.csv``.

    Returns:
        Path of the table: the rows of :func:`~workbench.interpret.faithfulness.summarise` with case, network
        and data; rows with the measure ``accuracy`` have no method.
    """
    plan = plan or Plan()
    source = str(data).split(":")[0]
    name = source if source == "atelier" else Path(data).name
    study = _Study(data, ratings, plan)
    runs = Runs(Path(out) / "explanations_hold.csv", KEYS)
    keys = [
        {"case": "paintings", "network": plan.model, "data": name},
        {"case": "atelier", "network": "lite0 + linear layer", "data": "atelier"},
        {"case": "seal", "network": "lite0 stage 3 + linear layer", "data": "atelier, sealed"},
        {"case": "no cue", "network": "lite0 + linear layer", "data": "atelier, sealed"},
    ]
    return runs.do(keys, lambda case, network, data: getattr(study, case.replace(" ", "_"))(), "cases")


class _Study:
    """The cases; the atelier's classifier is fitted once."""

    def __init__(self, data, ratings, plan: Plan):
        self.data, self.ratings, self.plan = data, ratings, plan
        self._moods: nn.Module | None = None

    @property
    def mood_classifier(self) -> nn.Module:
        if self._moods is None:
            train = painted(self.plan.training, self.plan.size)
            self._moods = mood_network(train.x, train.moods)
        return self._moods

    def paintings(self) -> list[dict]:
        network, card = models.load(self.plan.model)
        known = Views.from_card(card.preprocessing)
        views = Views((Squeeze(self.plan.size),), known.mean, known.std)
        data = open_dataset(self.data, self.ratings)
        chosen = np.random.default_rng(self.plan.seed).permutation(len(data))[: self.plan.pictures]
        x = torch.cat([views(data.read(int(i))) for i in chosen])
        found = predictions(network, x)
        rows = summarise(measure(network, x, found, None, self.plan.settings), data.groups[chosen])
        origin = {
            "weights": card.sha256[:12],
            "size": self.plan.size,
        }  # which network exactly, and how it saw
        rows = [{**row, **origin} for row in rows]
        if set(data.classes) <= set(card.class_names):
            labels = [card.class_names.index(data.classes[k]) for k in data.labels[chosen]]
            rows.append(_accuracy(share_right(found, labels), len(chosen)))
        return rows

    def atelier(self) -> list[dict]:
        test = painted(self.plan.painted, self.plan.size, _TEST)
        found = predictions(self.mood_classifier, test.x)
        rows = summarise(measure(self.mood_classifier, test.x, found, test.masks, self.plan.settings))
        return [*rows, _accuracy(share_right(found, test.moods), len(found))]

    def seal(self) -> list[dict]:
        train = painted(self.plan.training, self.plan.size, sealed=True)
        network = detail_network(train.x, train.seals)
        test = painted(self.plan.painted, self.plan.size, _TEST, sealed=True)
        bare = painted(self.plan.painted, self.plan.size, _TEST, sealed=True, stamped=False)
        found = predictions(network, test.x)
        rows = summarise(measure(network, test.x, found, test.masks, self.plan.settings))
        without = share_right(predictions(network, bare.x), test.seals)
        return [
            *rows,
            _accuracy(share_right(found, test.seals), len(found)),
            _accuracy(without, len(found), "seal taken out"),
        ]

    def no_cue(self) -> list[dict]:
        test = painted(self.plan.painted, self.plan.size, _TEST, sealed=True)
        network, settings = self.mood_classifier, self.plan.settings
        found = predictions(network, test.x)
        rows = _inside(network, test.x, found, test.masks, settings)
        return [*summarise(rows), _accuracy(share_right(found, test.moods), len(found))]


def _inside(network: nn.Module, x: Tensor, target: Tensor, masks: Tensor, settings: Settings) -> list[dict]:
    """Pointing game and relevance mass only."""
    rows = []
    for start in range(0, len(x), settings.batch):
        part = slice(start, start + settings.batch)
        values = {("chance", n, settings.seeds[0]): mask_area(masks[part]) for n in ("pointing", "mass")}
        for method in settings.methods:
            layer = settings.layer if METHODS[method].layered else None
            for seed in settings.seeds if method == "random" else settings.seeds[:1]:
                options = settings.options.get(method, {})
                maps = attribute(method, network, x[part], target[part], layer, seed, **options)
                values[method, "pointing", seed] = pointing_game(maps, masks[part])
                values[method, "mass", seed] = relevance_mass(maps, masks[part])
        for (method, name, seed), found in values.items():
            keys = {"method": method, "measure": name, "part": "", "seed": seed}
            rows += [{**keys, "picture": start + i, "value": float(v)} for i, v in enumerate(found)]
    return rows


def for_package(table: Sequence[Mapping]) -> list[dict]:
    """What the package carries of the table: the shipped classifiers' measures on paintings.

    Returns:
        Rows of :data:`PACKAGED`, the content of ``workbench/interpret/measured/faithfulness.csv``.
    """
    return [
        {key: row[key] for key in PACKAGED}
        for row in table
        if row["case"] == "paintings" and row["measure"] in MEASURES
    ]


def _accuracy(value: float, pictures: int, part: str = "") -> dict:
    return {"method": "", "measure": "accuracy", "part": part, "estimate": value, "pictures": pictures}


def caught(table: Sequence[Mapping]) -> dict[str, bool]:
    """Which methods catch the network that looks at the seal.

    A method does if the share of its relevance inside the seal lies, with its interval, above the seal's area
    and above the interval of the network that has no use for the seal.

    Args:
        table: rows of the study (or of its CSV).

    Returns:
        method -> whether it caught it, in the order of the rows.
    """
    mass = {(r["case"], r["method"]): r for r in table if r["measure"] == "mass"}
    area = float(mass["seal", "chance"]["estimate"])
    return {
        method: float(row["low"]) > max(area, float(mass["no cue", method]["high"]))
        for (case, method), row in mass.items()
        if case == "seal" and method != "chance"
    }

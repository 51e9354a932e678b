"""Do explanations hold? Every attribution method, measured on paintings and where the truth is known.

There are four cases, each a network with pictures:

- ``paintings``: a shipped classifier on the given paintings. No true region is known; the question is whether
  the maps predict the network's behaviour and depend on its weights.
- ``atelier``: a classifier of the atelier's moods on new pictures from it, where the region that carries the
  mood is known.
- ``seal``: a classifier trained to tell the kinds of a small seal, on pictures whose mood is independent of
  it. It can use nothing but the seal, so a faithful method must mark the seal.
- ``no cue``: the atelier's mood classifier on the same pictures with seals, for comparison.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from workbench import models
from workbench.core.errors import UnknownNameError
from workbench.data.atelier import open_dataset
from workbench.data.transforms import Squeeze, Views
from workbench.interpret.faithfulness import MEASURES, Settings, judgements, summarise
from workbench.interpret.localisation import mask_area, pointing_game, relevance_mass
from workbench.interpret.methods import METHODS, attribute
from workbench.studies.quick_networks import (
    detail_network,
    mood_network,
    painted,
    predictions,
    share_right,
)
from workbench.studies.study import TableStudy, collection_name, register

CASES = ("paintings", "atelier", "seal", "no cue")
PACKAGED = (
    "network", "weights", "size", "method", "measure", "estimate", "low", "high", "vs_random",
    "vs_random_low", "vs_random_high", "vs_edges", "vs_edges_low", "vs_edges_high", "pictures", "seeds",
)  # fmt: skip
Judged = tuple[list[dict], list[dict], list[dict]]
_TEST = 100_000  # first seed of the atelier's test pictures


@register
@dataclasses.dataclass(frozen=True)
class ExplanationsHold(TableStudy):
    """Do explanations hold? Every attribution method, measured on paintings and where the truth is known.

    About half an hour on one free core by default. ``…_pictures.csv`` beside the table has every value of
    every picture: :func:`recomputed` makes the table of it. Rows of the measure ``accuracy`` have no method.
    """

    version = 3  # what is the same in all pictures has Wilson's interval (a share) or none
    keys = ("case", "network", "data")
    sources = ("data", "ratings")
    selection = ("models", "cases")

    data: str = "atelier:60"  # folder of labelled paintings, or atelier:N
    ratings: str = ""  # the table of a folder, if it is not its ratings.csv
    models: tuple[str, ...] = ("mood_statistics", "mood_lite0")  # shipped classifiers of "paintings"
    cases: tuple[str, ...] = CASES  # which are measured
    pictures: int = 40  # of the paintings, drawn by the seed
    painted: int = 40  # test pictures of the atelier
    training: int = 250  # atelier pictures that its classifiers are fitted on
    size: int = 160  # pixels of a side; a picture is squeezed to a square
    seed: int = 0  # of the choice of pictures
    settings: Settings = dataclasses.field(default_factory=Settings)  # of the measures

    def plan(self) -> list[dict]:
        unknown = set(self.cases) - set(CASES)
        if unknown:
            raise UnknownNameError("case", min(unknown), CASES)
        name = collection_name(self.data)
        runs = [
            *({"case": "paintings", "network": model, "data": name} for model in self.models),
            {"case": "atelier", "network": "lite0 + linear layer", "data": "atelier"},
            {"case": "seal", "network": "lite0 stage 3 + linear layer", "data": "atelier, sealed"},
            {"case": "no cue", "network": "lite0 + linear layer", "data": "atelier, sealed"},
        ]
        return [run for run in runs if run["case"] in self.cases]

    def depends_on(self, **run: str) -> str | None:
        return models.card(run["network"]).digest if run["case"] == "paintings" else None

    def prepare(self, out: Path) -> Callable[..., list[dict]]:
        """Fit the atelier's classifier once, on first use."""
        cases = _Cases(self)
        details = self.runs(out, "_pictures")

        def judge(case: str, network: str, data: str) -> list[dict]:
            rows, values, more = cases.judged(case, network)
            details.add({"case": case, "network": network, "data": data}, *values, seconds=0, stamp=False)
            return [*rows, *more]

        return judge


class _Cases:
    """The cases; each gives rows of the table, the values of every picture, and rows of accuracy."""

    def __init__(self, study: ExplanationsHold):
        self.data, self.ratings, self.plan = study.data, study.ratings or None, study
        self._moods: nn.Module | None = None

    @property
    def mood_classifier(self) -> nn.Module:
        if self._moods is None:
            train = painted(self.plan.training, self.plan.size)
            self._moods = mood_network(train.x, train.moods)
        return self._moods

    def judged(self, case: str, network: str) -> Judged:
        by_case = {"atelier": self.atelier, "seal": self.seal, "no cue": self.no_cue}
        return self.paintings(network) if case == "paintings" else by_case[case]()

    def paintings(self, model: str) -> Judged:
        network, card = models.load(model)
        known = Views.from_card(card.preprocessing)
        views = Views((Squeeze(self.plan.size),), known.mean, known.std)
        data = open_dataset(self.data, self.ratings)
        chosen = np.random.default_rng(self.plan.seed).permutation(len(data))[: self.plan.pictures]
        x = torch.cat([views(data.read(int(i))) for i in chosen])
        answers = predictions(network, x)
        values = list(judgements(network, x, answers, None, self.plan.settings))
        origin = {
            "weights": card.network_digest[:12],
            "size": self.plan.size,
        }  # the network and its input size
        rows = [{**row, **origin} for row in summarise(values, data.groups[chosen])]
        named = [{"path": data.paths[i], "group": data.groups[i]} for i in chosen]
        values = [{**row, **named[row["picture"]]} for row in values]
        more = []
        if set(data.classes) <= set(card.class_names):
            labels = [card.class_names.index(data.classes[k]) for k in data.labels[chosen]]
            more.append(_accuracy(share_right(answers, labels), len(chosen)))
        return rows, values, more

    def atelier(self) -> Judged:
        test = painted(self.plan.painted, self.plan.size, _TEST)
        answers = predictions(self.mood_classifier, test.x)
        values = list(judgements(self.mood_classifier, test.x, answers, test.masks, self.plan.settings))
        return summarise(values), values, [_accuracy(share_right(answers, test.moods), len(answers))]

    def seal(self) -> Judged:
        train = painted(self.plan.training, self.plan.size, sealed=True)
        test = painted(self.plan.painted, self.plan.size, _TEST, sealed=True)
        assert train.seals is not None
        assert test.seals is not None
        network = detail_network(train.x, train.seals)
        bare = painted(self.plan.painted, self.plan.size, _TEST, sealed=True, stamped=False)
        answers = predictions(network, test.x)
        values = list(judgements(network, test.x, answers, test.masks, self.plan.settings))
        without = share_right(predictions(network, bare.x), test.seals)
        more = [_accuracy(share_right(answers, test.seals), len(answers))]
        return summarise(values), values, [*more, _accuracy(without, len(answers), "seal taken out")]

    def no_cue(self) -> Judged:
        test = painted(self.plan.painted, self.plan.size, _TEST, sealed=True)
        network, settings = self.mood_classifier, self.plan.settings
        answers = predictions(network, test.x)
        values = localisation_rows(network, test.x, answers, test.masks, settings)
        return summarise(values), values, [_accuracy(share_right(answers, test.moods), len(answers))]


def localisation_rows(
    network: nn.Module, x: Tensor, target: Tensor, masks: Tensor, settings: Settings
) -> list[dict]:
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
        for (method, name, seed), cells in values.items():
            keys = {"method": method, "measure": name, "part": "", "seed": seed}
            rows += [{**keys, "picture": start + i, "value": float(v)} for i, v in enumerate(cells)]
    return rows


def recomputed(pictures: Sequence[Mapping]) -> list[dict]:
    """The table from the values of every picture, ``explanations_hold_pictures.csv``, without the accuracy.

    Pictures that have a ``group``, their painter, are resampled with their group.
    """
    runs: dict[tuple, list[Mapping]] = {}
    for row in pictures:
        runs.setdefault(tuple(row[k] for k in ExplanationsHold.keys), []).append(row)
    table = []
    for run, rows in runs.items():
        group = {int(row["picture"]): row.get("group", "") for row in rows}
        groups = [group[i] for i in range(len(group))]
        keys = dict(zip(ExplanationsHold.keys, run, strict=True))
        table += [{**keys, **row} for row in summarise(rows, groups if all(groups) else None)]
    return table


def for_package(table: Sequence[Mapping]) -> list[dict]:
    """The part of the table that is shipped with the package: the shipped classifiers on paintings.

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
    """Which methods reveal that a network relies on the seal.

    A method does if the interval of its relevance mass inside the seal lies above the seal's share of the
    picture, and above the interval of the network that does not use the seal.

    Args:
        table: rows of the study (or of its CSV).

    Returns:
        method -> whether it does, in the order of the rows.
    """
    mass = {(r["case"], r["method"]): r for r in table if r["measure"] == "mass"}
    area = float(mass["seal", "chance"]["estimate"])
    return {
        method: float(row["low"]) > max(area, float(mass["no cue", method]["high"]))
        for (case, method), row in mass.items()
        if case == "seal" and method != "chance"
    }

"""The parts of the full report that make pictures: heat maps, drawings, and what redrawing changes."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from workbench.classify.classifier import Classifier
from workbench.classify.features import StatisticsFeatures
from workbench.core.files import write_image
from workbench.data.images import read_image
from workbench.data.splits import grouped_folds
from workbench.interpret.faithfulness import MEASURES, Settings, faithfulness, verdict
from workbench.metrics.bootstrap import bootstrap
from workbench.metrics.calibration import apply_temperature
from workbench.metrics.stylization import color_drift
from workbench.reporting.full import READER, FullReport, some
from workbench.reporting.parts import answers
from workbench.styles.stylize import DEFAULT_STYLE, stylize

METHOD = "grad_cam"
CONTROLS = ("random", "edges")
SIDE = 512  # pixels of the longer side of what is redrawn and shown


def explanations(report: FullReport) -> list[dict]:
    """Heat maps of a few pictures, and how far such maps can be trusted on this classifier.

    The maps lie in ``out/explained`` as pictures; the judgement is of the method on ``judged`` pictures, each
    explained for the class that the classifier names.
    """
    data, plan = report.data, report.plan
    classifier = Classifier.load(report.out / READER / f"{READER}.safetensors")
    p = answers(report)
    rows = []
    for place, i in enumerate(tqdm(chosen(report, p), desc="heat maps", unit="picture", disable=None)):
        picture = small(data.read(i))
        named = data.classes[int(p[i].argmax())]
        found = classifier.explain(picture, named, METHOD)
        file = f"explained/{place:02d}.png"
        write_image(found.overlay, report.out / file)
        rows.append(
            {
                "name": data.classes[data.labels[i]],
                "other": named,
                "p_read": float(p[i].max()),
                "path": data.paths[i],
                "text": file,
            }
        )
    judged = some(np.arange(len(data)), plan.judged, plan.seed)
    squares = [
        data.read(i).resize((plan.size, plan.size), Image.Resampling.BICUBIC, reducing_gap=3.0)
        for i in judged
    ]
    x = classifier.views.normalise(squares).to(classifier.device)
    with torch.no_grad():  # not inference mode: the maps need gradients of these tensors
        target = classifier.network(x).argmax(1)
    settings = Settings(methods=(METHOD, *CONTROLS), costly=min(4, plan.judged), batch=4)
    table = faithfulness(classifier.network, x, target, groups=data.groups[judged], settings=settings)
    rows.append({"name": "verdict", "text": verdict(table, METHOD), "count": len(judged)})
    for row in table:
        if row["measure"] in MEASURES and not row["part"]:
            values = {k: row[k] for k in ("estimate", "low", "high")}
            rows.append({"name": row["measure"], "other": row["method"], **values, "text": "measure"})
    return rows


def chosen(report: FullReport, p: np.ndarray) -> list[int]:
    """Which pictures to explain: of every class the surest right answer, then the surest wrong ones."""
    data, top = report.data, p.argmax(1)
    order = np.argsort(-p.max(1), kind="stable")
    right = [
        next((int(i) for i in order if top[i] == c == data.labels[i]), None) for c in range(len(data.classes))
    ]
    right = [i for i in right if i is not None]
    wrong = [int(i) for i in order if top[i] != data.labels[i]]
    half = max(1, report.plan.explained // 2)
    kept = right[: max(half, report.plan.explained - len(wrong))]
    return (kept + wrong)[: report.plan.explained]


def small(picture: Image.Image, side: int = SIDE) -> Image.Image:
    """A copy whose longer side is at most ``side`` pixels; the shorter keeps 16 at least."""
    scale = min(1.0, side / max(picture.size))
    size = tuple(max(16, round(s * scale)) for s in picture.size)
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def redrawn(report: FullReport) -> list[dict]:
    """A few pictures redrawn by the shipped style; they lie in ``out/redrawn``."""
    data, rows = report.data, []
    first = [np.flatnonzero(data.labels == c) for c in range(len(data.classes))]
    spread = [int(some(own, 1, report.plan.seed)[0]) for own in first]
    for place, i in enumerate(tqdm(spread[: report.plan.redrawn], desc="redrawing", disable=None)):
        picture = small(data.read(i))
        drawing = stylize(picture, DEFAULT_STYLE)
        file = f"redrawn/{place:02d}.png"
        write_image(drawing, report.out / file)
        drift = color_drift(np.asarray(picture), np.asarray(drawing))
        rows.append(
            {
                "name": data.classes[data.labels[i]],
                "other": DEFAULT_STYLE,
                "color_drift": drift,
                "path": data.paths[i],
                "text": file,
            }
        )
    return rows


def shift(report: FullReport) -> list[dict]:
    """How the reading of pictures changes when they are redrawn.

    Each picture is read, before and after, by the classifier of the fold that it was kept out of, so that
    neither reading is of a picture that was learned.
    """
    data, plan = report.data, report.plan
    keep = some(np.arange(len(data)), plan.shifted, plan.seed)
    before = report.estimator.features(data)[keep]
    after = _statistics_redrawn(report, keep)
    logits = np.zeros((2, len(keep), len(data.classes)))
    for train, test in grouped_folds(data.labels, data.groups, report.folds, plan.split_seeds[0]):
        own = np.isin(keep, test)
        if not own.any():
            continue
        estimator = report.estimator.fit(data, train)
        for when, table in enumerate((before, after)):
            logits[when, own] = estimator.logits(table[own])
    temperature = Classifier.load(report.out / READER / f"{READER}.safetensors").temperature
    p = apply_temperature(logits, temperature)
    named = p.argmax(2)

    def metric(first, second, weights=None):
        w = np.ones(len(first)) if weights is None else weights
        found = {c: _mean(second[:, i] - first[:, i], w) for i, c in enumerate(data.classes)}
        return found | {"changed": _mean(first.argmax(1) != second.argmax(1), w)}

    groups = data.groups[keep]
    rows = [{"name": "pictures", "count": len(keep), "groups": len(set(groups.tolist()))}]
    if len(set(groups.tolist())) > 1:
        for name, i in bootstrap(metric, p[0], p[1], groups=groups, samples=plan.samples).items():
            what = "changed" if name == "changed" else "shift"
            rows.append({"name": what, "other": name, "estimate": i.estimate, "low": i.low, "high": i.high})
    for a, first in enumerate(data.classes):
        for b, second in enumerate(data.classes):
            count = int(((named[0] == a) & (named[1] == b)).sum())
            rows.append({"name": f"before {first}", "other": second, "count": count, "text": "moves"})
    return rows


def _mean(values, weights):
    total = np.asarray(weights).sum(-1)
    found = (np.asarray(weights) @ np.asarray(values, dtype=float)) / total
    return float(found) if np.ndim(found) == 0 else found


def _statistics_redrawn(report: FullReport, keep: np.ndarray) -> torch.Tensor:
    """(len(keep), D) statistics of the redrawn pictures; each is kept in a file, so a stop costs one."""
    features, rows = StatisticsFeatures.of(report.config), []
    for i in tqdm(keep, desc="reading redrawn pictures", unit="picture", disable=None):
        file = report.out / "shift" / f"{i:05d}.png"
        if not file.is_file():
            write_image(stylize(small(report.data.read(i)), DEFAULT_STYLE), file)
        rows.append(features.measure(read_image(file)))
    return torch.from_numpy(np.stack(rows))


def measures_table(rows) -> list[dict]:
    """Rows of a faithfulness plot from those of part ``explanations``."""
    return [
        {"case": "this report's reader", "method": r.other, "measure": r.name, "part": ""}
        | {"estimate": r.estimate, "low": r.low, "high": r.high}
        for r in rows[rows["text"] == "measure"].itertuples()
    ]

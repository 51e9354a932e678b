"""The studies of layers and explanations on small inputs, and their figures."""

import csv

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench.classify.probes import STRENGTH
from workbench.classify.summary import summarise
from workbench.classify.validation import Fold, Validation
from workbench.core.errors import UnknownNameError
from workbench.data.paintings import Paintings, read_paintings
from workbench.plots import explanations as plots
from workbench.plots.features import feature_sheet
from workbench.studies import class_averages, explanations_hold, what_layers_see
from workbench.studies.quick_networks import (
    Pooled,
    detail_network,
    fit_head,
    painted,
    predictions,
    share_right,
)


@pytest.mark.slow
def test_the_planted_seal_is_caught():
    """A network taught the seal looks at it, and gradients and Grad-CAM show that; controls do not."""
    train, test = painted(100, 96, sealed=True), painted(15, 96, first=5000, sealed=True)
    network = detail_network(train.x, train.seals)
    found = predictions(network, test.x)
    bare = painted(15, 96, first=5000, sealed=True, stamped=False)
    right, without = (share_right(p, test.seals) for p in (found, predictions(network, bare.x)))
    assert right > 0.5
    assert without < right - 0.2
    area = float(test.masks.double().mean())
    assert 0 < area < 0.02
    rows = explanations_hold.localisation_rows(
        network, test.x, found, test.masks, explanations_hold.Settings(seeds=(0,), batch=15)
    )
    mass = {}
    for row in rows:
        if row["measure"] == "mass":
            mass.setdefault(row["method"], []).append(row["value"])
    mean = {method: np.nanmean(values) for method, values in mass.items()}
    assert mean["integrated_gradients"] > 5 * area
    assert mean["grad_cam"] > 2 * area
    assert mean["random"] < 4 * area
    assert mean["chance"] == pytest.approx(area)


def row(case, method, measure, estimate, low, high, part=""):
    return dict(
        zip(
            ("case", "method", "measure", "part", "estimate", "low", "high"),
            (case, method, measure, part, estimate, low, high),
            strict=True,
        )
    )


TABLE = [
    row("seal", "occlusion", "mass", 0.3, 0.2, 0.4),
    row("seal", "edges", "mass", 0.05, 0.04, 0.06),
    row("seal", "random", "mass", 0.01, 0.0, 0.03),
    row("seal", "chance", "mass", 0.01, 0.01, 0.01),
    row("no cue", "occlusion", "mass", 0.02, 0.01, 0.03),
    row("no cue", "edges", "mass", 0.05, 0.04, 0.06),
    row("no cue", "random", "mass", 0.01, 0.0, 0.03),
    row("seal", "occlusion", "cascade", 0.4, 0.3, 0.5, "1 logits"),
    row("seal", "occlusion", "cascade", 0.1, 0.0, 0.2, "2 stem"),
    row("seal", "edges", "cascade", 1.0, 1.0, 1.0, "1 logits"),
    row("seal", "edges", "cascade", 1.0, 1.0, 1.0, "2 stem"),
]


def test_caught_by_hand():
    assert explanations_hold.caught(TABLE) == {"occlusion": True, "edges": False, "random": False}


def test_figures_show_what_the_table_says():
    figure = plots.faithfulness_plot(TABLE)
    (axes,) = [a for a in figure.axes if a.get_visible()]
    assert [t.get_text() for t in axes.get_yticklabels()] == [
        "occlusion", "edges (control)", "random (control)", "chance"
    ]  # fmt: skip
    drawn = {float(x) for line in axes.lines for x in line.get_xdata()}
    assert {r["estimate"] for r in TABLE if r["measure"] == "mass"} <= drawn
    curves = {line.get_label(): list(line.get_ydata()) for line in plots.cascade_plot(TABLE).axes[0].lines}
    assert curves["occlusion"] == [1, 0.4, 0.1]
    assert curves["edges (control)"] == [1, 1, 1]
    labels = [t.get_text() for t in plots.seal_plot(TABLE).axes[0].get_legend().get_texts()]
    assert labels == ["taught the seal", "taught the mood", "the seal's area"]
    with pytest.raises(ValueError, match="Expected a table"):
        plots.faithfulness_plot([])


def test_the_heat_map_keeps_the_order_of_layers():
    rows = [
        {
            "part": "probe", "weights": "imagenet", "kind": "descriptor", "layer": f"block{i}",
            "characteristic": c, "score": 0.05 * i - 0.1,
        }
        for i in range(11) for c in ("warmth", "blank")
    ]  # fmt: skip
    axes = plots.layer_heat_map(rows).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == [str(i) for i in range(11)]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["warmth", "blank"]
    assert [t.get_text() for t in axes.texts][:3] == ["-.10", "-.05", ".00"]
    alike = [
        {"part": "similarity", "layer": a, "characteristic": b, "score": 1.0 if a == b else 0.25}
        for a in ("block0", "block10") for b in ("block0", "block10")
    ]  # fmt: skip
    assert [t.get_text() for t in plots.similarity_map(alike).axes[0].texts] == ["1.00", ".25", ".25", "1.00"]
    tests = [
        {"part": "test", "choice": c, "seed": s, "score": v + s / 10}
        for c, v in (("recommended", 0.5), ("random", 0.4)) for s in (0, 1)
    ]  # fmt: skip
    texts = [t.get_text() for t in plots.block_choices(tests).axes[0].texts]
    assert texts == ["0.550", "0.450"]


def test_two_networks_of_a_case_are_told_apart():
    rows = [{**r, "network": n} for r in TABLE for n in ("first", "second") if r["case"] == "seal"]
    rows += [{**r, "network": "third"} for r in TABLE if r["case"] == "no cue"]
    legend = plots.faithfulness_plot(rows).legends[0]
    assert [t.get_text() for t in legend.get_texts()] == ["seal, first", "seal, second", "no cue"]
    titles = [a.get_title(loc="left") for a in plots.cascade_plot(rows).axes]
    assert titles == ["seal, first", "seal, second"]


def test_choices_of_blocks_are_drawn_with_their_intervals():
    tests = [
        {"part": "test", "choice": c, "seed": s, "score": v + s / 10, "measure": "balanced_accuracy"}
        for c, v in (("recommended", 0.5), ("random", 0.4)) for s in (0, 1)
    ]  # fmt: skip
    tests += [
        {
            "part": "comparison", "choice": c, "seed": "0 1", "measure": m, "score": v, "low": v - 0.07,
            "high": v + 0.08,
        }
        for c, v in (("recommended", 0.55), ("random", 0.45)) for m in ("accuracy", "balanced_accuracy")
    ]  # fmt: skip
    axes = plots.block_choices(tests).axes[0]
    assert [t.get_text() for t in axes.texts] == ["0.550", "0.450"]
    drawn = {round(float(x), 3) for line in axes.lines for x in line.get_xdata()}
    assert {0.48, 0.63, 0.38, 0.53} <= drawn


def test_a_sheet_of_features():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(3)]
    rows = [
        {"title": f"channel {i}", "map": rng.random((4, 4)), "exciting": pictures[1], "found": pictures[1:]}
        for i in range(2)
    ]
    figure = feature_sheet(rows, pictures[0])
    assert len(figure.axes) == 2 * 4
    for first, row in ((0, rows[0]), (4, rows[1])):
        under, over = figure.axes[first].images
        assert np.array_equal(under.get_array(), pictures[0])
        assert np.array_equal(over.get_array(), row["map"])
        assert under.get_extent()[1] - under.get_extent()[0] == over.get_extent()[1]  # as large as it
        assert np.array_equal(figure.axes[first + 3].images[0].get_array(), pictures[2])
    with pytest.raises(ValueError, match="one row or more"):
        feature_sheet([], pictures[0])
    with pytest.raises(ValueError, match="one row or more"):
        feature_sheet([rows[0], {**rows[1], "found": pictures}], pictures[0])


def test_the_three_choices_have_as_many_blocks():
    chosen = [7, 13, 15]
    assert what_layers_see.blocks_of("recommended", chosen, 0) == chosen
    assert what_layers_see.blocks_of("deepest", chosen, 0) == [13, 14, 15]
    drawn = [what_layers_see.blocks_of("random", chosen, seed) for seed in range(8)]
    assert all(len(set(blocks)) == 3 and set(blocks) <= set(range(16)) for blocks in drawn)
    assert drawn[0] == what_layers_see.blocks_of("random", chosen, 0)
    assert len(set(map(tuple, drawn))) > 1


def test_scores_and_comparison_come_from_the_answers(tmp_path):
    """Two pictures per painter; the recommended blocks name one more of four right than the deepest."""
    labels, groups = np.array([0, 1, 0, 1]), np.array(["a", "a", "b", "b"])
    paths = tuple(f"{i}.png" for i in range(4))
    data = Paintings(tmp_path, paths, ("calm", "wild"), labels, groups, None, True)
    validations = {}
    for choice, count in {"recommended": 4, "deepest": 3, "random": 2}.items():
        named = np.where(np.arange(4) < count, labels, 1 - labels)
        fold = Fold(0, 0, np.arange(4), 2.0 * np.eye(2)[named], labels, 1.0, 2, {})
        validations[choice] = Validation(data, (fold,))
    row = what_layers_see.score_row(validations["deepest"], 0)
    assert (row["score"], row["accuracy"], row["pictures"]) == (0.75, 0.75, 4)
    table = summarise(validations, "recommended", ("accuracy",), samples=50, calibrated=False)
    (first,) = what_layers_see.comparison_rows(table.to_dict("records"), "recommended")
    assert first["score"] == 1
    assert "difference" not in first
    (second,) = what_layers_see.comparison_rows(table.to_dict("records"), "random")
    assert second["difference"] == -0.5
    assert second["difference_low"] <= -0.5 <= second["difference_high"]


def test_class_averages_are_measured_once(tmp_path):
    study = class_averages.ClassAverages("atelier:10", samples=20)
    path = study.run(tmp_path)
    first = path.read_text()
    assert study.run(tmp_path).read_text() == first
    header, line, *_ = first.splitlines()
    row = dict(zip(header.split(","), line.split(","), strict=True))
    assert (row["data"], row["paintings"]) == ("atelier", "10")
    assert float(row["p5"]) <= float(row["mean"]) <= float(row["p95"])


def test_the_table_follows_from_the_values_of_every_picture(tmp_path):
    options = {"integrated_gradients": {"steps": 2}, "occlusion": {"window": 32, "stride": 32}}
    settings = explanations_hold.Settings(
        methods=("grad_cam", "edges", "random"), seeds=(0, 1), costly=1, randomised=3, steps=2, samples=2,
        points=1, options=options,
    )  # fmt: skip
    study = explanations_hold.ExplanationsHold(
        "atelier:10", models=("mood_lite0",), cases=("paintings",), pictures=3, size=64, settings=settings
    )
    path = study.run(tmp_path)
    table = [r for r in csv.DictReader(path.open(encoding="utf-8")) if r["measure"] != "accuracy"]
    pictures = list(csv.DictReader(path.with_name(f"{path.stem}_pictures.csv").open(encoding="utf-8")))
    assert_recomputed(table, pictures)
    assert all(row["path"] and row["group"] for row in pictures)
    with pytest.raises(UnknownNameError, match="case 'sketches'"):
        explanations_hold.ExplanationsHold(cases=("sketches",)).run(tmp_path)


def assert_recomputed(table, pictures):
    """Every row of the table is that of the values of the pictures."""
    again = explanations_hold.recomputed(pictures)
    names = ("case", "network", "method", "measure", "part")
    assert [tuple(r[n] for n in names) for r in again] == [tuple(r[n] for n in names) for r in table]
    for new, old in zip(again, table, strict=True):
        for column in ("estimate", "low", "high", "vs_edges", "vs_edges_low", "vs_random_high", "pictures"):
            value = float(old[column] or "nan")
            assert float(new[column]) == pytest.approx(value, nan_ok=True), (column, old)


def test_what_the_package_carries_of_the_table():
    keys = dict.fromkeys(explanations_hold.PACKAGED, "1")
    rows = [
        {**keys, "case": case, "measure": measure, "part": "", "other": "x"}
        for case in ("paintings", "seal") for measure in ("insertion", "cascade", "accuracy")
    ]  # fmt: skip
    assert explanations_hold.for_package(rows) == [{**keys, "measure": "insertion"}]


def test_a_fitted_head_is_scikit_learns():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 3, 4, 4, generator=generator)
    features = x.mean((2, 3)).double().numpy()
    labels = (features[:, 0] > 0).astype(int)
    for classes in (labels, labels + (features[:, 1] > 0)):
        network = fit_head(Pooled(torch.nn.Sequential(torch.nn.Identity()), 3, len(set(classes))), x, classes)
        reference = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH)).fit(features, classes)
        expected = reference.decision_function(features)
        with torch.no_grad():
            logits = network(x).double().numpy()
        found = logits[:, 1] - logits[:, 0] if expected.ndim == 1 else logits
        assert found == pytest.approx(expected, abs=1e-3)
        assert not network.training


def test_some_paintings_are_the_same_for_a_seed(tmp_path):
    from PIL import Image

    for i in range(12):
        path = tmp_path / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (32, 32), (20 * i, 0, 0)).save(path)
    data = read_paintings(tmp_path)
    few = what_layers_see.sample(data, 6, 1)
    assert len(few) == 6
    assert few.paths == what_layers_see.sample(data, 6, 1).paths
    assert [data.labels[data.paths.index(p)] for p in few.paths] == few.labels.tolist()
    assert what_layers_see.sample(data, 20, 1) is data


def test_the_recommendation_is_read_from_the_table():
    rows = [{"part": "recommendation", "layer": f"block{i}"} for i in (12, 3)] + [
        {"part": "probe", "layer": "x"}
    ]
    assert what_layers_see.recommended(rows) == [3, 12]

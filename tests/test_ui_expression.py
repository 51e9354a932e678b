"""The chart of a painting's descriptors, the words for methods and layers, and the tables they rest on."""

import csv
import html
import re
from pathlib import Path

import numpy as np
import pytest

from workbench import models
from workbench.classify.classifier import DEFAULT_CLASSIFIER, Classifier, classifiers
from workbench.data.atelier import paint
from workbench.interpret.descriptors import DESCRIPTORS, describe
from workbench.interpret.measured import FOLDER, averages_of, faithfulness_of, reliance
from workbench.interpret.methods import METHODS, methods
from workbench.service.picture_tasks import facts_of
from workbench.studies.explanations_hold import PACKAGED, for_package
from workbench.ui import explaining, expression

ROOT = Path(__file__).resolve().parent.parent
MOODS = {"calm": "Calm", "wild": "Wild"}


def rows(name="lightness", calm=60.0, wild=40.0):
    """Averages of one descriptor over two classes; nine of ten pictures have 20 to 80."""
    common = {
        "descriptor": name,
        "data": "my_set",
        "paintings": 40.0,
        "painters": 9.0,
        "p5": 20.0,
        "p95": 80.0,
    }
    return [
        {**common, "class": c, "mean": mean, "low": mean - 3, "high": mean + 3}
        for c, mean in (("calm", calm), ("wild", wild))
    ]


def everything(**changed):
    return [row for name in DESCRIPTORS for row in rows(name, **changed.get(name, {}))]


def track(page, name):
    (found,) = re.findall(rf"<span>{name}<small>.*?</div></div>", page)
    return found


def test_the_chart_places_the_picture_and_the_means():
    values = dict.fromkeys(DESCRIPTORS, 50.0) | {"lightness": 80.0, "saturation": 500.0, "ink_depth": 5.0}
    page = expression.chart(values, everything(), "calm", MOODS)
    light = track(page, "Lightness")
    assert '<i class="here" style="left:100.0%">' in light
    assert '<i class="mean" style="left:66.7%">' in light  # (60 - 20) / (80 - 20)
    assert '<i class="band" style="left:61.7%;width:10.0%">' in light
    assert '<i class="other" style="left:33.3%">' in light
    assert 'aria-label="this painting 80, Calm 60 (57 to 63)"' in light
    assert '<i class="here out more" style="left:100.0%">' in track(page, "Saturation")
    assert '<i class="here out" style="left:0.0%">' in track(page, "Ink depth")
    assert "40 my set by 9 painters" in page
    assert page.count('class="measure"') == len(DESCRIPTORS)  # none is forgotten
    assert "people called calm" in page
    assert '<i class="mean" style="left:33.3%">' in track(
        expression.chart(values, everything(), "wild", MOODS), "Lightness"
    )


def test_what_is_not_there_is_said():
    assert expression.chart({}, everything(), "calm", MOODS) == ""
    page = expression.chart({name: float("nan") for name in DESCRIPTORS}, everything(), "calm", MOODS)
    assert page.count("none here") == 2 * len(DESCRIPTORS)  # in sight and for screen readers
    assert 'class="here' not in page.split("</div>", 1)[1]
    page = expression.chart(dict.fromkeys(DESCRIPTORS, 1.0), [], "joy", {"joy": "Joy"})
    assert "classes of this model were not measured" in page
    assert 'class="track"' not in page
    hostile = [{**r, "data": "<script>"} for r in everything()]
    assert "<script" not in expression.chart({"lightness": 1.0}, hostile, "calm", {"calm": "<script>"})


def test_the_shipped_averages():
    for name in classifiers():
        card = models.card(name)
        found = averages_of(card.class_names)
        assert {r["class"] for r in found} == set(card.class_names)
        assert {r["descriptor"] for r in found} == set(DESCRIPTORS)
        for row in found:
            low, high = DESCRIPTORS[row["descriptor"]].range
            assert low <= row["mean"] <= high
            assert row["low"] <= row["mean"] <= row["high"]
            assert row["p5"] < row["p95"]
    assert averages_of(["joy", "fear"]) == []
    page = expression.chart(
        describe(paint("serenity", seed=1).image), averages_of(card.class_names), "serenity", {}
    )
    assert page.count('class="mean"') == len(DESCRIPTORS)


def test_the_packaged_table_is_the_committed_one():
    """What the app says of a method is what the study measured, on the weights that are shipped."""
    with (ROOT / "reports/results/explanations_hold.csv").open(encoding="utf-8", newline="") as file:
        wanted = for_package(list(csv.DictReader(file)))
    with (FOLDER / "faithfulness.csv").open(encoding="utf-8", newline="") as file:
        packaged = list(csv.DictReader(file))
    assert packaged == wanted
    assert list(packaged[0]) == list(PACKAGED)
    for name in {row["network"] for row in packaged}:
        own = faithfulness_of(models.card(name).network_digest)
        assert {row["network"] for row in own} == {name}
        assert set(methods()) <= {row["method"] for row in own}


def test_what_is_said_of_a_method_was_measured_on_these_very_weights(tmp_path):
    columns = dict.fromkeys(PACKAGED, "1")
    row = columns | {
        "weights": "abc", "size": "160", "method": "occlusion", "measure": "insertion", "pictures": "60",
        "vs_random_low": "0.1", "vs_random_high": "0.2", "vs_edges_low": "-0.1", "vs_edges_high": "0.2",
    }  # fmt: skip
    with (tmp_path / "faithfulness.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(PACKAGED))
        writer.writeheader()
        writer.writerow(row)
    assert [r["method"] for r in faithfulness_of("abcdef", tmp_path)] == ["occlusion"]
    assert faithfulness_of("abdef", tmp_path) == faithfulness_of("", tmp_path) == []
    assert "not measured on this model" in reliance("f" * 64, "occlusion")
    sha = models.card(DEFAULT_CLASSIFIER).network_digest
    said = reliance(sha, "occlusion")
    assert re.search(r"^Occlusion beats random maps on \d of 3 measures", said)
    assert "Measured on 40 real paintings at" in said
    assert "the chosen one was not measured" in reliance(sha, "grad_cam", usual_layer=False)


def test_a_number_of_a_method_comes_with_the_pictures_it_was_measured_on(tmp_path):
    """Sensitivity was measured on fewer; it is told only where a method's maps change much."""
    rows = [
        {"method": method, "measure": measure, "pictures": pictures, "estimate": estimate}
        for method, change in (("grad_cam", "0.7"), ("occlusion", "0.2"))
        for measure, pictures, estimate in (("deletion", "40", "0.1"), ("sensitivity", "8", change))
    ]
    with (tmp_path / "faithfulness.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(PACKAGED), restval="")
        writer.writeheader()
        writer.writerows({"weights": "abc", "size": "160", **row} for row in rows)
    many = "Measured on 40 real paintings at 160 × 160 pixels."
    changed = reliance("abcd", "grad_cam", folder=tmp_path)
    assert "changes its map by 70 %" in changed
    assert changed.endswith(f"{many} Of these, 8 for the change under noise.")
    assert reliance("abcd", "occlusion", folder=tmp_path).endswith(many)


def test_layers_in_words():
    names = Classifier.load("mood_lite0").layers
    assert explaining.layer_words("stem", names) == "First layer, fine: colours"
    assert explaining.layer_words("stage4", names) == "Stage 4 of 7, middle: lines and texture"
    assert explaining.layer_words("head", names) == "Last layer, deep: what goes with mood"
    choices = explaining.layer_choices(facts_of(Classifier.load("mood_statistics")))
    assert choices[0] == ("The usual one: lite0 stage 5 of 7", "")
    assert ("lite1 stage 5 of 7, middle: lines and texture", "lite1.stage5") in choices
    assert len({name for _, name in choices}) == len(choices) == 19


def test_methods_in_words():
    classifier = Classifier.load(DEFAULT_CLASSIFIER)
    labels = {name: label for label, name in explaining.method_choices(classifier.methods)}
    assert set(labels) == set(methods())
    assert "seconds" in labels["occlusion"]
    facts = facts_of(classifier)
    line = explaining.trust_line(facts, "occlusion")
    assert html.escape(METHODS["occlusion"].description) in line
    usual, other = (
        explaining.trust_line(facts, "grad_cam", layer)
        for layer in (classifier.default_layer, "lite1.stage3")
    )
    assert usual == explaining.trust_line(facts, "grad_cam")
    assert "the chosen one was not measured" in other


@pytest.mark.parametrize(("value", "text"), [(0.12345, "0.123"), (123.4, "123"), (-0.5, "-0.5")])
def test_numbers_are_short(value, text):
    assert expression.short(np.float64(value)) == text

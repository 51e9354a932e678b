"""What is drawn is what was given: positions, lengths and words of the artists."""

import io

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image, ImageColor

from workbench.plots import classification as plots
from workbench.plots import moods, style

SCORES = pd.DataFrame(
    [
        ("mafr", "accuracy", 0.70, 0.65, 0.74),
        ("plain", "accuracy", 0.62, 0.57, 0.66),
        ("mafr", "ece", 0.08, 0.05, 0.12),
        ("plain", "ece", 0.20, 0.15, 0.22),
    ],
    columns=["model", "metric", "estimate", "low", "high"],
)
MOODS = ("vitality", "serenity")


def segments(axes):
    """All straight bars of an axes: (x0, y0, x1, y1), sorted."""
    return sorted(
        tuple(np.ravel(s).round(6))
        for c in axes.collections
        if hasattr(c, "get_segments")
        for s in c.get_segments()
    )


def words(figure):
    return [t.get_text() for t in figure.findobj(matplotlib.text.Text)]


def space_table():
    rows = [
        (m, d, i + j, i + j - 0.2, i + j + 0.3, 0.5 + i)
        for i, m in enumerate(MOODS)
        for j, d in enumerate("pad")
    ]
    return pd.DataFrame(rows, columns=["mood", "dimension", "estimate", "low", "high", "sd"])


EVERY = {
    "metric_intervals": lambda: plots.metric_intervals(SCORES, references={"accuracy": {"ceiling": 0.76}}),
    "score_against": lambda: plots.score_against(
        SCORES.assign(n=[0, 1, 2, 3]), "n", series="metric", references={"plain host": 0.6}
    ),
    "confusion": lambda: plots.confusion([[3, 1], [0, 0]], MOODS),
    "reliability": lambda: plots.reliability([0, 0.5, 1], [0, 4], [np.nan, 0.8], [np.nan, 0.5]),
    "per_class": lambda: plots.per_class(
        [{"class": c, "metric": m, "estimate": 0.5} for c in MOODS for m in ("recall", "f1")]
    ),
    "counts": lambda: moods.counts([{"mood": m, "what": "pictures", "count": 7} for m in MOODS]),
    "votes_heat_map": lambda: moods.votes_heat_map([[0.7, 0.3], [0.4, np.nan]], MOODS, MOODS),
    "mood_space": lambda: moods.mood_space(space_table(), across="p"),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_figure_is_drawn_and_leaves_no_setting_behind(name):
    before = dict(matplotlib.rcParams)
    figure = EVERY[name]()
    assert isinstance(figure, Figure)
    assert dict(matplotlib.rcParams) == before
    assert not pyplot.get_fignums()
    pixels = np.asarray(Image.open(io.BytesIO(figure._repr_png_())).convert("L"))  # what a notebook shows
    assert pixels.min() < 100  # ink
    assert pixels[0].min() == pixels[:, 0].min() == 255  # nothing runs over the edge


def test_interval_bars_have_the_lengths_of_the_table():
    figure = plots.metric_intervals(SCORES, references={"accuracy": {"ceiling": 0.76}})
    accuracy, ece = figure.axes
    assert segments(accuracy) == [(0.57, 1, 0.66, 1), (0.65, 0, 0.74, 0)]
    assert segments(ece) == [(0.05, 0, 0.12, 0), (0.15, 1, 0.22, 1)]
    points = [line.get_xydata().tolist() for line in accuracy.lines if line.get_marker() in ("o", "s")]
    assert points == [[[0.70, 0]], [[0.62, 1]]]
    assert [t.get_text() for t in accuracy.get_legend().get_texts()] == ["ceiling"]
    assert (accuracy.get_title("left"), ece.get_title("left")) == ("accuracy", "ECE")
    assert [t.get_text() for t in accuracy.get_yticklabels()] == ["mafr", "plain"]


def test_models_and_metrics_are_chosen_in_the_order_asked_for():
    figure = plots.metric_intervals(SCORES, metrics=["ece"], models=["plain", "mafr"])
    assert len(figure.axes) == 1
    assert segments(figure.axes[0]) == [(0.05, 1, 0.12, 1), (0.15, 0, 0.22, 0)]
    with pytest.raises(ValueError, match="none of those"):
        plots.metric_intervals(SCORES, metrics=["brier"])


def test_a_band_lies_between_its_columns():
    table = pd.DataFrame({"aggregated": [3, 0, 1], "estimate": [0.6, 0.5, 0.55]})
    table["low"], table["high"] = table["estimate"] - 0.1, table["estimate"] + 0.05
    axes = plots.score_against(table, "aggregated", references={"plain": 0.52}).axes[0]
    assert axes.lines[0].get_xydata().tolist() == [[0, 0.5], [1, 0.55], [3, 0.6]]
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == pytest.approx(0.4)
    assert band[:, 1].max() == pytest.approx(0.65)
    assert axes.lines[1].get_ydata() == [0.52, 0.52]
    assert all(tick == int(tick) for tick in axes.get_xticks())


def test_a_confusion_matrix_has_counts_and_shares():
    figure = plots.confusion([[3, 1], [0, 0]], MOODS)
    assert {"3\n75 %", "1\n25 %", "0"} <= set(words(figure))
    assert "vitality (4)" in words(figure)
    assert figure.axes[0].images[0].get_array().tolist() == [[0.75, 0.25], [None, None]]


def test_a_reliability_diagram_shows_bins_that_hold_pictures():
    above, below = EVERY["reliability"]().axes
    assert above.lines[1].get_xydata().tolist() == [[0.8, 0.5]]
    assert segments(above) == [(0.8, 0.5, 0.8, 0.8)] or segments(above) == [(0.8, 0.8, 0.8, 0.5)]
    assert [bar.get_height() for bar in below.patches] == [0, 4]


def test_bars_have_the_heights_of_the_table():
    values = (("a", "recall", 0.4), ("a", "f1", 0.5), ("b", "recall", 0.6), ("b", "f1", 0.7))
    table = pd.DataFrame(values, columns=["class", "metric", "estimate"])
    table["low"], table["high"] = table["estimate"] - 0.1, table["estimate"] + 0.1
    axes = plots.per_class(table).axes[0]
    assert [bar.get_height() for bar in axes.patches] == [0.4, 0.6, 0.5, 0.7]
    assert np.array(segments(axes))[:, [1, 3]] == pytest.approx(
        np.array([(0.3, 0.5), (0.4, 0.6), (0.5, 0.7), (0.6, 0.8)])
    )
    counted = moods.counts(
        [{"mood": "a", "what": "pictures", "count": 12}, {"mood": "b", "what": "pictures", "count": 3}]
    )
    assert {"12", "3"} <= set(words(counted))


def test_moods_lie_at_their_means_with_ellipses_of_one_sd():
    figure = moods.mood_space(
        space_table(), [{"mood": "serenity", "first": "p", "second": "a", "r": 1.0}], across="p"
    )
    left, right = figure.axes
    assert (left.get_xlabel(), left.get_ylabel(), right.get_ylabel()) == ("p", "a", "d")
    vitality, serenity = (next(iter(line.get_xydata().tolist())) for line in left.lines)
    assert (vitality, serenity) == ([0, 1], [1, 2])
    assert (-0.2, 1, 0.3, 1) in segments(left)
    assert (0, 0.8, 0, 1.3) in segments(left)
    round_one, flat_one = left.patches
    assert (round_one.width, round_one.height) == pytest.approx((1, 1))
    assert sorted((flat_one.width, flat_one.height)) == pytest.approx([0, 2 * 1.5 * np.sqrt(2)])
    assert abs(flat_one.angle) % 90 == pytest.approx(45)


def test_series_differ_in_gray_and_in_form():
    grays = [np.dot(ImageColor.getrgb(c), (0.299, 0.587, 0.114)) for c in style.COLOURS[:2]]
    assert len({(style.MARKERS[i], str(style.DASHES[i])) for i in range(8)}) == 8
    assert max(grays) < 160  # readable on white
    assert len(set(style.COLOURS)) == len(style.COLOURS)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: plots.metric_intervals([]),
        lambda: plots.metric_intervals(SCORES.drop(columns="low")),
        lambda: plots.confusion([[1, 2]], MOODS),
        lambda: plots.reliability([0, 1], [1, 2], [0.5], [0.5]),
        lambda: moods.votes_heat_map([[1.0]], MOODS, MOODS),
        lambda: moods.mood_space(space_table(), across="pleasure"),
    ],
)
def test_tables_that_do_not_fit_are_refused(wrong):
    with pytest.raises(ValueError, match="Expected"):
        wrong()


def test_chinese_names_are_no_boxes():
    """Needs any of the fonts that have Chinese characters."""
    import warnings

    from workbench.plots import moods, style

    if len(style.STYLE["font.family"]) < 2:
        pytest.skip("no font with Chinese characters is installed")
    names = ["宁静", "忧伤", "雄伟"]
    figure = moods.votes_heat_map(np.full((3, 3), 1 / 3), names, names, title="雄伟")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of glyphs that no font has
        figure.savefig(io.BytesIO())

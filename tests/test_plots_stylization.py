"""Figures of stylizers: what is drawn is what is in the table, and what is refused."""

import numpy as np
import pytest

from workbench.plots import stylization as plots

COSTS = [
    {"stylizer": "small", "parameters": 340_000, "gmacs_512": 8.1, "ms_512": 101.0, "peak_mb_512": 111.0},
    {
        "stylizer": "large",
        "parameters": 2_100_000,
        "gmacs_512": 105.0,
        "ms_512": 1367.0,
        "peak_mb_512": 417.0,
    },
    {
        "stylizer": "a filter",
        "parameters": np.nan,
        "gmacs_512": np.nan,
        "ms_512": np.nan,
        "peak_mb_512": np.nan,
    },
]


def texts(axes):
    return [t.get_text() for t in axes.texts]


def test_costs_leave_out_what_has_none():
    axes = plots.costs(COSTS).axes
    assert axes[0].get_title("left") == "parameters"
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["small", "large"]
    assert texts(axes[0]) == ["0.34 M", "2.10 M"]
    assert texts(axes[3]) == ["111 MB", "417 MB"]
    unknown = [row | {"peak_mb_512": np.nan} for row in COSTS]
    assert len(plots.costs(unknown).axes) == 3
    with pytest.raises(ValueError, match="columns"):
        plots.costs([{"stylizer": "small"}])


def test_qualities_draw_references_as_lines():
    table = [
        {"stylizer": "photo", "kid_lite0": 148.0, "kid_lite0_error": 1.0, "content": 0.0},
        {"stylizer": "pen", "kid_lite0": 100.0, "kid_lite0_error": 1.5, "content": 0.2},
    ]
    table[1] |= {"content_low": 0.1, "content_high": 0.3}
    figure = plots.qualities(table, ["kid_lite0", "content"], references=["photo"])
    first, second = figure.axes
    assert [t.get_text() for t in first.get_yticklabels()] == ["pen"]
    (bar,) = first.collections
    np.testing.assert_allclose(bar.get_segments()[0][:, 0], [98.5, 101.5])
    np.testing.assert_allclose(second.collections[0].get_segments()[0][:, 0], [0.1, 0.3])
    assert any(np.allclose(line.get_xdata(), 148.0) for line in first.lines)


def test_sheet_and_spectrograms():
    picture = np.zeros((30, 40, 3), np.uint8)
    figure = plots.sheet({"photo": [picture] * 2, "pen": [picture + 9] * 2}, ["a", "b"])
    assert len(figure.axes) == 4
    assert figure.axes[2].get_ylabel() == "pen"
    with pytest.raises(ValueError, match="same number"):
        plots.sheet({"photo": [picture], "pen": []})
    found = plots.spectrograms({"photo": (picture, np.random.default_rng(0).normal(size=(16, 16)))})
    assert found.axes[0].images[0].get_array().shape[:2] == (30, 30)
    with pytest.raises(ValueError, match="got none"):
        plots.spectrograms({})


def test_radial_profiles_have_both_panels():
    rows = [
        {
            "set": s,
            "measure": "profile",
            "kind": k,
            "radius": r,
            "estimate": -r,
            "low": -r - 1,
            "high": -r + 1,
        }
        for s in ("photo", "style")
        for k in ("mean", "difference")
        for r in (0.1, 0.2)
        if (s, k) != ("photo", "difference")
    ]
    left, right = plots.radial_profiles(rows).axes
    assert [line.get_label() for line in left.lines] == ["photo", "style"]
    assert next(line.get_label() for line in right.lines) == "style"


def test_differences_share_a_scale_on_request():
    rows = [
        {"style": s, "name": n, "estimate": e, "low": e - 0.1, "high": e + 0.1}
        for s, n, e in (("pen", "calm", 0.5), ("pen", "grand", 0.01), ("ink", "calm", -0.2))
    ]
    free = plots.differences(rows, "style", "name").axes
    tied = plots.differences(rows, "style", "name", same_scale=True).axes
    assert free[0].get_xlim() != free[1].get_xlim()
    assert tied[0].get_xlim() == tied[1].get_xlim()
    assert [t.get_text() for t in tied[0].get_yticklabels()] == ["pen", "ink"]
    assert len(tied[1].collections) == 1  # ink has no "grand"


def transition(name, other, value):
    row = {"style": "pen", "measure": "transition", "name": name, "other": other, "estimate": value}
    return row | {"low": value / 2, "high": value, "pictures": 6 if name == "calm" else 4}


def test_transitions_write_shares_intervals_and_counts():
    rows = [transition(*r) for r in (("calm", "calm", 0.7), ("calm", "grand", 0.3), ("grand", "calm", 0.0))]
    rows.append(transition("grand", "grand", 1.0))
    (ax,) = plots.transitions(rows).axes
    assert texts(ax)[0] == "0.70\n0.35-0.70"
    assert [t.get_text() for t in ax.get_yticklabels()] == ["calm (6)", "grand (4)"]
    with pytest.raises(ValueError, match="columns"):
        plots.transitions([{"style": "pen"}])


def test_descriptors_are_bold_where_sure():
    rows = [
        {"style": "pen", "measure": "descriptor", "name": "line_density", "estimate": -0.56, "p": 0.01},
        {"style": "pen", "measure": "descriptor", "name": "ink_depth", "estimate": 0.02, "p": 0.8},
    ]
    ax = plots.descriptor_changes(rows).axes[0]
    assert [(t.get_text(), t.get_fontweight()) for t in ax.texts] == [("-0.56", "bold"), ("+0.02", "normal")]


def test_shares_before_and_after():
    rows = [
        {"style": "pen", "measure": m, "name": "calm", "estimate": e, "low": e - 0.1, "high": e + 0.1}
        for m, e in (("share before", 0.3), ("share after", 0.5))
    ]
    (ax,) = plots.shares(rows).axes
    assert ax.get_legend_handles_labels()[1] == ["share before", "share after"]


def test_no_two_of_many_series_look_alike():
    from workbench.plots.style import COLOURS, look

    looks = [tuple(map(str, look(i).values())) for i in range(len(COLOURS) ** 2)]
    assert len(set(looks)) == len(looks)
    assert look(0)["color"] == look(len(COLOURS))["color"]

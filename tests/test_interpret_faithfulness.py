"""The table of faithfulness: what is in it, its intervals, and that it tells good maps from controls."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from torch import nn

from workbench.interpret.attribution import AttributionError
from workbench.interpret.faithfulness import MEASURES, Settings, faithfulness, judgements, summarise, verdict


class RedSquare(nn.Module):
    """Class 1 if there is much red anywhere, by a convolution, ReLU and a mean."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3, padding=1)
        self.act = nn.ReLU()
        self.head = nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[0, 0] = 1 / 9
            self.conv.weight[0, 1:] = -1 / 9
            self.conv.weight[1] = 0.01
            self.conv.bias.zero_()
            self.head.weight.copy_(torch.tensor([[-60.0, 0.0], [60.0, 0.1]]))
            self.head.bias.copy_(torch.tensor([1.0, -1.0]))

    def forward(self, x):
        return self.head(self.act(self.conv(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def rows():
    generator = torch.Generator().manual_seed(0)
    x = 0.3 * torch.rand(6, 1, 32, 32, generator=generator).expand(6, 3, 32, 32).clone()
    masks = torch.zeros(6, 32, 32, dtype=torch.bool)
    for i in range(6):
        top, left = 2 + 3 * i, 20 - 3 * i
        masks[i, top : top + 8, left : left + 8] = True
    x[:, 0][masks] = 1.0
    settings = Settings(seeds=(0, 1), costly=2, steps=4, samples=8, batch=4, points=2)
    network = RedSquare().eval()
    with torch.no_grad():
        target = network(x).argmax(1)
    assert target.tolist() == [1] * 6
    return judgements(network, x, target, masks, settings)


def test_every_measure_of_every_method(rows):
    found = {(r["method"], r["measure"], r["part"], r["picture"], r["seed"]) for r in rows}
    assert len(found) == len(rows)  # nothing twice
    for method in ("grad_cam", "guided_grad_cam", "integrated_gradients", "occlusion", "random", "edges"):
        for name in ("deletion", "insertion", "infidelity", "pointing", "mass"):
            assert {p for m, n, _, p, _ in found if (m, n) == (method, name)} == set(range(6))
        assert {p for m, n, _, p, _ in found if (m, n) == (method, "sensitivity")} == {0, 1}
        assert len({o for m, n, o, _, _ in found if (m, n) == (method, "agreement")}) == 5
        assert len({o for m, n, o, _, _ in found if (m, n) == (method, "cascade")}) == 2
    assert {s for m, n, _, _, s in found if (m, n) == ("random", "deletion")} == {0, 1}
    assert {s for m, n, _, _, s in found if (m, n) == ("edges", "deletion")} == {0}
    area = [r["value"] for r in rows if r["method"] == "chance" and r["measure"] == "mass"]
    assert area == [1 / 16] * 6


def test_the_table_tells_maps_from_controls(rows):
    table = {(r["method"], r["measure"]): r for r in summarise(rows) if r["measure"] in MEASURES}
    for method in ("grad_cam", "integrated_gradients", "occlusion"):
        assert table[method, "mass"]["estimate"] > 5 * table["chance", "mass"]["estimate"]
        assert table[method, "pointing"]["estimate"] > 0.9
        assert table[method, "infidelity"]["estimate"] < table["random", "infidelity"]["estimate"]
        assert table[method, "insertion"]["vs_random_low"] > 0
        assert table[method, "deletion"]["vs_random_high"] < 0
    assert table["edges", "randomisation"]["estimate"] == table["random", "randomisation"]["estimate"] == 1
    assert table["random", "sensitivity"]["estimate"] == 0
    for row in table.values():
        assert not row["low"] > row["estimate"]
        assert not row["estimate"] > row["high"]
    line = verdict(list(table.values()), "occlusion")
    assert line.startswith("Occlusion beats random maps on 5 of 5 measures (deletion, insertion,")
    assert re.search(r"and a mere edge detector on [2-5] \((deletion|insertion)", line)
    assert table["occlusion", "insertion"]["vs_edges_low"] > 0
    assert np.isnan(table["edges", "insertion"]["vs_edges"])
    without = [{k: v for k, v in row.items() if "edges" not in k} for row in table.values()]
    assert "mere" not in verdict(without, "occlusion")  # a table without that comparison says nothing of it
    assert "not measured" in verdict([], "occlusion")


def test_a_verdict_by_hand():
    def row(measure, random, edges):
        row = {"method": "grad_cam", "measure": measure, "estimate": 0.5}
        for control, (low, high) in (("random", random), ("edges", edges)):
            row |= {f"vs_{control}_low": low, f"vs_{control}_high": high}
        return row

    rows = [
        row("insertion", (0.1, 0.2), (-0.1, 0.1)),
        row("deletion", ("-0.2", "-0.1"), ("", "")),  # as from a CSV; not compared with edges
        row("infidelity", (-0.2, 0.1), (0.1, 0.2)),
        {**row("randomisation", (0, 0), (0, 0)), "estimate": 0.2},
    ]
    assert verdict(rows, "grad_cam") == (
        "Grad-CAM beats random maps on 2 of 3 measures (deletion, insertion), and a mere edge detector on "
        "none; the edge detector beats it on infidelity; without the trained weights its map is another "
        "(rank correlation 0.20)."
    )
    missed = {**row("pointing", (-0.3, -0.1), (-0.4, -0.2)), "estimate": 0.0, "pictures": 30}
    assert verdict([missed], "grad_cam") == (
        "Grad-CAM beats random maps on 0 of 1 measures, and a mere edge detector on none; random maps beat "
        "it on pointing game; the edge detector beats it on pointing game; it points at the true region in "
        "none of 30 pictures."
    )


def test_a_verdict_names_what_speaks_against_a_method():
    """The region covers .2 of the picture; noise moves the map by more than half of its norm."""
    alike = {f"vs_{control}_{end}": "0.1" for control in ("random", "edges") for end in ("low", "high")}

    def row(method, measure, estimate, low):
        return {
            "method": method,
            "measure": measure,
            "estimate": estimate,
            "low": low,
            "pictures": 40,
        } | alike

    rows = [
        row("chance", "pointing", "0.2", "0.2"), row("chance", "mass", "0.2", "0.2"),
        row("occlusion", "pointing", "0.3", "0.15"), row("occlusion", "mass", "0.4", "0.3"),
        row("occlusion", "sensitivity", "0.64", "0.6"),
        row("grad_cam", "pointing", "0.3", "0.25"), row("grad_cam", "sensitivity", "0.2", "0.1"),
    ]  # fmt: skip
    against = verdict(rows, "occlusion")
    assert "; on pointing game it is not clearly above chance; noise that nobody sees" in against
    assert "changes its map by 64 % of its norm" in against
    for clause in ("chance", "noise"):
        assert clause not in verdict(rows, "grad_cam")


def test_means_and_paired_differences_by_hand():
    def row(method, picture, seed, value):
        return {
            "method": method, "measure": "mass", "part": "", "picture": picture, "seed": seed, "value": value
        }  # fmt: skip

    rows = [row("a", 0, 0, 0.5), row("a", 1, 0, 0.7), row("a", 2, 0, float("nan"))]
    rows += [row("random", p, s, 0.1 * (p + s)) for p in range(3) for s in range(2)]
    first, second = summarise(rows)
    assert first["estimate"] == pytest.approx(0.6)
    assert (first["low"], first["high"]) == (0.5, 0.7)
    assert first["vs_random"] == pytest.approx(((0.5 - 0.05) + (0.7 - 0.15)) / 2)
    assert (first["pictures"], first["seeds"]) == (3, 1)
    assert second["estimate"] == pytest.approx(0.15)
    assert np.isnan(second["vs_random"])
    assert second["seeds"] == 2
    grouped = summarise(rows, groups=["x", "x", "x"])[0]
    assert grouped["estimate"] == pytest.approx(0.6)
    assert np.isnan([grouped["low"], grouped["high"]]).all()  # one painter: nothing to resample


def test_what_is_the_same_in_all_pictures():
    """Pointing at none of 40 is a share (Wilson: 0 to 0.088); what is 1 by definition has no interval."""
    keys = {"part": "", "seed": 0}
    rows = [
        {**keys, "method": method, "measure": measure, "picture": i, "value": value}
        for method, measure, value in (
            ("occlusion", "pointing", 0.0), ("edges", "pointing", 0.0), ("edges", "randomisation", 1.0),
            ("chance", "pointing", 0.25),
        )
        for i in range(40)
    ]  # fmt: skip
    found = {(row["method"], row["measure"]): row for row in summarise(rows)}
    occlusion = found["occlusion", "pointing"]
    assert (occlusion["low"], occlusion["high"]) == pytest.approx((0, 0.0876), abs=5e-5)
    assert occlusion["vs_edges"] == 0
    assert (occlusion["vs_edges_low"], occlusion["vs_edges_high"]) == pytest.approx(
        (-0.0876, 0.0876), abs=5e-5
    )
    by_painter = summarise(rows, groups=np.arange(40) // 10)[0]  # four painters
    assert by_painter["high"] == pytest.approx(1.959964**2 / (4 + 1.959964**2))
    for key in (("edges", "randomisation"), ("chance", "pointing")):
        assert found[key]["estimate"] in (0.25, 1)
        assert np.isnan([found[key]["low"], found[key]["high"]]).all()


def test_maps_without_weights_are_compared_on_more_pictures_than_the_cascade():
    """Both end with the same weights, so one step says of a picture what the steps of the cascade do."""
    x = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    target = torch.tensor([0, 1, 0, 1, 0])
    settings = Settings(methods=("occlusion", "edges"), seeds=(0, 1), costly=3, randomised=5, steps=2,
                        samples=2, batch=2, points=2)  # fmt: skip
    by_both = judgements(RedSquare().eval(), x, target, settings=settings)
    in_steps = dataclasses.replace(settings, costly=5)
    found, wanted = (
        {(r["method"], r["picture"], r["seed"]): r["value"] for r in rows if r["measure"] == "randomisation"}
        for rows in (by_both, judgements(RedSquare().eval(), x, target, settings=in_steps))
    )
    assert {picture for _, picture, _ in found} == set(range(5))
    assert {r["picture"] for r in by_both if r["measure"] == "cascade"} == {0, 1, 2}
    assert found == pytest.approx(wanted)
    table = [r for r in summarise(by_both) if r["measure"] == "randomisation"]
    assert [(r["pictures"], r["seeds"]) for r in table] == [(5, 2), (5, 1)]


def test_without_masks_or_costly_measures():
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    settings = Settings(
        methods=("grad_cam", "random"), seeds=(0,), costly=0, randomised=0, steps=2, samples=2
    )
    table = faithfulness(RedSquare().eval(), x, torch.tensor([0, 1]), settings=settings)
    assert {r["measure"] for r in table} == {"deletion", "insertion", "infidelity", "agreement"}
    with pytest.raises(AttributionError, match="masks of shape"):
        judgements(RedSquare().eval(), x, torch.tensor([0, 1]), torch.ones(2, 8, 8, dtype=torch.bool))
    with pytest.raises(AttributionError, match="not part"):
        judgements(
            RedSquare().eval(),
            x,
            torch.tensor([0, 1]),
            settings=dataclasses.replace(settings, options={"grad_cam": {}}, layer=nn.Conv2d(1, 1, 1)),
        )

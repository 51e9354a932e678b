"""The study of the losses' shares: the share that is asked for, and a comparison whose answer is known."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from workbench.metrics import kid
from workbench.studies import loss_shares as study


def test_a_loss_gets_the_share_of_the_others_gradient_that_is_asked_for():
    drawing = torch.tensor([1.0, 2.0], requires_grad=True)
    others = {"a": 3 * drawing[0], "b": 4 * drawing[1]}  # a gradient of norm 5
    held = study.with_gradient_share(7 * drawing.sum(), others, drawing, 0.3)
    (pull,) = torch.autograd.grad(held, drawing)
    assert float(pull.norm()) == pytest.approx(0.3 * 5)
    assert pull[0] == pull[1]  # its direction stays


def test_every_training_differs_from_the_one_without_in_its_loss_alone(tmp_path):
    asked = study.LossShares("photos", "style", "roles.csv")
    plan = asked.plan()
    assert len(plan) == 3 + 3 * 3 * 3
    without = dataclasses.asdict(asked.config(tmp_path, study.NONE, 0.0, 1))
    for term, weight in (("spectral", "w_spectral"), ("boundary", "w_boundary"), ("block", "w_block")):
        other = dataclasses.asdict(asked.config(tmp_path, term, 0.3, 1))
        changed = {k for k in other if other[k] != without[k]}
        assert changed == {"out", "term", "share", "spectral_cap", weight}
        assert without[weight] == 0
    assert (without["scales"], without["crop"]) == ((1.0, 1.0), without["spectrum_size"])  # nothing shrinks


def drawn(shift, noise, seed, photos=40):
    rng = np.random.default_rng(seed)
    return {
        "features": rng.normal(shift, 1, (photos, 2, 6)),
        "profiles": np.full((photos, 4), 1.0 + shift),
        **{m: shift + noise * rng.normal(size=photos) for m in study.OF_PHOTOS},
    }


@pytest.mark.filterwarnings("ignore::workbench.metrics.bootstrap.FewGroupsWarning")
def test_differences_are_those_of_the_same_seed_and_their_mean_stands_in_its_interval():
    style = {
        "features": np.random.default_rng(9).normal(1, 1, (60, 2, 6)),
        "profiles": np.full((60, 4), 2.0),
        "groups": np.repeat(np.arange(12), 5),
    }
    sets = {(study.NONE, 0.0, seed): drawn(0.0, 0.1, seed) for seed in range(3)}
    sets |= {("block", 1.0, seed): drawn(0.5, 0.1, seed + 10) for seed in range(2)}
    sets["block", 1.0, 0]["content"][0] = np.nan  # a photo without a value counts for no mean
    found = study.comparison_rows(study.resample_measures(sets, style, study.OF_PHOTOS, 300))
    rows = {(r["term"], r["metric"]): r for r in found}
    edges = rows["block", "edge_f1"]
    each = [
        sets["block", 1.0, s]["edge_f1"].mean() - sets[study.NONE, 0.0, s]["edge_f1"].mean() for s in (0, 1)
    ]
    assert (edges["seeds"], rows[study.NONE, "edge_f1"]["seeds"]) == (2, 3)
    assert edges["difference"] == pytest.approx(np.mean(each))
    assert (edges["least"], edges["most"]) == (pytest.approx(min(each)), pytest.approx(max(each)))
    assert edges["difference_low"] < np.mean(each) < edges["difference_high"]
    assert rows["block", "spectral_distance"]["difference"] == pytest.approx(-0.5)
    contents = [np.nanmean(sets["block", 1.0, s]["content"]) for s in (0, 1)]
    assert rows["block", "content"]["estimate"] == pytest.approx(np.mean(contents))
    near, far = (
        np.mean([kid.kid(sets[*run, s]["features"], style["features"]).mean for s in (0, 1)])
        for run in (("block", 1.0), (study.NONE, 0.0))
    )
    assert rows["block", "kid_lite0"]["difference"] == pytest.approx(near - far)
    assert "p_holm" in rows["block", "kid_lite0"]
    block = rows["block", "kid_lite0"]
    assert block["verdict"] == study.verdict(
        *(block[k] for k in ("difference_low", "difference_high", "p_holm"))
    )
    assert "p_holm" not in edges  # the contrasts that were planned are of KID


def test_a_verdict_follows_the_margin_that_was_stated_first():
    said = [study.verdict(*bounds, 0.01) for bounds in ((-2.9, 2.9), (-9, -1), (1, 9), (-4, 1), (-2, -1))]
    assert said == ["no difference", "nearer", "farther", "open", "no difference"]


def test_a_verdict_follows_the_correction_for_all_planned_contrasts():
    assert [study.verdict(1, 9, p) for p in (0.049, 0.05, 0.086)] == ["farther", "open", "open"]
    assert [study.verdict(-9, -1, p) for p in (0.001, 0.2)] == ["nearer", "open"]
    assert study.verdict(-1, 1, 0.9) == "no difference"


def test_the_committed_verdicts_are_those_of_the_committed_intervals():
    table = Path(__file__).parent.parent / "reports" / "results" / "loss_shares_summary.csv"
    rows = pd.read_csv(table).dropna(subset=["verdict"])
    assert len(rows) == 9
    for row in rows.itertuples():
        assert row.verdict == study.verdict(row.difference_low, row.difference_high, row.p_holm)


@pytest.mark.slow
def test_from_folders_to_the_summary(tmp_path):
    rng = np.random.default_rng(0)
    for folder, count in (("photos", 14), ("style", 10)):
        (tmp_path / folder).mkdir()
        for i in range(count):
            coarse = Image.fromarray(rng.integers(0, 255, (6, 7, 3), dtype=np.uint8))
            blocks = coarse.resize((272, 256), Image.Resampling.NEAREST)  # with edges between them
            blocks.save(tmp_path / folder / f"{i:02d}.png")
    roles = [f"{i:02d}.png,{'train' if i < 10 else 'report'}" for i in range(14)]
    (tmp_path / "roles.csv").write_text("\n".join(["photo,role", *roles]))
    asked = study.LossShares(
        *(str(tmp_path / name) for name in ("photos", "style", "roles.csv")), steps=2, batch=1, crop=64,
        shares=(1.0,), seeds=(0,), samples=50,
    )  # fmt: skip
    table = pd.read_csv(asked.run(tmp_path / "out"))
    assert table[["term", "share"]].values.tolist() == [["none", 0], *([term, 1] for term in study.TERMS)]
    assert set(table["photos"]) == {4}
    assert set(table["steps"]) == {2}
    summary = pd.read_csv(tmp_path / "out" / "loss_shares_summary.csv").set_index(["term", "metric"])
    without, block = (table.set_index("term")["edge_f1"][term] for term in ("none", "block"))
    assert summary["difference"]["block", "edge_f1"] == pytest.approx(block - without)
    assert block != without
    again = dataclasses.replace(asked, seeds=())  # measured before: the summary alone is made anew
    assert len(pd.read_csv(again.run(tmp_path / "out"))) == 4

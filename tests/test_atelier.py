"""The procedural painter: same seed same bytes, a true mask, overlapping moods, a set that reads back."""

import csv
import hashlib
import itertools
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.preprocessing import OneHotEncoder
from typer.testing import CliRunner

from workbench.cli import app
from workbench.core.errors import DatasetError, UnknownNameError, WorkbenchError
from workbench.data.atelier import (
    FACTORS,
    MOODS,
    MOTIFS,
    SEALS,
    dataset,
    open_dataset,
    paint,
    read_mask,
    write_atelier,
)
from workbench.data.atelier.brush import Box, Brush
from workbench.data.atelier.factors import MEANS, draw_factors, painter_of, posterior, votes
from workbench.data.atelier.strokes import ACCENT, INK, Layer, fbm
from workbench.data.moods import MOODS as WORDS
from workbench.data.paintings import read_paintings


def pixels(painting) -> np.ndarray:
    return np.asarray(painting.image).astype(int)


def middling(**changed) -> Brush:
    return Brush.of({**dict.fromkeys(FACTORS, 0.5), **changed})


# --- strokes


@pytest.mark.parametrize("size", [64, 256])
@pytest.mark.parametrize(("width", "length"), [(0.05, 0.5), (0.004, 0.5), (0.2, 0.2)])
def test_a_stroke_leaves_ink_in_proportion_to_its_area(size, width, length):
    layer = Layer(size)
    spine = [[[0.5 - length / 2, 0.4], [0.5 + length / 2, 0.4]]]
    layer.lay(spine, width, 1.7, np.random.default_rng(0), profile="even", edge=0.0)
    area = layer.density[INK].mean() / 1.7  # in squares of the side
    half = max(width, 0.5 / size)
    assert area == pytest.approx(half * length, rel=0.25)
    assert layer.strokes == 1
    assert not layer.density[ACCENT].any()


def test_a_dry_brush_leaves_the_paper_bare():
    ink = []
    for dryness in (0.0, 0.3, 0.6, 0.9):
        layer = Layer(128)
        layer.lay([[[0.1, 0.5], [0.9, 0.5]]], 0.1, 1.0, np.random.default_rng(0), dryness=dryness)
        ink.append(layer.density[INK].sum())
    assert ink == sorted(ink, reverse=True)
    assert ink[-1] < 0.4 * ink[0]


def test_strokes_add_and_stay_in_the_sheet():
    layer, both = Layer(64), Layer(64)
    spines = [[[-0.5, 0.5], [1.5, 0.5]], [[0.5, -2.0], [0.5, 3.0]], [[5.0, 5.0], [6.0, 6.0]]]
    layer.lay(spines[:1], 0.05, 1.0, np.random.default_rng(0), profile="even", edge=0)
    both.lay(spines, 0.05, 1.0, np.random.default_rng(0), profile="even", edge=0)
    assert both.density[INK].sum() > 1.7 * layer.density[INK].sum()
    assert np.isfinite(both.density).all()
    assert both.density.min() >= 0
    layer.lay(np.empty((0, 4, 2)), 0.1, 1.0, np.random.default_rng(0))
    assert layer.strokes == 1


def test_hiding_removes_what_is_below():
    layer = Layer(32)
    layer.wash(np.ones((32, 32), np.float32))
    mask = np.zeros((32, 32), np.float32)
    mask[:16] = 1
    layer.hide(mask)
    assert layer.density[INK][:16].max() == 0
    assert layer.density[INK][16:].min() == 1
    assert (layer.cover == mask).all()


def test_fractal_noise_is_about_a_half_and_stretches():
    noise = fbm(np.random.default_rng(0), 128, 4)
    assert noise.shape == (128, 128)
    assert abs(noise.mean() - 0.5) < 0.1
    wide = fbm(np.random.default_rng(0), 128, 16, 1, stretch=4.0)
    assert np.abs(np.diff(wide, axis=1)).mean() < 0.5 * np.abs(np.diff(wide, axis=0)).mean()


# --- factors and brush


def test_factors_are_shares_for_the_five_moods():
    assert tuple(WORDS) == MOODS
    assert MEANS.shape == (5, len(FACTORS))
    assert ((MEANS >= 0) & (MEANS <= 1)).all()
    drawn = draw_factors("elegance", np.zeros(12), np.random.default_rng(0))
    assert list(drawn) == list(FACTORS)
    assert all(0 <= value <= 1 for value in drawn.values())


def test_the_brush_follows_its_factors():
    assert middling(stroke_width=0).width == pytest.approx(0.004)
    assert middling(stroke_width=1).width == pytest.approx(0.032)
    assert middling(straightness=1).bow == 0
    assert middling(straightness=0).bow == pytest.approx(0.30)
    assert middling(ink=0).ink == pytest.approx(0.45)
    assert middling(ink=1).ink == pytest.approx(2.2)
    assert middling(strokes=1).count(10) == 19
    assert middling(strokes=0).count(1, least=3) == 3
    line = middling(straightness=1).bent([[0, 0]], [[1, 0]], np.random.default_rng(0))
    assert np.abs(line[0, :, 1]).max() < 0.03
    assert (
        np.abs(middling(straightness=0).bent([[0, 0]], [[1, 0]], np.random.default_rng(0))[0, :, 1]).max()
        > 0.1
    )
    assert Box(0.5, 0.4, 0.2).at(1, -1).tolist() == pytest.approx([0.7, 0.2])


def test_the_posterior_is_bayes_rule():
    """On a mood's own means the odds against another are exp(d²/2) for the distance d in deviations."""
    means = dict(zip(FACTORS, MEANS[0].tolist(), strict=True))
    found = posterior(means)
    distance = ((MEANS[0] - MEANS[3]) ** 2).sum() / (0.24**2 + 0.11**2)
    assert found.sum() == pytest.approx(1)
    assert np.log(found[0] / found[3]) == pytest.approx(distance / 2)
    shares = votes(means, np.random.default_rng(0))
    assert shares.sum() == pytest.approx(1)
    assert np.allclose(shares * 20, np.round(shares * 20))


def test_moods_overlap_and_painters_differ():
    rng = np.random.default_rng(0)
    truth = np.arange(2000) % 5
    drawn = [draw_factors(MOODS[i], painter_of(j % 24, 8).shift, rng) for j, i in enumerate(truth)]
    ideal = np.mean([posterior(f).argmax() == i for f, i in zip(drawn, truth, strict=True)])
    assert 0.85 < ideal < 0.98  # learnable, not trivial
    shares = np.array([votes(f, rng) for f in drawn])
    assert 0.45 < shares.max(1).mean() < 0.65  # real raters' mean top share is 0.55
    assert 0.7 < (shares.argmax(1) == truth).mean() < 0.95
    shifts = np.stack([painter_of(p, 8).shift for p in range(24)])
    assert shifts.std(0).mean() == pytest.approx(0.11, rel=0.2)
    assert (painter_of(3, 8).shift == painter_of(3, 8).shift).all()


# --- painting


def test_the_same_seed_gives_the_same_bytes():
    first, again = paint("grandeur", 4, 128, seal="oval"), paint("grandeur", 4, 128, seal="oval")
    assert first.image.tobytes() == again.image.tobytes()
    assert (first.mask == again.mask).all()
    assert first.factors == again.factors
    assert paint("grandeur", 5, 128).image.tobytes() != first.image.tobytes()


@pytest.mark.parametrize("motif", MOTIFS)
@pytest.mark.parametrize("mood", MOODS)
def test_outside_its_mask_the_picture_is_the_picture_without_the_mood(mood, motif):
    full = paint(mood, 21, 128, motif=motif, seal="round")
    without = paint(mood, 21, 128, motif=motif, seal="round", mood_group=False)
    changed = (pixels(full) != pixels(without)).any(2)
    assert not changed[~full.mask].any()
    assert 0.01 < full.mask.mean() < 0.75
    assert changed[full.mask].mean() > 0.4  # the mask is not wider than gaps between strokes
    assert not without.mask.any()


@pytest.mark.parametrize("seed", range(6))
def test_another_mood_changes_only_the_union_of_masks(seed):
    pictures = [paint(mood, seed, 128, seal="gourd") for mood in MOODS]
    for a, b in itertools.pairwise(pictures):
        changed = (pixels(a) != pixels(b)).any(2)
        assert changed.any()
        assert not changed[~(a.mask | b.mask)].any()


def test_other_surroundings_leave_the_mood_group_bit_identical():
    one, two = (paint("vitality", 8, 128, around=around) for around in (8, 99))
    bare = [paint("vitality", 8, 128, around=around, mood_group=False) for around in (8, 99)]
    assert (one.mask == two.mask).all()
    assert one.factors == two.factors
    same = (pixels(bare[0]) == pixels(bare[1])).all(2)
    assert (~same).mean() > 0.01
    assert (one.mask & same).any()
    assert (pixels(one) == pixels(two)).all(2)[same].all()


def test_a_seal_changes_its_own_mask_only():
    plain = paint("serenity", 3, 128)
    assert plain.seal_mask is None
    places = []
    for shape in SEALS:
        sealed = paint("serenity", 3, 128, seal=shape)
        changed = (pixels(sealed) != pixels(plain)).any(2)
        assert changed.any()
        assert not changed[~sealed.seal_mask].any()
        assert 0.001 < sealed.seal_mask.mean() < 0.01
        assert (sealed.mask == plain.mask).all()
        red, green, _ = pixels(sealed)[changed].mean(0)
        assert red > 1.5 * green
        places.append(sealed.seal_mask)
    assert not (np.sum(places, axis=0) > 1).any()  # each shape has its own place


def test_a_picture_is_the_same_at_every_size():
    small, large = paint("elegance", 12, 128), paint("elegance", 12, 384)
    assert small.factors == large.factors
    a = np.asarray(small.image.resize((32, 32), Image.Resampling.BOX).convert("L"), float)
    b = np.asarray(large.image.resize((32, 32), Image.Resampling.BOX).convert("L"), float)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8


def test_factors_can_be_set_and_steer_the_picture():
    pale, black = (paint("elegance", 2, 128, motif="bamboo", factors={"ink": v}) for v in (0.0, 1.0))
    assert pale.factors["ink"] == 0
    assert black.measures["group_ink"] > 2 * pale.measures["group_ink"]
    few, many = (paint("elegance", 2, 128, motif="bamboo", factors={"strokes": v}) for v in (0.0, 1.0))
    assert many.measures["group_strokes"] > 2 * few.measures["group_strokes"]
    small, wide = (paint("elegance", 2, 128, motif="tree", factors={"extent": v}) for v in (0.0, 1.0))
    assert wide.measures["mask_share"] > 1.3 * small.measures["mask_share"]
    cool, warm = (
        paint("elegance", 2, 128, motif="lotus", factors={"warmth": v, "saturation": 1.0, "ink": 0.2})
        for v in (0.0, 1.0)
    )
    blue, red = (pixels(p)[p.mask].mean(0) for p in (cool, warm))
    assert red[0] - red[2] > blue[0] - blue[2] + 10
    chroma = [
        np.ptp(pixels(paint("elegance", 2, 128, motif="branch", factors={"saturation": v})), axis=2).max()
        for v in (0.0, 1.0)
    ]
    assert chroma[1] > 1.5 * chroma[0]


def test_what_cannot_be_painted_is_refused():
    with pytest.raises(UnknownNameError, match="mood 'joy'"):
        paint("joy", 0)
    with pytest.raises(UnknownNameError, match="seal"):
        paint("serenity", 0, seal="star")
    with pytest.raises(UnknownNameError, match="motif"):
        paint("serenity", 0, motif="cat")
    with pytest.raises(UnknownNameError, match="factor"):
        paint("serenity", 0, factors={"joy": 1.0})
    for bad in ({"size": 32}, {"seed": -1}, {"paper_tone": 5}, {"painter": -1}):
        with pytest.raises(WorkbenchError, match="Expected"):
            paint(**{"mood": "serenity", "seed": 0, **bad})


# --- data set


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_atelier(tmp_path_factory.mktemp("atelier") / "set", 25, seed=1, size=64)


def rows(folder):
    with (folder / "ratings.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_set_reads_back(small):
    data = read_paintings(small)
    assert len(data) == 25
    assert set(data.classes) == set(MOODS)
    assert np.bincount(data.labels).tolist() == [5] * 5
    assert data.grouped
    assert data.votes.shape == (25, 5)
    table = rows(small)
    for i in (0, 13):
        row = table[i]
        again = paint(
            row["label"],
            int(row["picture_seed"]),
            64,
            seal=row["seal"],
            painter=int(row["painter"].split()[1]) - 1,
        )
        assert data.read(i).tobytes() == again.image.tobytes()
        assert (read_mask(data, i) == again.mask).all()
        assert (read_mask(data, i, "seal_masks") == again.seal_mask).all()
        assert {k: float(row[k]) for k in FACTORS} == pytest.approx(again.factors)
    assert json.loads((small / "atelier.json").read_text())["n"] == 25
    assert not list(small.parent.glob(".*part"))


def test_the_set_is_reproducible(small, tmp_path):
    def digest(folder):
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        return [(p.relative_to(folder), hashlib.sha256(p.read_bytes()).hexdigest()) for p in files]

    assert digest(write_atelier(tmp_path / "again", 25, seed=1, size=64)) == digest(small)


def test_cues_and_confounds_are_planted(tmp_path):
    cued = rows(write_atelier(tmp_path / "cue", 40, size=64, seal_cue=1.0, confound="painter", strength=1.0))
    assert all(row["seal"] == dataset.SEAL_OF[row["label"]] for row in cued)
    fitting = [(int(row["painter"].split()[1]) - 1) % 5 == MOODS.index(row["label"]) for row in cued]
    assert all(fitting)
    papers = rows(write_atelier(tmp_path / "paper", 40, size=64, confound="paper", strength=1.0))
    assert all(int(row["paper"]) == MOODS.index(row["label"]) for row in papers)
    agree = np.mean([row["seal"] == dataset.SEAL_OF[row["label"]] for row in papers])
    assert agree < 0.5  # chance is 0.2 where nothing is planted


def test_a_set_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(dataset, "write_image", fail)
    with pytest.raises(DatasetError, match="No space left"):
        write_atelier(tmp_path / "set", 10, size=64)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="in use"):
        write_atelier(tmp_path / "used", 10)
    assert (tmp_path / "used" / "mine.txt").read_text() == "mine"
    for bad in ({"n": 9}, {"seed": -1}, {"painters": 1}, {"seal_cue": 1.5}, {"strength": -0.1}):
        with pytest.raises(DatasetError, match="Expected"):
            write_atelier(tmp_path / "new", **bad)
    with pytest.raises(UnknownNameError, match="confound"):
        write_atelier(tmp_path / "new", confound="weather")
    assert not (tmp_path / "new").exists()


def test_open_dataset_paints_once(tmp_path, monkeypatch, small):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = open_dataset("atelier:10:3")
    assert len(data) == 10
    assert [p.name for p in tmp_path.glob("*/*/*")] == [f"v{dataset.VERSION}-n10-seed3"]
    monkeypatch.setattr(dataset, "write_atelier", None)  # a second painting would fail
    assert open_dataset("atelier:10:3").paths == data.paths
    assert open_dataset("atelier", n=10, seed=3).paths == data.paths
    assert open_dataset(small).paths == read_paintings(small).paths
    for bad in ("atelier:x", "atelier:10:3:4", "atelier:-5"):
        with pytest.raises(DatasetError, match="atelier:N:SEED"):
            open_dataset(bad)
    with pytest.raises(UnknownNameError, match="mask"):
        read_mask(data, 0, "hats")


def test_masks_are_asked_of_the_atelier_only(tmp_path):
    for i, name in enumerate(("calm/a.png", "calm/b.png", "wild/c.png", "wild/d.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), (50 * i, 200, 0)).save(tmp_path / name)
    with pytest.raises(DatasetError, match="Only the atelier"):
        read_mask(read_paintings(tmp_path), 0)


def test_the_motif_tells_less_of_the_mood_than_the_expression():
    """Cross-validated with painters kept apart, on the drawn factors and motifs of 400 pictures."""
    from workbench.data.atelier.painting import choose_motif

    moods, motifs, factors, painters = [], [], [], []
    for i in range(400):
        rng = np.random.default_rng([5, i])
        who = painter_of(i % 24, len(MOTIFS))
        moods.append(MOODS[i % 5])
        factors.append(list(draw_factors(moods[-1], who.shift, rng).values()))
        motifs.append([choose_motif(moods[-1], who, rng)])
        painters.append(i % 24)
    folds = GroupKFold(5)
    onehot = OneHotEncoder(sparse_output=False).fit_transform(motifs)
    by_motif = cross_val_score(LinearDiscriminantAnalysis(), onehot, moods, groups=painters, cv=folds).mean()
    accuracy = cross_val_score(LinearDiscriminantAnalysis(), factors, moods, groups=painters, cv=folds).mean()
    assert by_motif < 0.38
    assert accuracy > 0.8


def test_the_command(tmp_path):
    done = CliRunner().invoke(app, ["data", "atelier", str(tmp_path / "set"), "--n", "10", "--size", "64"])
    assert done.exit_code == 0, done.output
    assert done.output.strip().endswith("set")
    assert len(read_paintings(tmp_path / "set")) == 10

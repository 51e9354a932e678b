"""Spectra of sets of pictures: statistics by hand, mirrored spectrograms, and the study in miniature."""

import csv

import numpy as np
import pytest

from workbench.core.errors import DatasetError, UnknownNameError
from workbench.metrics import spectrum
from workbench.studies import spectra

BINS = spectrum.BINS
WIDTH = BINS + len(spectra.MEASURES)


def test_rows_by_hand():
    photos, own = np.zeros((4, WIDTH)), np.ones((4, WIDTH))
    own[0] = -1
    rows = spectra.set_rows(own, photos, paired=True, samples=400)
    found = {(r["measure"], r["kind"]): r for r in rows}
    assert found["contrast", "mean"]["estimate"] == pytest.approx(0.5)
    assert found["contrast", "auc"]["estimate"] == pytest.approx(0.75)
    assert found["contrast", "difference"]["low"] < 0 < found["contrast", "difference"]["high"]
    assert found["contrast", "difference"]["p"] > 0.05
    assert [r["radius"] for r in rows if r["kind"] == "mean"][:2] == [0.0377, 0.0531]
    assert sum(r["measure"] == "profile" for r in rows) == 2 * BINS
    equal = spectra.set_rows(photos, photos, paired=True, samples=50)
    assert all(r["estimate"] == 0.5 for r in equal if r["kind"] == "auc")


def test_pairs_are_tighter_than_two_sets():
    rng = np.random.default_rng(0)
    photos = rng.normal(size=(60, WIDTH))
    own = photos + 0.1
    width = {}
    for paired in (True, False):
        rows = spectra.set_rows(own, photos, paired, samples=400)
        row = next(r for r in rows if r["kind"] == "difference" and r["measure"] == "slope")
        width[paired] = row["high"] - row["low"]
        assert row["estimate"] == pytest.approx(0.1)
    assert width[True] < 1e-9 < 0.3 < width[False]


def test_panels_of_an_episode_count_once():
    """Ten copies of every episode's panel say no more than one panel of each does."""
    rng = np.random.default_rng(1)
    photos, panels = rng.normal(size=(40, WIDTH)), rng.normal(1, 1, size=(35, WIDTH))
    copies, groups = np.repeat(panels, 10, axis=0), np.repeat(np.arange(35), 10)

    def brightness(own, groups=None):
        rows = spectra.set_rows(own, photos, False, 400, groups=groups)
        return {r["kind"]: r for r in rows if r["measure"] == "brightness"}

    once, together, apart = brightness(panels), brightness(copies, groups), brightness(copies)
    for kind in ("mean", "difference", "auc"):
        for end in ("estimate", "low", "high"):
            assert together[kind][end] == pytest.approx(once[kind][end])
        assert (together[kind]["pictures"], together[kind]["groups"]) == (350, 35)
    assert apart["mean"]["high"] - apart["mean"]["low"] < 0.5 * (once["mean"]["high"] - once["mean"]["low"])
    assert together["difference"]["p"] == once["difference"]["p"]


def test_sets_that_do_not_overlap_have_an_interval_all_the_same():
    """40 pictures, all above 40 photos: Wilson's interval of 40 of 40 is 0.912 to 1."""
    photos, own = np.zeros((40, WIDTH)), np.ones((40, WIDTH))
    rows = spectra.set_rows(own, photos, paired=False, samples=50)
    auc = next(r for r in rows if r["kind"] == "auc")
    assert (auc["estimate"], auc["high"]) == (1, 1)
    assert auc["low"] == pytest.approx(40 / (40 + 1.959964**2), abs=1e-6)


def test_whole_spectrogram_against_the_full_transform():
    side = 16
    picture = np.random.default_rng(0).normal(size=(side, side))
    full = np.abs(np.fft.fftshift(np.fft.fft2(picture)))
    half = np.fft.fftshift(np.abs(np.fft.rfft2(picture)), axes=0)
    np.testing.assert_allclose(spectra.whole(half), full, atol=1e-9)


def test_examples_are_pictures_with_their_spectrograms():
    photo = next(iter(spectra.read_photos().values()))
    found = spectra.examples(photo, ("convolution_soften",))
    assert list(found) == ["photo", "convolution_soften"]
    picture, spectrogram = found["convolution_soften"]
    assert picture.shape == photo.shape
    assert spectrogram.shape == (spectrum.SIDE, spectrum.SIDE)
    outer = np.s_[:8, :8]  # highest frequencies
    assert spectrogram[outer].mean() < found["photo"][1][outer].mean() - 0.2  # a blur takes them away


def test_the_study_in_miniature(tmp_path):
    rng = np.random.default_rng(0)
    style = [np.repeat(rng.integers(0, 255, (260, 260, 1), np.uint8), 3, 2) for _ in range(4)]  # noise
    path = spectra.Spectra(style, sets=("convolution_soften",), samples=50).run(tmp_path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(dict.fromkeys(r["set"] for r in rows)) == ["photo", "style", "convolution_soften"]
    found = {(r["set"], r["measure"], r["kind"]): r for r in rows if r["measure"] != "profile"}
    assert float(found["style", "slope", "mean"]["estimate"]) == pytest.approx(0, abs=0.1)
    assert float(found["style", "slope", "auc"]["estimate"]) == 1  # every photo falls off more steeply
    assert float(found["convolution_soften", "slope", "difference"]["high"]) < 0
    assert ("photo", "slope", "difference") not in found
    assert int(found["photo", "slope", "mean"]["pictures"]) == 6


def test_errors(tmp_path):
    with pytest.raises(DatasetError, match="at least 4 style pictures"):
        spectra.Spectra([np.zeros((300, 300, 3), np.uint8)] * 3).run(tmp_path)
    with pytest.raises(UnknownNameError, match="stylizer 'van_gogh'"):
        spectra.Spectra([np.zeros((300, 300, 3), np.uint8)] * 4, sets=("van_gogh",)).run(tmp_path)

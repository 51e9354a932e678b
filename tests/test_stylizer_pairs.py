"""Stylizers compared in pairs: differences that can be computed by hand, the family of Holm, fewer photos."""

import csv

import numpy as np
import pytest

from workbench.studies import stylizers
from workbench.studies.stylizer_pairs import pair_rows

PHOTOS, STYLE, SAMPLES = 60, 40, 199
SHARED = np.random.default_rng(0).normal(size=PHOTOS)  # how hard each photo is, for all alike


def drawings(feature, profile, edge, places=None):
    """What was measured of drawings that are all alike but for the photos' own difficulty."""
    places = np.arange(PHOTOS) if places is None else places
    count = len(places)
    return {
        "places": places,
        "features": np.full((count, 1, 1), feature),
        "profiles": np.full((count, 2), profile),
        "edge_f1": edge + SHARED[places],
        "color_drift": 10 * edge + SHARED[places],
        "region_variance": np.where(places % 2 == 0, 100.0, 300.0),
    }


@pytest.fixture(scope="module")
def table():
    style = {
        "features": np.ones((STYLE, 1, 1)),
        "profiles": np.zeros((STYLE, 2)),
        "groups": np.arange(STYLE),
    }
    sets = {
        "net": drawings(0.0, 0.5, 0.8),
        "second": drawings(0.5, 0.1, 0.8),
        "filter": drawings(1.0, 0.2, 0.6),
        "few": drawings(1.0, 0.5, 0.5, np.arange(0, PHOTOS, 2)),
    }
    rows = pair_rows(sets, ["net", "second"], style, SAMPLES)
    return rows, {(row["stylizer"], row["other"], row["metric"]): row for row in rows}


def test_every_network_is_compared_with_every_other_by_every_measure(table):
    rows, found = table
    measures = ["kid_lite0", "spectral_distance", "edge_f1", "color_drift", "region_variance"]
    assert list(dict.fromkeys(row["metric"] for row in rows)) == measures
    assert len(rows) == len(found) == 2 * 3 * len(measures)
    assert [row["other"] for row in rows[:3]] == ["second", "filter", "few"]
    assert [row["other"] for row in rows[15:18]] == ["net", "filter", "few"]


@pytest.mark.parametrize(
    ("first", "other", "metric", "difference"),
    [
        # KID of features a to a style of 1s: (a² + 1)³ + 8 - 2 (a + 1)³, times 1000
        ("net", "filter", "kid_lite0", 7000 - 0),
        ("net", "second", "kid_lite0", 7000 - 3203.125),
        ("second", "net", "kid_lite0", 3203.125 - 7000),
        ("net", "filter", "spectral_distance", 0.5 - 0.2),
        ("net", "filter", "edge_f1", 0.2),  # the photos' difficulty cancels
        ("net", "filter", "color_drift", 2.0),
        ("net", "filter", "region_variance", 0.0),
        ("net", "few", "kid_lite0", 7000),
        ("net", "few", "edge_f1", 0.3),
        ("net", "few", "region_variance", 0.0),  # 200 on all photos, but 100 on those that both have
    ],
)
def test_differences(table, first, other, metric, difference):
    row = table[1][first, other, metric]
    assert row["photos"] == (30 if other == "few" else PHOTOS)
    for end in ("", "_low", "_high"):
        assert row[f"difference{end}"] == pytest.approx(difference, abs=1e-9)


def test_p_is_corrected_over_all_others_of_one_network_and_measure(table):
    found = {key: (row["p"], row["p_holm"]) for key, row in table[1].items()}
    least = 2 / (SAMPLES + 1)  # no resample lies on the other side of 0
    for other in ("second", "filter", "few"):
        assert found["net", other, "kid_lite0"] == pytest.approx((least, 3 * least))
        assert found["net", other, "region_variance"] == (1.0, 1.0)
    assert found["net", "second", "edge_f1"][1] == 1
    assert found["net", "filter", "edge_f1"] == pytest.approx((least, 3 * least))


def test_the_study_writes_the_pairs_from_the_features_of_its_rows(tmp_path, monkeypatch, caplog):
    noise = [np.random.default_rng(i).integers(0, 256, (260, 300, 3), np.uint8) for i in range(6)]
    names = ("fsgan_comic", "convolution_soften", "colormatrix_vivid")
    study = stylizers.Stylizers(noise, stylizers=names, samples=50)
    table = study.run(tmp_path)
    monkeypatch.setattr(stylizers.kid, "features", lambda *_, **__: pytest.fail("features made again"))
    pairs = tmp_path / "stylizers_pairs.csv"
    written = pairs.read_bytes()
    pairs.unlink()
    assert study.run(tmp_path) == table
    assert pairs.read_bytes() == written
    with table.open(encoding="utf-8", newline="") as file:
        of = {row["stylizer"]: row for row in csv.DictReader(file)}
    with pairs.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    others = ("photo", *names[1:])
    assert {(row["stylizer"], row["other"]) for row in rows} == {("fsgan_comic", name) for name in others}
    for row in rows:
        gap = float(of["fsgan_comic"][row["metric"]]) - float(of[row["other"]][row["metric"]])
        # 50 resamples correct a row of the table for noise, more a pair
        noise = 0.02 if row["metric"] == "spectral_distance" else 1e-9
        assert float(row["difference"]) == pytest.approx(gap, rel=1e-6, abs=noise)
        assert float(row["difference_low"]) <= float(row["difference_high"])
        assert float(row["p"]) <= float(row["p_holm"]) <= 1
    gaps = {row["metric"]: row["difference"] for row in rows if row["other"] == "photo"}
    assert float(gaps["kid_lite0"]) == pytest.approx(float(of["fsgan_comic"]["kid_lite0_less_photo"]))
    for kept in (tmp_path / "measured").iterdir():
        kept.unlink()
    pairs.unlink()
    study.run(tmp_path)  # a table whose features are gone is left as it is, and has no pairs
    assert not pairs.exists()
    assert "Not compared in pairs" in caplog.text

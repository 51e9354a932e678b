"""Expression descriptors on pictures with known answers, on the atelier's factors, and their tables."""

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import spearmanr
from skimage.color import lab2rgb

from workbench.core.errors import DatasetError, ImageError
from workbench.data.atelier import MOODS, paint, write_atelier
from workbench.data.paintings import read_paintings
from workbench.interpret.descriptors import DESCRIPTORS, class_averages, describe, describe_folder
from workbench.interpret.marks import SIDE, Picture
from workbench.plots import descriptors as plots

INK = (20, 20, 20)


def canvas(size=512, shade=245):
    return np.full((size, size, 3), shade, np.uint8)


def gray(lightness):
    """RGB picture of given L* (H, W)."""
    lab = np.stack([lightness, np.zeros_like(lightness), np.zeros_like(lightness)], -1)
    return Image.fromarray(np.round(lab2rgb(lab) * 255).astype(np.uint8))


def measure(name, picture):
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    return DESCRIPTORS[name].measure(Picture(image))


def ruled(width=8, size=512, wave=0.0):
    """Five lines 392/512 of the side long; ``wave`` sways them by that many pixels."""
    picture, x = canvas(size), np.linspace(60, 452, 200) * size / 512
    for y in range(60, 500, 90):
        line = np.stack([x, y * size / 512 + wave * np.sin(x / 15)], -1)
        cv2.polylines(picture, [np.round(line * 16).astype(np.int32)], False, INK, width, cv2.LINE_AA, 4)
    return picture


# --- line


@pytest.mark.parametrize("width", [4, 8, 16, 24, 32])
def test_stroke_width_in_per_cent_of_the_short_side(width):
    assert measure("stroke_width", ruled(width)) == pytest.approx(100 * width / 512, abs=0.4)


def test_straight_lines_are_straight_and_winding_ones_are_not():
    straight = measure("line_straightness", ruled())
    assert straight > 0.99
    assert measure("line_straightness", ruled(wave=6)) < straight - 0.02
    assert measure("line_straightness", ruled(wave=14)) < measure("line_straightness", ruled(wave=6))


def test_straightness_of_a_half_circle_and_a_ring():
    """Half circle of radius 1: variances 1/2 along and 1/2 - (2/π)² across; 1 - √ratio = 0.565."""
    half, ring = canvas(), canvas()
    cv2.ellipse(half, (256, 256), (150, 150), 0, 0, 180, INK, 8, cv2.LINE_AA)
    cv2.circle(ring, (256, 256), 150, INK, 8, cv2.LINE_AA)
    assert measure("line_straightness", half) == pytest.approx(0.565, abs=0.03)
    assert measure("line_straightness", ring) == pytest.approx(0, abs=0.01)
    assert measure("orientation_entropy", ring) == pytest.approx(1, abs=0.01)
    assert measure("orientation_entropy", ruled()) < 0.3


def test_line_length_and_continuity():
    """Five lines of 392 pixels on a side of 512: 3.83 sides of line, 76.6 % of the side each."""
    assert measure("line_density", ruled()) == pytest.approx(5 * 392 / 512, rel=0.03)
    assert measure("line_continuity", ruled()) == pytest.approx(100 * 392 / 512, rel=0.03)
    dashed = ruled()
    dashed[:, [x for x in range(512) if x % 60 > 40]] = 245
    assert measure("line_continuity", dashed) < 0.2 * measure("line_continuity", ruled())


def test_a_swelling_stroke_varies_in_width():
    swelling = canvas()
    for x in range(60, 452):
        cv2.circle(swelling, (x, 256), int(9 + 6 * np.sin(x / 30)), INK, -1)
    assert measure("stroke_width_variation", ruled(16)) < 0.15
    assert measure("stroke_width_variation", swelling) > 0.3


def test_grain_inside_strokes_is_dryness():
    rng, wet = np.random.default_rng(0), ruled(24)
    dry = wet.copy()
    specks = (rng.random(wet.shape[:2]) < 0.3) & (wet[..., 0] < 100)
    dry[specks] = 200
    assert measure("brush_dryness", dry) > 1.5 * measure("brush_dryness", wet)


# --- edge and texture


@pytest.mark.parametrize("low", [80.0, 50.0, 20.0])
def test_edge_contrast_is_the_step(low):
    lightness = np.full((300, 300), 95.0)
    lightness[:, 150:] = low
    assert measure("edge_contrast", gray(lightness)) == pytest.approx(95 - low, abs=1.5)
    assert measure("edge_contrast", canvas()) == 0


@pytest.mark.parametrize(("period", "band"), [(2, "fine"), (4, "medium"), (8, "coarse"), (16, "broad")])
def test_texture_bands_answer_to_their_period(period, band):
    """A grating of amplitude 20: its own band passes 0.4725 of it, so 20/√2 · 0.4725 = 6.68."""
    x = np.arange(512) / 512 * 100
    picture = Picture(gray(np.tile(50 + 20 * np.sin(2 * np.pi * x / period), (512, 1))))
    energy = {
        name: DESCRIPTORS[f"texture_{name}"].measure(picture)
        for name in ("fine", "medium", "coarse", "broad")
    }
    assert max(energy, key=energy.get) == band
    assert energy[band] == pytest.approx(6.68, rel=0.08)


@pytest.mark.parametrize("slope", [1, 2, 3])
def test_spectral_slope_of_noise(slope):
    rng = np.random.default_rng(slope)
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512)[None])
    frequency[0, 0] = 1
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((512, 512))) / frequency ** (slope / 2)).real
    assert measure("spectral_slope", gray(50 + 10 * noise / noise.std())) == pytest.approx(-slope, abs=0.15)


# --- colour


def test_colour_of_flat_pictures():
    grey = canvas(shade=200)
    assert measure("colour_warmth", grey) == pytest.approx(-0.5, abs=0.01)
    assert measure("saturation", grey) == pytest.approx(0, abs=0.1)
    assert measure("lightness", canvas(shade=119)) == pytest.approx(50, abs=0.2)  # sRGB 119 is L* 50.0
    red, blue = canvas(), canvas()
    red[:], blue[:] = (255, 0, 0), (0, 0, 255)
    # CIELAB of sRGB red: C 104.6, h 40.0°; -0.5 + 0.02 · 104.6^1.07 · cos(-10°) = 2.35
    assert measure("colour_warmth", red) == pytest.approx(2.35, abs=0.05)
    assert measure("colour_warmth", blue) < -1
    assert measure("saturation", red) == pytest.approx(104.6, abs=0.5)


def test_pigments_are_seen_against_their_paper():
    warm, cool, ink = canvas(), canvas(), ruled()
    for picture, colour in ((warm, (200, 80, 40)), (cool, (40, 90, 200))):
        picture[:] = (225, 205, 170)  # an aged, warm paper under both
        picture[100:200, 100:300] = colour
    assert measure("pigment_warmth", warm) > 0.7
    assert measure("pigment_warmth", cool) < -0.5
    assert np.isnan(measure("pigment_warmth", ink))
    assert measure("pigment_saturation", cool) > 20 > measure("pigment_saturation", ink)


def test_palette_size_counts_equal_colours():
    four = canvas()
    four[:256, :256], four[:256, 256:], four[256:, :256] = (200, 30, 30), (30, 60, 200), (30, 160, 60)
    assert measure("palette_size", four) == pytest.approx(4, abs=0.01)
    assert measure("palette_size", canvas()) == 1


# --- space


def test_a_half_painted_picture():
    half = canvas()
    half[:, 256:] = np.random.default_rng(0).integers(0, 200, (512, 256, 3))
    assert measure("blank_share", half) == pytest.approx(0.5, abs=0.03)
    assert measure("left_right_balance", half) == pytest.approx(0, abs=0.02)
    assert measure("composition_balance", half) == pytest.approx(0.5, abs=0.03)
    assert measure("blank_share", canvas()) == 1


def test_a_centred_thing_is_balanced():
    middle, corner = canvas(), canvas()
    middle[206:306, 206:306] = 30
    corner[:100, :100] = 30
    assert measure("composition_balance", middle) == pytest.approx(1, abs=0.02)
    assert measure("left_right_balance", middle) == pytest.approx(1, abs=0.02)
    assert measure("composition_balance", corner) < 0.05
    assert measure("ink_depth", middle) == pytest.approx(96.5 - 11.3, abs=2)  # L* of sRGB 245 and of 30


# --- all of them


def test_every_descriptor_is_documented():
    assert len(DESCRIPTORS) >= 20
    for name, one in DESCRIPTORS.items():
        assert one.name == name
        assert one.unit
        assert len(one.description) > 30
        assert any(c.isdigit() for c in one.source) or "this project" in one.source
        assert one.range[0] < one.range[1]


def test_values_lie_in_their_range_and_strange_pictures_pass():
    rng = np.random.default_rng(0)
    strange = [
        canvas(),
        canvas(shade=0),
        rng.integers(0, 256, (64, 64, 3), np.uint8),
        rng.integers(0, 256, (16, 900, 3), np.uint8),
        ruled(),
    ]
    for picture in [*strange, np.asarray(paint("vitality", 1, 128).image)]:
        values = describe(Image.fromarray(picture))
        assert list(values) == list(DESCRIPTORS)
        for name, value in values.items():
            low, high = DESCRIPTORS[name].range
            assert np.isnan(value) or low - 1e-6 <= value <= high + 1e-6, (name, value)
    assert np.isnan(describe(Image.fromarray(canvas()))["line_straightness"])
    with pytest.raises(ImageError, match="16×16"):
        describe(Image.new("RGB", (15, 300)))


def test_a_file_twice_as_large_measures_the_same():
    small = paint("grandeur", 6, SIDE).image
    one, two = describe(small), describe(small.resize((3 * SIDE, 3 * SIDE), Image.Resampling.BICUBIC))
    for name, spread in (
        ("line_straightness", 0.03), ("stroke_width", 0.15), ("line_density", 0.3), ("edge_contrast", 3),
        ("texture_coarse", 0.1), ("spectral_slope", 0.3), ("colour_warmth", 0.02), ("saturation", 0.5),
        ("lightness", 0.5), ("blank_share", 0.03), ("palette_size", 0.3), ("composition_balance", 0.03),
    ):  # fmt: skip
        assert two[name] == pytest.approx(one[name], abs=spread), name


@pytest.fixture(scope="module")
def atelier():
    """Factors and descriptors of 100 pictures of all moods."""
    pictures = [paint(MOODS[i % 5], 9000 + i) for i in range(100)]
    return [{**p.factors, **p.measures} for p in pictures], [describe(p.image) for p in pictures]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("descriptor", "factor", "least"),
    [
        ("line_straightness", "straightness", 0.3),
        ("stroke_width", "stroke_width", 0.45),
        ("ink_depth", "ink", 0.45),
        ("edge_contrast", "ink", 0.5),
        ("line_density", "strokes", 0.4),
        ("pigment_warmth", "warmth", 0.6),
        ("pigment_saturation", "saturation", 0.45),
        ("blank_share", "blank", 0.7),
    ],
)
def test_descriptors_follow_the_factors_they_are_about(atelier, descriptor, factor, least):
    """Rank correlation over pictures of all moods and motifs, surroundings and paper included."""
    factors, values = atelier
    x, y = [v[descriptor] for v in values], [f[factor] for f in factors]
    assert spearmanr(x, y, nan_policy="omit").statistic > least


@pytest.mark.slow
@pytest.mark.parametrize(
    ("descriptor", "factor", "sign"),
    [
        ("brush_dryness", "dryness", 1),
        ("line_continuity", "dryness", -1),
        ("composition_balance", "offset", -1),
    ],
)
def test_a_factor_turned_alone_moves_its_descriptor(descriptor, factor, sign):
    """Where other factors hide it in the crowd: the same picture with one factor from 0 to 1."""
    found = []
    for seed in range(12):
        turned = [paint(MOODS[seed % 5], seed, 256, factors={factor: v}).image for v in (0.05, 0.95)]
        low, high = (measure(descriptor, image) for image in turned)
        found.append(sign * (high - low))
    assert np.mean(np.array(found) > 0) >= 0.75


# --- tables and figures


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = write_atelier(tmp_path_factory.mktemp("described") / "set", 20, size=96, painters=6)
    done = []
    table = describe_folder(read_paintings(folder), done.append)
    assert done == pytest.approx([(i + 1) / 20 for i in range(20)])
    return table


def test_a_folder_becomes_a_table(table):
    assert set(table) == {"path", "label", "group", *DESCRIPTORS}
    assert all(len(column) == 20 for column in table.values())
    assert sorted(set(table["label"].tolist())) == sorted(MOODS)


def test_class_averages_are_means_with_intervals(table):
    rows = class_averages(table, samples=300)
    assert len(rows) == len(DESCRIPTORS) * 5
    for row in rows:
        values = table[row["descriptor"]][table["label"] == row["class"]]
        assert row["pictures"] == np.isfinite(values).sum()
        if row["pictures"]:
            assert row["mean"] == pytest.approx(np.nanmean(values))
            assert row["low"] <= row["high"]
    light = [row for row in rows if row["descriptor"] == "lightness"]
    assert any(row["high"] > row["low"] for row in light)
    assert light[0]["spread"] == pytest.approx(table["lightness"].std())
    assert light[0]["p5"] == pytest.approx(np.percentile(table["lightness"], 5))
    assert light[0]["p95"] == pytest.approx(np.percentile(table["lightness"], 95))


def test_intervals_need_two_painters(table):
    with pytest.raises(DatasetError, match="at least 2 painters"):
        class_averages({**table, "group": np.full(20, "one")})


def test_missing_values_are_left_out(table):
    column = table["stroke_width"].copy()
    gone = np.flatnonzero(table["label"] == "serenity")
    column[gone] = np.nan
    rows = class_averages({**table, "stroke_width": column}, samples=50)
    row = next(r for r in rows if r["descriptor"] == "stroke_width" and r["class"] == "serenity")
    assert row["pictures"] == 0
    assert np.isnan(row["mean"])
    assert isinstance(plots.class_averages(rows), Figure)
    assert isinstance(plots.class_profile(rows), Figure)


def test_figures_show_what_the_table_says(table):
    rows = class_averages(table, samples=100)
    figure = plots.class_averages(
        [r for name in ("lightness", "saturation") for r in rows if r["descriptor"] == name],
        MOODS,
        {"lightness": 50.0},
    )
    panels = figure.axes
    assert [p.get_title(loc="left") for p in panels] == ["lightness", "saturation"]
    assert [t.get_text() for t in panels[0].get_yticklabels()] == list(MOODS)
    drawn = {round(float(x), 4) for line in panels[0].lines for x in line.get_xdata()}
    wanted = {r["class"]: r["mean"] for r in rows if r["descriptor"] == "lightness"}
    assert {round(value, 4) for value in wanted.values()} <= drawn
    assert 50.0 in drawn
    assert 50.0 not in {float(x) for line in panels[1].lines for x in line.get_xdata()}
    profile = plots.class_profile(rows, classes=MOODS)
    texts = profile.axes[0].texts
    grand = [r for r in rows if r["descriptor"] == "lightness"]
    middle = np.mean([r["mean"] for r in grand])
    value = (wanted["vitality"] - middle) / grand[0]["spread"]
    assert f"{value:+.2f}" in [t.get_text() for t in texts]
    with pytest.raises(ValueError, match="columns"):
        plots.class_averages([{"descriptor": "a"}])
    with pytest.raises(ValueError, match="none of those"):
        plots.class_averages(rows, classes=["joy"])
    with pytest.raises(ValueError, match="none of those"):
        plots.class_profile(rows, classes=["joy"])

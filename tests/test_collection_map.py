"""The map of a collection in a real browser without any network."""

import csv
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from browsing import chromium

import workbench as wb
from workbench.cli import main
from workbench.core.errors import DatasetError
from workbench.interpret.collection_map import layout, map_collection
from workbench.interpret.embedding import Embeddings


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    for i in range(12):
        mood = ("serenity", "vitality")[i % 2]
        (root / mood).mkdir(parents=True, exist_ok=True)
        wb.paint(mood, seed=i, size=64).image.save(root / mood / f"p{i}.png")
    return root


def vectors(folder) -> Embeddings:
    paths = tuple(p.relative_to(folder).as_posix() for p in wb.list_images(folder))
    x = np.random.default_rng(0).normal(size=(len(paths), 16)).astype(np.float32)
    x[:6] += 5
    return Embeddings(paths, x, "of a test", {})


def test_the_layout_keeps_groups_together_and_its_seed():
    x = np.random.default_rng(0).normal(size=(40, 10))
    x[:20] += 20
    places = layout(x, seed=3)
    assert places.min() >= 0
    assert places.max() <= 1
    centres = places[:20].mean(0), places[20:].mean(0)
    apart = np.linalg.norm(centres[0] - centres[1])
    assert apart > np.linalg.norm(places[:20] - centres[0], axis=1).max()
    np.testing.assert_array_equal(places, layout(x, seed=3))


@pytest.mark.parametrize("n", [1, 2, 4])
def test_few_or_equal_pictures_have_places(n):
    assert np.isfinite(layout(np.ones((n, 6)))).all()
    assert np.isfinite(layout(np.eye(6)[:n])).all()


def test_bad_columns_and_vectors_are_one_line(folder):
    found = vectors(folder)
    with pytest.raises(DatasetError, match="Expected 12 values in the column a but got 1"):
        map_collection(folder, found, {"a": [1]})
    found.vectors[3] = np.nan
    with pytest.raises(DatasetError, match="row 3 has a NaN"):
        map_collection(folder, found)


def test_a_file_name_cannot_run_in_the_page(folder):
    columns = {"<script>": ["</script><script>alert(1)</script>"] * 12}
    page = map_collection(folder, vectors(folder), columns)
    assert "</script><script>alert" not in page.html
    assert page._repr_html_().startswith("<iframe")


@pytest.mark.slow
def test_the_page_works_without_any_request(folder, tmp_path):
    lightness = [float(i) for i in range(12)]
    page = map_collection(folder, vectors(folder), {"lightness": lightness, "note": [None, "a;=1+1"] * 6})
    file = page.save(tmp_path / "map.html")
    requests, errors = [], []
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": 1000, "height": 700}, accept_downloads=True)
        tab.route(
            lambda url: not url.startswith(("file:", "data:", "blob:")),
            lambda r: (requests.append(r), r.abort()),
        )
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(file.as_uri())
        tab.wait_for_selector("body[data-ready=yes]")
        assert tab.text_content("#count") == "12 of 12 pictures"
        assert tab.locator("#map image").count() == 12  # thumbnails, as all fit into the view
        assert "WebGL is not supported" not in tab.inner_text("#map")  # this browser may lack it
        if not tab.evaluate("Boolean(document.createElement('canvas').getContext('webgl'))"):
            assert tab.locator("#map .scatterlayer .point").count() == 12
        tab.fill("#search", "serenity/p1")
        assert tab.text_content("#count") == "1 of 12 pictures"
        tab.fill("#search", "")
        tab.select_option("#colour", "lightness")
        tab.select_option("#filter", "lightness")
        tab.fill("#low", "9")
        tab.press("#low", "Tab")
        tab.wait_for_function("document.getElementById('count').textContent.startsWith('3 of')")
        tab.evaluate("show(0)")
        assert tab.locator("#picture .near img").count() == 8
        assert "serenity/p0.png" in tab.text_content("#picture")
        points = "[{customdata: 1}, {customdata: 4}]"
        tab.evaluate(f"document.getElementById('map').emit('plotly_selected', {{points: {points}}})")
        assert tab.text_content("#selected") == "2"
        tab.emulate_media(color_scheme="dark")
        tab.wait_for_function("document.getElementById('map').layout.font.color === 'rgb(255, 255, 255)'")
        dark = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((level) => level < 64)"
        assert tab.evaluate(dark)
        with tab.expect_download() as download:
            tab.click("#csv")
        download.value.save_as(tmp_path / "list.csv")
    with (tmp_path / "list.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    assert [(r["lightness"], r["note"]) for r in rows] == [("1", "a;'=1+1"), ("4", "")]
    assert rows[0]["path"] == vectors(folder).paths[1]
    assert not requests
    assert not errors


def test_the_command_joins_tables_by_path(folder, tmp_path, capsys):
    (tmp_path / "t.csv").write_text("path,mood_read\nserenity/p0.png,calm\n")
    out = tmp_path / "map.html"
    with pytest.raises(SystemExit) as stopped:
        main(["map", str(folder), "--out", str(out), "--table", str(tmp_path / "t.csv")])
    assert stopped.value.code == 0
    assert '"mood_read": ["calm", ' in out.read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["map", str(folder), "--out", str(tmp_path / "map.pdf")])
    assert "Expected a page ending in .html" in capsys.readouterr().err


def test_a_map_that_cannot_be_drawn_is_refused_before_any_work(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(SystemExit) as stopped:
        main(["map", str(folder), "--out", str(tmp_path / "new" / "map.html")])
    assert stopped.value.code == 2
    assert "pip install 'painter-psychology-workbench[collection]'" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_the_page_brings_what_it_maps_with():
    extras = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert set(extras["optional-dependencies"]["collection"]) <= set(extras["optional-dependencies"]["app"])

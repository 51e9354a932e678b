"""Many files at once, from outside: photos into a ZIP, a folder into a table, a collection onto a map."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest

from workbench.reporting.page import self_containment_problems
from workbench.ui.examples import examples, paintings


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """A ZIP of three paintings and what is none."""
    path = tmp_path_factory.mktemp("zips") / "my <b>paintings.zip"
    with zipfile.ZipFile(path, "w") as made:
        for mood in ("serenity", "vitality", "grandeur"):
            made.write(paintings()[mood], f"{mood}/{mood}.jpg")
        made.writestr("notes.txt", "no picture")
    return path


def hand_in(tab, kind, *paths):
    tab.set_input_files(f"#{kind}-files input[type=file]", [str(path) for path in paths])
    tab.wait_for_selector(f"#{kind}-files [aria-label='Remove this file'], #{kind}-files .file")
    tab.click(f"#{kind}-start")
    tab.wait_for_selector(f"#{kind}-job .pill.done")


@pytest.mark.browser
@pytest.mark.slow
def test_several_photos_come_back_as_one_zip(tab, page, tmp_path):
    tab.goto(page.local_url)
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    tab.get_by_role("button", name="Many photos at once").click()
    hand_in(tab, "stylize_pictures", bad, *(e.path for e in examples()[:2]))
    assert "1 passed over: Expected bad.png to be a picture" in tab.inner_text("#stylize_pictures-job .why")
    found = pytest.importorskip("axe_playwright_python.sync_playwright").Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()
    with tab.expect_download() as download:
        tab.get_by_role("link", name="Download: bad.png (+2)").click()
    assert download.value.suggested_filename == "bad-fsgan_ink.zip"
    with zipfile.ZipFile(download.value.path()) as made:
        assert sorted(made.namelist()) == ["china.png", "coffee.png", "list.csv"]
        rows = list(csv.DictReader(io.TextIOWrapper(made.open("list.csv"), "utf-8")))
    assert [row["path"] for row in rows if row["passed over"]] == ["bad.png"]
    tab.click("#work-button")
    tab.wait_for_selector("#work-jobs h3:text('bad.png (+2)')")


@pytest.mark.browser
@pytest.mark.slow
def test_a_folder_is_a_table_to_sort_and_to_compare(tab, page, collection):
    tab.goto(f"{page.local_url}#read")
    tab.get_by_role("button", name="Read a folder").click()
    hand_in(tab, "read_pictures", collection)
    assert "notes.txt" in tab.inner_text("#read_pictures-job .why")
    rows = tab.locator("#read_pictures-job-result tbody tr:has(input)")
    assert rows.count() == 3
    head = tab.get_by_role("button", name="Lightness", exact=True)
    column = tab.locator("#read_pictures-job-result thead th").all_inner_texts().index("Lightness") + 1
    for direction, reverse in (("ascending", False), ("descending", True)):
        head.click()
        tab.wait_for_selector(f"th[aria-sort={direction}]")
        shown = tab.locator(f"#read_pictures-job-result tbody tr > :nth-child({column})").all_inner_texts()
        assert [float(text) for text in shown] == sorted(map(float, shown), reverse=reverse)
    names = rows.locator("th").all_inner_texts()
    for number in range(3):
        rows.nth(number).get_by_role("checkbox").check()
    tab.wait_for_selector(f".beside :text('{names[2]}')")  # beside one of the two before
    assert sum(name in tab.inner_text(".beside") for name in names) == 2
    assert tab.locator(".beside .cell.large").count() == 2
    with tab.expect_download() as download:
        tab.get_by_role("link", name="report.html").click()
    assert self_containment_problems(Path(download.value.path()).read_text(encoding="utf-8")) == []
    with tab.expect_download() as download:
        tab.get_by_role("link", name="readings.csv").click()
    with open(download.value.path(), encoding="utf-8") as file:
        assert [row["path"] for row in csv.DictReader(file)][:3] == sorted(names)


@pytest.mark.browser
@pytest.mark.slow
def test_a_collection_is_a_map_that_is_found_again(tab, page, collection):
    tab.goto(f"{page.local_url}#explore")
    hand_in(tab, "map_pictures", collection)
    for _ in range(2):
        frame = tab.frame_locator("iframe.map-frame")
        frame.locator("#count:text('3 of 3 pictures')").wait_for()
        frame.locator("canvas, .main-svg").first.wait_for()
        tab.reload()  # loses nothing
    src = tab.get_attribute("iframe.map-frame", "src")
    answer = tab.request.get(page.local_url.rstrip("/") + src)
    assert "sandbox allow-scripts" in answer.headers["content-security-policy"]
    assert "allow-same-origin" not in answer.headers["content-security-policy"]
    with tab.expect_download() as download:
        tab.get_by_role("link", name="map.csv").click()
    with open(download.value.path(), encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows if row["x"]} == {
        f"{m}/{m}.jpg" for m in ("serenity", "vitality", "grandeur")
    }

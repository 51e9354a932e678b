"""What a visitor chose is there again after a reload, for them alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browsing import visitor
from PIL import Image

from workbench.styles.stylize import styles

CAPTION = "document.querySelector('#redraw-caption')?.innerText"
MENU = "document.querySelector('#redraw-menu input')?.value"
KEPT = "sessionStorage.getItem('redraw')"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "mine.png"
    Image.new("RGB", (96, 64), "teal").save(path)
    return path


def opened(context, page):
    """A tab that shows the example."""
    tab = context.new_page()
    tab.goto(page.local_url)
    tab.wait_for_selector("#redraw-result img")
    tab.wait_for_selector("#redraw-tiles img")
    return tab


def upload(tab, photo, style):
    """Give a photo and choose a style; wait for the drawing."""
    tab.set_input_files(".picture-input input[type=file] >> nth=0", photo)
    tab.wait_for_function(f"{CAPTION}?.startsWith('96 × 64 px')")
    tab.click(f"#redraw-tiles [data-style={style}]")
    tab.wait_for_function(f"{MENU} === {json.dumps(styles()[style].title)}")
    tab.wait_for_function(f"JSON.parse({KEPT})?.[1] === {json.dumps(style)}")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("way", ["reload", "back"])
def test_picture_style_and_result_are_there_again(context, page, photo, way):
    tab = opened(context, page)
    upload(tab, photo, "fsgan_anime")
    tab.focus("#redraw-colours input[type=range]")
    tab.keyboard.press("End")
    tab.wait_for_function(f"JSON.parse({KEPT})[3] === 1")
    if way == "reload":
        tab.reload()
    else:
        tab.goto("about:blank")
        tab.go_back()
    tab.wait_for_function(f"{CAPTION}?.startsWith('96 × 64 px')")
    tab.wait_for_selector(".picture-input img")
    assert tab.evaluate(MENU) == styles()["fsgan_anime"].title
    assert tab.input_value("#redraw-colours input[type=range]") == "1"
    tab.wait_for_selector("#redraw-tiles [data-style=fsgan_anime][aria-pressed=true]")
    with tab.expect_download() as download:
        tab.click("#redraw-png")
    assert download.value.suggested_filename == "mine-fsgan_anime.png"


@pytest.mark.browser
@pytest.mark.slow
def test_a_filter_on_the_example_is_there_again_and_another_tab_begins_anew(context, page):
    tab, name = opened(context, page), "colormatrix_sepia"
    tab.get_by_role("button", name="Classical filters").click()
    tab.get_by_label(styles()[name].title).check()
    tab.wait_for_function(f"JSON.parse({KEPT})?.[1] === {json.dumps(name)}")
    tab.reload()
    tab.wait_for_function(f"{MENU} === {json.dumps(styles()[name].title)}")
    tab.wait_for_selector("#redraw-result img")
    other = opened(context, page)
    assert other.evaluate(KEPT) is None
    assert other.evaluate(MENU) != styles()[name].title


@pytest.mark.browser
@pytest.mark.slow
def test_what_is_not_ones_own_or_not_on_offer_does_not_come_back(browser, context, page, photo):
    tab = opened(context, page)
    upload(tab, photo, "fsgan_comic")
    kept = json.loads(tab.evaluate(KEPT))
    assert Path(kept[0]).is_file()
    made_up = [kept[0], "no_such_style", *kept[2:]], ["/etc/hostname", *kept[1:]], kept, "nonsense", [1]
    with visitor(browser) as stranger:
        other = opened(stranger, page)
        for value in made_up:
            other.evaluate("value => sessionStorage.setItem('redraw', value)", json.dumps(value))
            other.reload()
            other.wait_for_selector("#redraw-result img")
            other.wait_for_selector("#redraw-tiles img")
            assert other.inner_text("#redraw-caption").startswith("An example")
            assert not other.locator(".picture-input img").count()
            assert not other.locator(".toast-body").count()


@pytest.mark.browser
@pytest.mark.slow
def test_paintings_and_films_are_there_again(context, page):
    tab = opened(context, page)
    tab.click("#read-button")
    tab.locator("#read-examples button").first.click()
    tab.wait_for_selector("#read-moods .bar")
    tab.click("#video-button")
    tab.locator("#video-examples button").first.click()
    tab.wait_for_selector("#video-preview img")
    tab.reload()
    tab.wait_for_selector("#video-preview img")
    tab.click("#read-button")
    tab.wait_for_selector("#read-moods .bar")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("name", ["redraw", "read", "video"])
def test_a_file_that_could_not_be_read_does_not_come_back(context, page, tmp_path, name):
    bad = tmp_path / ("bad.mp4" if name == "video" else "bad.png")
    bad.write_text("not a picture")
    tab = context.new_page()
    tab.goto(f"{page.local_url}#{name}")
    kept = f"JSON.parse(sessionStorage.getItem('{name}'))"
    tab.wait_for_function(f"window.remembers?.includes('{name}')")
    box = f"#{name} :is(.picture-input, .video-input) >> nth=0"
    tab.set_input_files(f"{box} >> input[type=file]", bad)
    tab.locator(".toast-body").get_by_text(bad.name).wait_for()
    tab.wait_for_function(f"{kept} && {kept}[0] === null")
    if name != "read":
        tab.focus(f"#{name} input[type=range]:enabled >> nth=0")  # the strength
        tab.keyboard.press("Home")
        tab.wait_for_function(f"{kept}[2] === 0")  # a setting is kept, and the file is not
        assert tab.evaluate(f"{kept}[0]") is None
    tab.reload()
    tab.wait_for_selector(f"{box} >> input[type=file]", state="attached")
    tab.wait_for_function(f"window.remembers?.includes('{name}')")
    tab.wait_for_timeout(1000)  # time in which it would come
    assert not tab.locator(".toast-body").count()
    assert tab.locator(f"{box} >> input[type=file]").count() == 1

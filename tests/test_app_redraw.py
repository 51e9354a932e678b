"""The tab "Redraw a photo" in a browser: first sight, the tiles, files that are dropped."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from browsing import chromium
from PIL import Image

from workbench.data.images import read_image
from workbench.service.engines.worker import Context
from workbench.service.picture_tasks import try_styles
from workbench.service.tasks import TASKS, TilesOptions
from workbench.styles.stylize import styles, stylize
from workbench.ui import first_look, launch, style_tiles
from workbench.ui.examples import examples

FILTER = "colormatrix_sepia"
SIZE = (96, 64)
CAPTION = "document.querySelector('#redraw-caption').innerText"
RESULT = "document.querySelectorAll('#redraw-result img')[1]?.src"
DROP = """([selector, files]) => {
  const moved = new DataTransfer();
  for (const [name, type, data] of files) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    moved.items.add(new File([bytes], name, {type}));
  }
  document.querySelector(selector).dispatchEvent(
    new DragEvent("drop", {dataTransfer: moved, bubbles: true, cancelable: true}));
}"""


def png(colour) -> str:
    """A small PNG of one colour, in base64."""
    file = io.BytesIO()
    Image.new("RGB", SIZE, colour).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_the_first_picture_is_plainly_drawn():
    """Nobody must look twice: the mean change is well above that of the cup in the comic style (ΔE 12)."""
    from skimage.color import deltaE_cie76, rgb2lab

    photo = read_image(first_look.example().path)
    drawn = stylize(photo, first_look.STYLE)
    assert deltaE_cie76(rgb2lab(np.asarray(photo)), rgb2lab(np.asarray(drawn))).mean() > 15


def test_tiles_are_the_styles_drawn_small(tmp_path):
    options = TASKS["try_styles"].check(style_tiles.options())
    for title, last, has_face in (
        ("Coffee", "drawn_comic", False),
        ("Eileen Collins", "drawn_portrait", True),
    ):
        photo, out = next(e.path for e in examples() if e.title == title), tmp_path / title
        out.mkdir()
        try_styles((photo,), options, Context(out))
        tiles = style_tiles.read(out)
        assert list(tiles.pictures) == [*style_tiles.OFFERED[:3], last]
        assert tiles.face == has_face
        small = read_image(photo)
        small.thumbnail((320, 320), Image.Resampling.LANCZOS)
        drawn = np.asarray(stylize(small, "fsgan_ink"), float)
        with Image.open(out / "fsgan_ink.jpg") as tile:
            assert np.abs(np.asarray(tile, float) - drawn).mean() < 3  # levels: what JPEG takes away
        page = style_tiles.show(tiles, "fsgan_ink")
        assert page.count('aria-pressed="true"') == 1
        assert ("Try the portrait style" in page) == has_face


def test_tiles_of_unknown_styles_are_refused():
    from workbench.core.errors import WorkbenchError

    with pytest.raises(WorkbenchError, match="Expected styles to be a name"):
        TilesOptions(styles=("../../secret",))


@pytest.fixture(scope="module")
def page():
    blocks = launch(port=None)
    yield blocks
    blocks.close()


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
def tab(request, page):
    width, height = request.param
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": width, "height": height})
        tab.set_default_timeout(180_000)
        errors = []
        tab.on("pageerror", lambda e: errors.append(str(e)))
        tab.goto(page.local_url)
        tab.wait_for_selector("#redraw-tiles img")
        yield tab
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert not errors


def changed(tab, before, caption=""):
    """Wait for another result than ``before``, of such a caption; its address."""
    words = f"{RESULT} && {RESULT} !== src && {CAPTION}.startsWith(caption)"
    tab.wait_for_function(f"([src, caption]) => {words}", arg=[before, caption])
    return tab.evaluate(RESULT)


@pytest.mark.browser
@pytest.mark.slow
def test_styles_and_sliders_act_on_the_example_until_there_is_a_photo(tab):
    src = changed(tab, None)
    for act in (
        lambda: tab.click("#redraw-tiles [data-style=fsgan_anime]"),
        lambda: (tab.focus("#redraw input[type=range] >> nth=0"), tab.keyboard.press("Home")),
    ):
        act()
        src = changed(tab, src)
        assert tab.inner_text("#redraw-caption").startswith("An example: Summer palace.")
    assert tab.get_attribute("#redraw-tiles [data-style=fsgan_anime]", "aria-pressed") == "true"
    assert tab.input_value("#redraw-menu input") == styles()["fsgan_anime"].title
    tab.get_by_role("button", name="Classical filters").click()
    tab.get_by_label(styles()[FILTER].title).check()
    src = changed(tab, src)
    assert tab.input_value("#redraw-menu input") == styles()[FILTER].title


@pytest.mark.browser
@pytest.mark.slow
def test_a_second_dropped_file_takes_the_place_of_the_first(tab):
    src = changed(tab, None)
    for number, colour in enumerate(("red", "blue")):
        name = f"{colour}.png"
        tab.evaluate(
            DROP, ["#redraw-result" if number else ".picture-input", [[name, "image/png", png(colour)]]]
        )
        src = changed(tab, src, "96 × 64 px")  # not the example's, which may come as the box is emptied
        with tab.expect_download() as download:
            tab.click("#redraw-jpeg")
        assert download.value.suggested_filename == f"{colour}-{first_look.STYLE}.jpg"
        with Image.open(download.value.path()) as image:
            assert (image.format, image.size) == ("JPEG", SIZE)
    if tab.viewport_size["width"] < 600:  # the result is in view without a touch
        tab.wait_for_function("document.querySelector('#redraw-result').getBoundingClientRect().top < 844")


@pytest.mark.browser
@pytest.mark.slow
def test_photos_of_phones_come_by_the_upload_icon_one_after_the_other(tab, tmp_path):
    """Browsers know no type for HEIC, and Gradio's icon does nothing where there is a picture."""
    pillow_heif = pytest.importorskip("pillow_heif")
    src = changed(tab, None)
    for colour in ("red", "blue"):
        path = tmp_path / f"{colour}.HEIC"
        pillow_heif.from_pillow(Image.new("RGB", SIZE, colour)).save(path)
        with tab.expect_file_chooser() as chooser:
            tab.click("#redraw [aria-label='Upload file']")
        chooser.value.set_files(path)
        src = changed(tab, src, "96 × 64 px")
        with tab.expect_download() as download:
            tab.click("#redraw-png")
        assert download.value.suggested_filename == f"{colour}-{first_look.STYLE}.png"
        with Image.open(download.value.path()) as image:
            assert image.size == SIZE

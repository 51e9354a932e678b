"""The tab "Redraw a photo" in a browser: first sight, the tiles, files that are dropped."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from browsing import DESKTOP, hold_next
from PIL import Image

from workbench.data.images import read_image
from workbench.service.engines.worker import Context
from workbench.service.picture_tasks import try_styles
from workbench.service.tasks import TASKS, TilesOptions
from workbench.styles.stylize import styles, stylize
from workbench.ui import first_look, style_tiles
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


def png(colour, size=SIZE) -> str:
    """A small PNG of one colour, in base64."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
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
        ("Coffee", "fsgan_bold", False),
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


@pytest.fixture
def tab(tab, page):
    tab.goto(page.local_url)
    tab.wait_for_selector("#redraw-tiles img")
    return tab


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


def calls_of(tab, page, *functions) -> dict[str, int]:
    """How often the page asks for each of these functions from now on; filled as it asks."""
    counts = dict.fromkeys(functions, 0)

    def count(request):
        if request.url.partition("?")[0].endswith("/queue/join"):
            name = page.fns[request.post_data_json["fn_index"]].name
            counts[name] = counts.get(name, 0) + 1

    tab.on("request", count)
    return counts


def slow_down(tab, latency):
    """Let every request of a tab wait so many milliseconds; the session in which it does."""
    session = tab.context.new_cdp_session(tab)
    session.send("Network.enable")
    speed = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.emulateNetworkConditions", {"latency": latency, **speed})
    return session


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("tab", [DESKTOP], indirect=True)
def test_a_slow_browser_draws_each_photo_once(tab, page, tmp_path):
    """What is asked for while something else is on its way must not be asked for again with it, for ever."""
    src = changed(tab, None)
    slow_down(tab, latency=300).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    counts = calls_of(tab, page, "redraw", "try_styles")
    path = tmp_path / "red.png"
    Image.new("RGB", SIZE, "red").save(path)
    tab.set_input_files("#redraw .picture-input input[type=file]", path)
    while not counts["redraw"] or not counts["try_styles"]:
        tab.wait_for_timeout(20)
    for colour, width in (("blue", 80), ("green", 88)):  # while red is drawn, and when blue is
        before = tab.get_attribute("#redraw-tiles img >> nth=0", "src") if colour == "green" else None
        picture = f"{colour}.png", "image/png", png(colour, (width, 64))
        tab.evaluate(DROP, ["#redraw-result", [picture]])
        src = changed(tab, src, f"{width} × 64 px")
        tab.wait_for_function(
            "src => ![src, undefined].includes(document.querySelector('#redraw-tiles img')?.src)", arg=before
        )
    most = 5  # three photos, and the empty box before the second and the third
    assert counts["redraw"] <= most, counts
    assert counts["try_styles"] <= most, counts


@pytest.mark.browser
@pytest.mark.slow
def test_a_late_first_look_does_not_take_the_place_of_a_photo(context, page, tmp_path):
    tab = context.new_page()
    refused = []  # to cancel what has not begun
    tab.on("response", lambda answer: answer.status >= 400 and refused.append(answer.url))
    until_held, let_go = hold_next(tab, page, "look")
    tab.goto(page.local_url)
    until_held()
    path = tmp_path / "mine.png"
    Image.new("RGB", SIZE, "red").save(path)
    tab.set_input_files("#redraw .picture-input input[type=file]", path)
    src = changed(tab, None, "96 × 64 px")
    with tab.expect_response("**/queue/join**"):
        let_go()
    tab.click("#read-button")  # what is asked for after the first look comes after it
    tab.locator("#read-examples button").first.click()
    tab.wait_for_selector("#read-moods .bar")
    tab.click("#redraw-button")
    assert tab.inner_text("#redraw-caption").startswith("96 × 64 px")
    assert tab.evaluate(RESULT) == src
    assert refused == []


@pytest.mark.browser
@pytest.mark.slow
def test_each_message_is_headed_by_what_happened(context, page, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    tab = context.new_page()
    tab.goto(f"{page.local_url}#read")
    for name in ("one.png", "two.png"):
        (tmp_path / name).write_text("not a picture")
        tab.set_input_files("#read .picture-input input[type=file]", tmp_path / name)
        tab.locator(".toast-body").get_by_text(name).first.wait_for()
        clear = tab.locator("#read [aria-label='Remove Image'], #read [aria-label='Clear']").first
        clear.click()
        clear.wait_for(state="detached")  # a file chosen before that may be cleared with the first one
    headings = tab.locator(".toast-message-text strong >> visible=true")
    sync_api.expect(headings).to_have_text(["Not read", "Not read"])  # the page hides what is said twice
    shown = tab.locator(".toast-wrap").inner_text()
    assert not re.search(r"Error|Warning|\(2\)", shown)

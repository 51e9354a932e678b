"""Record README's walk-through from the real page, on free pictures: ``python docs/make_walkthrough.py``.

It serves the page, drives the system's Chromium through it, and writes ``docs/walkthrough.gif``.
"""

import io
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from workbench.ui import launch

OUT = Path(__file__).with_name("walkthrough.gif")
VIEW, WIDTH = {"width": 1280, "height": 800}, 800  # pixels of the window, and of the recording
COLOURS = 64
Frames = list[tuple[Image.Image, int]]  # a picture and for how many milliseconds it is shown


def shot(tab: Page, frames: Frames, milliseconds: int) -> None:
    """Add what the browser shows."""
    picture = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
    size = (WIDTH, round(WIDTH * picture.height / picture.width))
    frames.append((picture.resize(size, Image.Resampling.LANCZOS), milliseconds))


def at_rest(tab: Page, milliseconds: int = 2500) -> None:
    """Wait until nothing is being computed."""
    tab.wait_for_timeout(milliseconds)
    tab.wait_for_function("!document.querySelector('.generating, .wrap.translucent, .progress-text')")


def redraw(tab: Page, frames: Frames) -> None:
    """Examples are drawn, styles are tried, and the handle is pulled across the result."""
    examples = tab.locator("#redraw-examples button")
    for number in (4, 3):  # the rocket and the cat of scikit-image: public domain, CC0
        examples.nth(number).click()
        at_rest(tab, 6000)
        shot(tab, frames, 3500)
    for style in ("fsgan_comic", "fsgan_anime", "fsgan_ink"):
        tab.click(f"#redraw-tiles [data-style={style}]")
        at_rest(tab, 4000)
        shot(tab, frames, 3500)
    whole = tab.locator("#redraw-result").bounding_box()
    handle = tab.locator("#redraw-result .icon-wrap").bounding_box()
    assert whole is not None
    assert handle is not None
    middle = handle["y"] + handle["height"] / 2
    tab.mouse.move(handle["x"] + handle["width"] / 2, middle)
    tab.mouse.down()
    for share in (0.5, 0.65, 0.8, 0.6, 0.4, 0.2, 0.1, 0.35):
        tab.mouse.move(whole["x"] + whole["width"] * share, middle, steps=4)
        tab.wait_for_timeout(150)
        shot(tab, frames, 450)
    tab.mouse.up()


def visit(tab: Page, frames: Frames, name: str, examples: str = "", pages: int = 2) -> None:
    """Open another tab, try one of its examples, and scroll through it."""
    tab.mouse.wheel(0, -9000)
    tab.get_by_role("tab", name=name, exact=False).first.click()
    at_rest(tab)
    shot(tab, frames, 3500)
    if examples:
        tab.locator(examples).first.click()
        at_rest(tab, 8000)
        shot(tab, frames, 5000)
    for _ in range(pages):
        tab.mouse.wheel(0, 450)
        tab.wait_for_timeout(400)
        shot(tab, frames, 3500)


def save(frames: Frames) -> None:
    """Write the frames with one palette each, so that the colours of the drawings stay."""
    pictures = [picture.quantize(COLOURS, dither=Image.Dither.NONE) for picture, _ in frames]
    durations = [milliseconds for _, milliseconds in frames]
    pictures[0].save(
        OUT, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True
    )


def main() -> None:
    """Serve, record, write."""
    page, frames = launch(port=None), []
    try:
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            tab = browser.new_page(viewport=VIEW)
            tab.set_default_timeout(120_000)
            tab.goto(page.local_url)
            tab.locator("#redraw-result img").first.wait_for()
            at_rest(tab, 5000)
            shot(tab, frames, 4000)
            redraw(tab, frames)
            visit(tab, frames, "Redraw a video", "#video-examples button", pages=1)
            visit(tab, frames, "Read a painting", "#read-examples button", pages=5)
            for name, pages in (("Collect", 0), ("Explore", 0), ("My work", 0), ("About", 3)):
                visit(tab, frames, name, pages=pages)
            browser.close()
    finally:
        page.close()
        if frames:
            save(frames)


if __name__ == "__main__":
    main()

"""What surrounds the tabs: keys, names and contrast for all, weight, addresses, and links to the page."""

from __future__ import annotations

import re

import pytest
from browsing import visitor

from workbench.ui import document, translations

httpx = pytest.importorskip("httpx")

FIRST_SIGHT = 1_000_000  # bytes before the first picture is there
TABS = ("redraw", "video", "read", "collect", "explore", "work", "about")
FOLDED = {"collect": "#collect summary >> nth=0", "about": "#about .card >> nth=0 >> summary >> nth=0"}


@pytest.fixture
def tab(context):
    return context.new_page()


def chosen(tab, name):
    """Wait until a tab is the chosen one and its contents are there."""
    tab.wait_for_selector(f"#{name}-button[aria-selected=true]")
    tab.wait_for_selector(f"#{name}")


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_tab(browser, page, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with visitor(browser, color_scheme=scheme) as context:
        tab = context.new_page()
        tab.goto(page.local_url)
        tab.wait_for_selector("#redraw-result img")
        for name in TABS:
            tab.click(f"#{name}-button")
            chosen(tab, name)
            if name in FOLDED:
                tab.click(FOLDED[name])
            found = axe.run(tab)
            assert found.violations_count == 0, f"{name}, {scheme}: {found.generate_report()}"


@pytest.mark.browser
@pytest.mark.slow
def test_the_divider_moves_by_keyboard_and_tells_where_it_is(tab, page):
    tab.goto(page.local_url)
    tab.wait_for_selector("#redraw-result img")
    divider = tab.locator("#redraw-result [role=slider][aria-label^='Divider']")
    divider.focus()
    for key, share in (("Home", 0), ("End", 100), ("PageDown", 80), ("ArrowLeft", 78), ("ArrowRight", 80)):
        divider.press(key)
        tab.wait_for_selector(f"#redraw-result [role=slider][aria-valuenow='{share}']")
    clip = tab.locator("#redraw-result img.fixed").evaluate("picture => picture.style.clipPath")
    assert float(re.findall(r"[\d.]+", clip)[-1]) == pytest.approx(80, abs=1)
    outline = tab.locator("#redraw-result .icon-wrap").evaluate("e => getComputedStyle(e).outlineStyle")
    assert outline == "solid"  # one sees where the keys go


@pytest.mark.browser
@pytest.mark.slow
def test_tabs_by_arrow_keys_and_in_the_history(tab, page):
    tab.goto(page.local_url)
    tab.wait_for_selector("#redraw-button[tabindex='0']")
    tab.focus("#redraw-button")
    for key, name in (
        ("ArrowRight", "video"),
        ("End", "about"),
        ("ArrowRight", "redraw"),
        ("ArrowLeft", "about"),
    ):
        tab.keyboard.press(key)
        chosen(tab, name)
        assert tab.evaluate("document.activeElement.id") == f"{name}-button"
        assert tab.locator("[role=tab][tabindex='0']").count() == 1
    tab.click("#read-button")
    chosen(tab, "read")
    assert tab.url.endswith("#read")
    tab.go_back()
    chosen(tab, "about")
    tab.go_back()
    chosen(tab, "redraw")
    tab.go_forward()
    chosen(tab, "about")
    tab.reload()
    chosen(tab, "about")
    tab.wait_for_selector("#about .card")  # what is filled when it is looked at, is filled then too


@pytest.mark.browser
@pytest.mark.slow
def test_what_is_told_to_screen_readers_is_in_words(tab, page):
    tab.add_init_script(
        """window.said = [];
        new MutationObserver((changes) => changes.forEach(({target}) => {
          const at = (target.nodeType === 3 ? target.parentElement : target)?.closest?.("[aria-live]");
          if (at) said.push(at.textContent.trim());
        })).observe(document, {subtree: true, childList: true, characterData: true});"""
    )
    tab.goto(page.local_url)
    tab.get_by_label("Example: Dahlia").first.click()
    tab.wait_for_function("said.includes('Done')")
    assert not [words for words in tab.evaluate("said") if re.search(r"[a-z]\.[a-z]", words)]


@pytest.mark.browser
@pytest.mark.slow
def test_the_first_picture_comes_after_less_than_a_megabyte(tab, page):
    received = []
    session = tab.context.new_cdp_session(tab)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
    tab.goto(page.local_url)
    tab.wait_for_function(
        "[...document.querySelectorAll('#redraw-result img')].filter((p) => p.naturalWidth).length === 2"
    )
    tab.wait_for_load_state("load")
    assert 100_000 < sum(received) < FIRST_SIGHT
    received.clear()
    tab.reload()
    tab.wait_for_function("document.querySelector('#redraw-result img')?.naturalWidth")
    assert sum(received) < FIRST_SIGHT / 2  # scripts and styles are kept


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("locale", ["zh-CN", "en-US", "de"])
def test_the_page_speaks_the_language_of_the_browser(browser, page, locale):
    with visitor(browser, locale=locale) as context:
        tab = context.new_page()
        tab.goto(page.local_url)
        tab.wait_for_selector("#redraw-result img")
        tab.locator("#redraw-examples button").nth(2).click()
        size = "640 × 427 像素" if locale == "zh-CN" else "640 × 427 px"
        tab.wait_for_function(
            "size => document.querySelector('#redraw-caption').innerText.startsWith(size)", arg=size
        )
        shown = tab.inner_text(".gradio-container")
        for name in TABS:
            tab.click(f"#{name}-button")
            chosen(tab, name)
            shown += tab.inner_text(f"#{name}")
    for english in ("Redraw a photo", "Your photo", "Frame to try", "Read a folder", document.SUMMARY):
        chinese = translations.CHINESE[english]
        assert (english in shown, chinese in shown) == ((False, True) if locale == "zh-CN" else (True, False))
    assert "__i18n__" not in shown


def test_every_label_has_chinese_words_and_no_translation_is_of_a_text_that_is_gone(page):
    config = page.get_config_file()
    shown, labels = set(), set()
    for component in config["components"]:
        props = component["props"]
        texts = {props.get(name) for name in ("label", "info", "value")} | {
            words for words, _ in props.get("choices") or ()
        }
        shown |= {text for text in texts if isinstance(text, str)}
        if component["type"] in ("tabitem", "accordion", "slider") and props.get("visible") is not False:
            labels.add(props["label"])
        if component["type"] == "button" and props.get("visible") is not False:
            labels.add(props["value"])
    assert labels - {None, ""} <= set(translations.CHINESE)
    stale = {text for text in translations.CHINESE if not any(text in one for one in shown)}
    assert stale == {"common.complete"}  # of Gradio's own


def test_programs_find_english_words(page):
    assert "__i18n__" not in httpx.get(f"{page.local_url}gradio_api/info").text
    assert "__i18n__" not in httpx.get(f"{page.local_url}config").text


def test_scripts_are_kept_and_the_page_is_packed(page):
    answer = httpx.get(page.local_url, headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    script = re.search(r'src="\./(assets/[\w-]+\.js)"', answer.text)[1]
    kept = httpx.get(page.local_url + script).headers["cache-control"]
    assert kept == "public, max-age=31536000, immutable"
    assert "cache-control" not in httpx.get(page.local_url + "assets/none.js").headers


def test_a_link_to_the_page_shows_our_title_and_picture(page):
    document = httpx.get(page.local_url).text
    tags = dict(re.findall(r'<meta (?:property|name)="((?:og|twitter):\w+)" content="([^"]*)"', document))
    assert tags["og:title"] == "Painter Psychology Workbench"
    assert "mood" in tags["og:description"]
    assert len(re.findall('property="og:title"', document)) == 1
    picture = httpx.get(tags["og:image"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.status_code == 200

"""The Chinese page: nothing that it writes after loading stays English, and no translation is out of use."""

from __future__ import annotations

import ast
import html
import json
import re
from pathlib import Path

import pytest
from browsing import visitor
from PIL import Image

import workbench
from workbench.ui import translations

PACKAGE = Path(workbench.__file__).parent
# Gradio's own names of things, which it does not translate
GRADIO = set(
    """common.upload|File upload|Upload file|Paste from clipboard|undo|Fullscreen|full-screen|Error|Warning
number input for {}|range slider for {}|Gradio footer navigation|Remove Image|Remove this file|Adjust volume
Click to upload or drop files|play-pause-replay-button|High volume|Use via API|Clear""".replace(
        "\n", "|"
    ).split("|")
)
# put together from several texts
COMPOSED = {
    "{} beats random maps on {n} of {n} measures ({}), and a mere edge detector on none",
    "{}; the edge detector beats it on {}",
    "95 % intervals bootstrapped over {n} groups; what noise adds to ECE is taken out",
    "95 % intervals bootstrapped over {n} groups and the split seeds; what noise adds to ECE is taken out",
    "Expected {} to be a picture but its content is not one that can be read",
    "One frame at {n} × {n} px takes {n} s; the file does not say how many it has.",
    "The file ends early, after {n} of {n} s: {n} frames of the {n} that it announces could be read.",
    "The file ends early, after {n} of {n} s: {n} frames could be read.",
}
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
REFUSING = ("archives", "jobs", "previews", "records", "engines/worker")  # modules whose errors visitors see
# English on the page: three words in a row that are no name
SENTENCE = re.compile(r"(?:\b[A-Za-z]{2,}[ ,;:]+){2,}[a-z]{2,}")
LEFT = """() => {
  const texts = new Set(), skip = "[translate=no], script, style, pre, code, textarea";
  const wanted = (node) =>
    node.nodeType === 1 && node.matches(skip) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT;
  const names = ["aria-label", "title", "alt"];
  const kinds = NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT;
  const walker = document.createTreeWalker(document.body, kinds, wanted);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.nodeType === 3 ? node.parentElement : node;
    if (!element.checkVisibility()) continue;
    const found = node.nodeType === 3 ? [node.data] : names.map((name) => node.getAttribute(name) ?? "");
    found.forEach((text) => texts.add(text.replace(/\\s+/g, " ").trim()));
  }
  return [...texts];
}"""


def texts_of_one(node: ast.AST):
    """The text of a literal, with braces where a formatted one has a value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)


def texts_of(tree: ast.AST):
    """Every text in a Python file."""
    for node in ast.walk(tree):
        yield from texts_of_one(node)


def everything_written() -> str:
    """All texts of the package, in lower case and with single blanks."""
    parts = []
    for path in PACKAGE.rglob("*.py"):
        parts += texts_of(ast.parse(path.read_text(encoding="utf-8")))
    parts += [path.read_text(encoding="utf-8") for path in (PACKAGE / "ui" / "assets").glob("*.js")]
    parts += [path.read_text(encoding="utf-8") for path in (PACKAGE / "weights").glob("*.json")]
    text = html.unescape("\n".join(parts)).replace("_", " ").replace("'", "")
    return re.sub(r"\s+", " ", text + re.sub(r"<[^<>]*>", "", text)).casefold()


def test_no_translation_is_of_a_text_that_is_gone():
    written = everything_written()
    gone = []
    for english in sorted(set(translations.LATER) - GRADIO - COMPOSED):
        pieces = re.split(r"\{n?\}|\d+(?:\.\d+)?", english.replace("'", "").replace("_", " ").casefold())
        words = [re.sub(r"[^a-z&]+$|^[^a-z&]+", "", piece) for piece in pieces]
        gone += [english] * any(word not in written for word in words)
    assert gone == []


def test_translations_use_what_they_are_given():
    """Every place for a value in the Chinese is one in the English."""
    for english, chinese in translations.LATER.items():
        given, used = len(re.findall(r"\{n?\}", english)), set(re.findall(r"\{(\d+)\}", chinese))
        assert {int(number) for number in used} <= set(range(1, given + 1)), english
        assert "\n" not in chinese


def test_what_a_visitor_waits_for_is_told_in_chinese():
    """Every text that a task gives with its progress, and those of the queue."""
    told = {"Starting", "1 picture before yours", "{} pictures before yours"}
    for path in sorted((PACKAGE / "service").glob("*_tasks.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "progress":
                told |= {text for argument in node.args for text in texts_of_one(argument)}
    assert {"Trying the styles", "{} of {} pictures", "Writing the report"} <= told
    known = {text.replace("{n}", "{}") for text in translations.LATER}
    assert told - known == set()


def test_why_work_was_refused_or_stopped_is_told_in_chinese():
    """Every sentence of the modules that say so, but for those of the log."""
    told = set()
    for path in (PACKAGE / "service" / f"{name}.py" for name in REFUSING):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        calls = [node for node in nodes if isinstance(node, ast.Call)]
        logged = {a for call in calls for a in call.args if ast.unparse(call.func).startswith("log.")}
        inner = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in set(nodes) - logged - inner:
            told |= {text for text in texts_of_one(node) if re.fullmatch(r"[A-Z][^\n]* [^\n]*\.", text)}
        told -= {ast.get_docstring(node) for node in nodes if isinstance(node, DOCUMENTED)}
    sentences = {one for text in told for one in re.split(r"(?<=[.!?…]) (?=\S)", text)}
    assert {"It took longer than {} s and was stopped.", "Divide it."} <= sentences
    known = {text.replace("{n}", "{}") for text in translations.LATER}
    assert sentences - known - {"Given up after {} {}: {}."} == set()
    assert {"Given up after {n} attempt: {}.", "Given up after {n} attempts: {}."} <= set(translations.LATER)


@pytest.fixture(scope="module")
def tab(browser, page):
    with visitor(browser, locale="zh-CN") as context:
        tab = context.new_page()
        tab.goto(page.local_url)
        tab.wait_for_selector("#redraw-tiles img")
        yield tab


def english_on(tab) -> list[str]:
    credits = "Rachel Michetti"  # photographers have the names that they have
    return [text for text in tab.evaluate(LEFT) if SENTENCE.search(text) and credits not in text]


def draw_all(tab, photos):
    """Have several photos drawn."""
    tab.click("#redraw-many button")
    tab.set_input_files("#stylize_pictures-files input[type=file]", photos)
    tab.wait_for_selector("#stylize_pictures-files .file-preview")
    tab.click("#stylize_pictures-start")
    tab.wait_for_selector("#stylize_pictures-job .pill.done")


@pytest.mark.browser
@pytest.mark.slow
def test_a_photo_its_warnings_and_its_folder_are_told_in_chinese(tab, tmp_path):
    tab.get_by_label("例：艾琳·柯林斯").first.click()
    tab.wait_for_selector("#redraw-tiles .as-link")
    assert english_on(tab) == []
    assert tab.inner_text("#redraw-tiles [data-style=drawn_portrait]") == "肖像（算法绘制）"
    bad, good = tmp_path / "bad.png", tmp_path / "good.png"
    bad.write_bytes(b"nothing")
    Image.new("RGB", (96, 64), "teal").save(good)
    tab.click("#redraw [aria-label=移除图片]")
    tab.set_input_files("#redraw .picture-input input[type=file]", bad)
    tab.wait_for_selector(".toast-body")
    assert "未绘制" in tab.inner_text(".toast-body")
    assert english_on(tab) == []
    raw = tmp_path / "camera.dng"
    raw.write_bytes(b"raw")
    draw_all(tab, [good, bad, raw])
    assert tab.inner_text("#stylize_pictures-job .pill") == "完成"
    remark = "已绘制，但： 略过 2 个：bad.png 不是可以读取的图片；camera.dng 是相机原始文件，无法读取。"
    assert tab.inner_text("#stylize_pictures-job .why") == remark
    assert re.search(r"· 用时(不到)? \d+ 秒 ·", tab.inner_text("#stylize_pictures-job"))
    assert english_on(tab) == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_reading_is_told_in_chinese(tab):
    tab.click("#read-button")
    tab.locator("#read-examples button").first.click()
    tab.wait_for_selector("#read-compare .card")
    assert english_on(tab) == []
    assert tab.inner_text("#read-moods .top .name") == "生机"
    assert tab.locator("#read-moods .zh").first.is_hidden()  # the same word again
    assert re.fullmatch(r"通常的一层：lite0 第 \d 段（共 \d 段）", tab.input_value("#read-layer input"))


@pytest.mark.browser
@pytest.mark.slow
def test_the_other_tabs_are_in_chinese(browser, page, photo):
    with visitor(browser, locale="zh-CN") as context:
        tab = context.new_page()
        tab.goto(page.local_url)
        tab.wait_for_selector("#redraw-tiles img")
        draw_all(tab, photo)  # work to be listed
        look_into_the_other_tabs(tab)


def look_into_the_other_tabs(tab):
    tab.click("#video-button")
    tab.locator("#video-examples button").first.click()
    tab.wait_for_selector("#video-preview img")
    tab.wait_for_function("/约/.test(document.querySelector('#video-estimate').innerText)")
    contents = {
        "video": "#video-facts strong",
        "explore": "#map_pictures-start",
        "collect": ".study",
        "work": "#work-jobs .job",
        "about": "#about .card",
    }
    for name, there in contents.items():
        tab.click(f"#{name}-button")
        tab.wait_for_selector(there)
        assert english_on(tab) == [], name
    assert tab.inner_text("#video-facts strong") == "coffee.mp4"


@pytest.mark.browser
@pytest.mark.slow
def test_names_of_files_are_nobodys_words(browser, page, tmp_path):
    """A file that is called like a button keeps its name."""
    photo = tmp_path / "Delete.png"
    Image.new("RGB", (96, 64), "teal").save(photo)
    with visitor(browser, locale="zh-CN") as context:
        tab = context.new_page()
        tab.goto(page.local_url)
        tab.wait_for_selector("#redraw-tiles img")
        draw_all(tab, photo)
        assert tab.inner_text("#stylize_pictures-job h2") == "Delete.png"


def test_the_words_are_a_table_of_text():
    for name in ("zh.json", "zh_later.json"):
        found = json.loads((PACKAGE / "ui" / "assets" / name).read_text(encoding="utf-8"))
        assert found
        assert all(isinstance(word, str) and word for pair in found.items() for word in pair)

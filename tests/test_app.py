"""The demo from outside: its API through gradio_client, its page through a real browser."""

from __future__ import annotations

import contextlib
import html
import http.server
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench import models
from workbench.classify import classifier as classify
from workbench.core.errors import WorkbenchError
from workbench.core.pixels import LUMA
from workbench.data.images import read_image
from workbench.styles import stylize
from workbench.ui import about, first_look, launch, moods
from workbench.ui.examples import examples

gradio_client = pytest.importorskip("gradio_client")
delete_files_created_by_app = pytest.importorskip("gradio.route_utils").delete_files_created_by_app
httpx = pytest.importorskip("httpx")

ROOT = Path(__file__).resolve().parent.parent
FILTER = "colormatrix_warm"


def file(path):
    return gradio_client.handle_file(str(path))


def call(client, *arguments, api_name="/stylize"):
    return client.predict(*arguments, api_name=api_name)


def refusal(client, *arguments, api_name="/stylize") -> str:
    """The one line with which a call is refused."""
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        call(client, *arguments, api_name=api_name)
    message = str(caught.value)
    assert "\n" not in message
    assert "verbose error reporting" not in message  # gradio's words for an error that we did not foresee
    return message


# the API


def test_endpoints(client):
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    jobs = ["/cancel_job", "/delete_job", "/my_jobs", "/stylize_video", "/submit_video"]
    assert sorted(endpoints) == sorted(["/classify", "/explain", "/stylize", *jobs])
    names = [p["parameter_name"] for p in endpoints["/stylize"]["parameters"]]
    assert names == ["image", "style", "strength", "preserve_color", "runtime", "detail", "deform"]
    needed = [
        p["parameter_name"] for p in endpoints["/stylize"]["parameters"] if not p["parameter_has_default"]
    ]
    assert needed == ["image"]  # programs of old go on as they were
    kinds = {p["parameter_name"]: p["python_type"]["type"] for p in endpoints["/stylize_video"]["parameters"]}
    assert {kinds[name] for name in ("strength", "scale", "steadiness", "detail", "deform")} == {"float"}
    styles = next(p for p in endpoints["/stylize"]["parameters"] if p["parameter_name"] == "style")
    assert FILTER in styles["python_type"]["type"]  # what the page folds away is on offer


@pytest.mark.parametrize(("style", "strength"), [(stylize.DEFAULT_STYLE, 1.0), (FILTER, 1.0), (FILTER, 0.4)])
def test_stylize_is_the_library_function(client, photo, style, strength):
    result = Path(call(client, file(photo), style, strength))
    assert result.suffix == ".png"
    expected = stylize.stylize(read_image(photo), style, strength)
    with Image.open(result) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))
    assert result.stem == f"photo-{style}"


def test_colours_and_runtime_are_the_library_functions(client, photo):
    with Image.open(call(client, file(photo), stylize.DEFAULT_STYLE, 1, 0.7, "torch-bf16")) as image:
        drawn = np.asarray(image)
    options = {"preserve_color": 0.7, "runtime": "torch-bf16"}
    np.testing.assert_array_equal(drawn, np.asarray(stylize.stylize(read_image(photo), **options)))
    plain = np.asarray(stylize.stylize(read_image(photo)))
    luma = np.array(LUMA)
    assert np.abs(plain - drawn.astype(float)).mean() > 1  # other colours ...
    assert np.abs((plain - drawn.astype(float)) @ luma).mean() < 1  # ... in the same light


def test_strength_zero_gives_the_photo_back(client, photo):
    with Image.open(call(client, file(photo), stylize.DEFAULT_STYLE, 0)) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(read_image(photo)))


def test_results_are_files_of_their_own_in_folders_with_long_names(page, photo):
    urls = []
    for _ in range(2):
        call_id = httpx.post(
            f"{page.local_url}gradio_api/upload", files={"files": ("photo.png", photo.read_bytes())}
        ).json()
        data = [{"path": call_id[0], "meta": {"_type": "gradio.FileData"}}, FILTER, 1, 0, "torch", 1.0, 0.25]
        urls.append(answer(page, "stylize", data))
    folders = {url.split("/file=")[1].split("/")[-2] for url in urls}
    assert len(folders) == 2
    assert all(len(folder) == 32 for folder in folders)


def test_a_large_upload_hides_no_other_file_from_its_connection(page):
    with httpx.Client(base_url=page.local_url, limits=httpx.Limits(max_connections=1)) as visitor:
        sent = {"small.png": bytes(1000), "large.png": bytes(20_000_000)}
        for name, data in sent.items():
            path = visitor.post("/gradio_api/upload", files={"files": (name, data)}).json()[0]
            sent[name] = f"/gradio_api/file={path}"
        assert [visitor.get(url).status_code for url in sent.values()] == [200, 200]


def answer(page, name, data) -> str:
    """The raw server-sent answer to a raw call, as somebody without our client would make it."""
    event = httpx.post(f"{page.local_url}gradio_api/call/{name}", json={"data": data}).json()["event_id"]
    return httpx.get(f"{page.local_url}gradio_api/call/{name}/{event}", timeout=60).text


def test_classify_and_explain(client, photo):
    reading = call(client, file(photo), classify.DEFAULT_CLASSIFIER, api_name="/classify")
    expected = classify.Classifier.load().classify(read_image(photo))
    assert reading["model"] == classify.DEFAULT_CLASSIFIER
    assert reading["top"] == expected.top
    assert reading["classes"] == list(expected.probabilities) == list(reading["probabilities"])
    assert reading["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)
    overlay = call(client, file(photo), classify.DEFAULT_CLASSIFIER, None, api_name="/explain")
    assert Path(overlay).stem == f"photo-{expected.top}"
    with Image.open(overlay) as image:
        assert image.size == (96, 64)


# pictures of every kind, good and bad


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be enormous in 60 bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_bad_pictures_are_refused_in_one_line_and_the_server_lives_on(client, photo, tmp_path):
    whole = photo.read_bytes()
    bad = {
        "text.png": (b"<script>alert(1)</script>", "content"),
        "empty.jpg": (b"", "empty"),
        "cut.png": (whole[: len(whole) // 2], "damaged"),
        "bomb.png": (png_header(30_000, 30_000), "large|megapixels"),
    }
    for name, (content, word) in bad.items():
        path = tmp_path / name
        path.write_bytes(content)
        for endpoint, rest in (("/stylize", (FILTER, 1)), ("/classify", (classify.DEFAULT_CLASSIFIER,))):
            message = refusal(client, file(path), *rest, api_name=endpoint)
            assert any(w in message for w in word.split("|")), (name, message)
    assert "no" in refusal(client, None, FILTER, 1)
    assert Path(call(client, file(photo), FILTER, 1)).is_file()


def test_unusual_pictures_are_read_right(client, tmp_path):
    gray16 = Image.fromarray(np.linspace(0, 65535, 24 * 16).reshape(16, 24).astype(np.uint16))
    rgb = Image.new("RGB", (24, 16), (200, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    cases = {
        "cmyk.jpg": (rgb.convert("CMYK"), {}, (24, 16)),
        "deep.png": (gray16, {}, (24, 16)),
        "palette.png": (rgb.convert("P"), {}, (24, 16)),
        "alpha.png": (rgb.convert("RGBA"), {}, (24, 16)),
        "turned.jpg": (rgb, {"exif": exif}, (16, 24)),
        "moving.gif": (rgb, {"save_all": True, "append_images": [Image.new("RGB", (24, 16))]}, (24, 16)),
        "dot.png": (Image.new("RGB", (1, 1), "white"), {}, (1, 1)),
    }
    for name, (image, options, size) in cases.items():
        image.save(tmp_path / name, **options)
        with Image.open(call(client, file(tmp_path / name), FILTER, 0)) as result:
            assert (result.mode, result.size) == ("RGB", size), name
            expected = read_image(tmp_path / name)
            np.testing.assert_array_equal(np.asarray(result), np.asarray(expected), err_msg=name)
    rgb.save(tmp_path / "really.png")
    (tmp_path / "really.png").rename(tmp_path / "really.jpg")
    with Image.open(call(client, file(tmp_path / "really.jpg"), stylize.DEFAULT_STYLE, 1)) as result:
        assert result.size == (24, 16)


def test_bad_arguments_are_refused_in_one_line(client, photo):
    assert "Unknown style 'nosuch'" in refusal(client, file(photo), "nosuch", 1)
    assert "Unknown style" in refusal(client, file(photo), ["a"], 1)
    for strength in (2, -0.1, "strong", None):
        assert "Expected strength to be" in refusal(client, file(photo), FILTER, strength)
    assert "preserve_color to be between 0" in refusal(client, file(photo), FILTER, 1, 1.5)
    assert "Unknown runtime 'cuda'" in refusal(client, file(photo), stylize.DEFAULT_STYLE, 1, 0, "cuda")
    assert "Expected the runtime torch" in refusal(client, file(photo), FILTER, 1, 0, "torch-bf16")
    assert "Unknown model 'nosuch'" in refusal(client, file(photo), "nosuch", api_name="/classify")
    message = refusal(client, file(photo), classify.DEFAULT_CLASSIFIER, "joy", api_name="/explain")
    assert "Unknown class 'joy'" in message


# what a visitor must not reach


def test_files_of_the_server_stay_closed(page, client, photo):
    inside = examples()[0].path
    for path in (inside, ROOT / "app.py", models.weights.SHIPPED / "x.json"):
        assert httpx.get(f"{page.local_url}gradio_api/file={path}").status_code == 403
    with_meta = {"path": str(inside), "meta": {"_type": "gradio.FileData"}}
    for payload in ({"path": str(inside)}, with_meta):  # without meta, gradio itself would open any path
        assert "event: error" in answer(page, "stylize", [payload, FILTER, 1, 0, "torch", 1.0, 0.25])
    weights = str(models.weights.SHIPPED / f"{stylize.DEFAULT_STYLE}.safetensors")
    assert "Unknown style" in refusal(client, file(photo), weights, 1)
    assert "Unknown model" in refusal(client, file(photo), weights, api_name="/classify")


def test_addresses_are_not_fetched(page, monkeypatch):
    opened = []
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: opened.append(host) or real(host, *a, **k)
    )
    payload = {"path": "http://pictures.invalid/a.png", "meta": {"_type": "gradio.FileData"}}
    assert "web address" in answer(page, "stylize", [payload, FILTER, 1, 0, "torch", 1.0, 0.25])
    assert "Web addresses are not fetched" in answer(
        page, "stylize", [payload["path"], FILTER, 1, 0, "torch", 1, 0]
    )
    assert "pictures.invalid" not in opened


def test_the_schema_offers_no_web_address(page):
    """Nor do the examples of the page's API panel."""
    found = httpx.get(f"{page.local_url}gradio_api/info").json()["named_endpoints"]
    for endpoint, name in (("/stylize", "image"), ("/stylize_video", "video"), ("/classify", "image")):
        given = next(p for p in found[endpoint]["parameters"] if p["parameter_name"] == name)
        assert "No web address is fetched" in given["python_type"]["description"]
        assert not re.search(r"https?:|publicly", json.dumps(given), re.IGNORECASE)


# cards and missing weights


def test_cards_are_tables_and_escaped():
    card = models.Card(
        name="x",
        kind="classifier",
        title="<script>alert(1)</script>",
        description="a & b",
        architecture="lite0_classifier",
        arguments={},
        preprocessing={},
        training={"data": "<img src=x onerror=alert(1)>"},
        metrics={
            "accuracy": {"estimate": 0.654, "low": 0.6, "high": 0.7},
            "rows": [
                {"pictures": "photos", "kid_lite0": 129.0, "kid_lite0_low": 121.0, "kid_lite0_high": 138.0},
                {"pictures": "drawn", "kid_lite0": 95.1, "kid_lite0_low": 88.0, "kid_lite0_high": 103.0},
            ],
        },
        limitations="none",
        licence="Apache-2.0",
        classes=({"name": "joy", "name_zh": "喜", "description": "Glad."},),
    )
    page = about.render(card)
    assert "<script" not in page
    assert "<img" not in page
    assert "<strong>0.654</strong> <span>(95 % interval 0.6 to 0.7)</span>" in page
    assert "95.1 (88 to 103)" in page
    assert "喜" in page
    assert "about <strong>65 of 100</strong> (95 % interval 60 to 70)" in moods.trust(card)


def test_every_trained_model_is_on_the_about_page():
    for name in models.trained():
        assert f"<td>{name}</td>" in about.cards()


def test_the_overview_has_a_row_for_each_model_and_what_is_computed_without_one():
    known = [models.card(name) for name in models.trained()]
    rows = about.overview(known).split("<tr>")[2:]  # the first is the head
    computed = [s for s in stylize.styles().values() if s.kind not in ("network", "filter")]
    assert len(rows) == len(known) + len(computed)
    for card, row in zip(known, rows, strict=False):
        assert html.escape(card.title) in row
        assert html.escape(card.licence) in row
    assert all(1 <= row.count("<li>") <= 3 for row in rows)
    card = models.card(classify.DEFAULT_CLASSIFIER)
    right, low, high = (100 * card.metrics["balanced_accuracy"][k] for k in ("estimate", "low", "high"))
    assert about.one_number(card).startswith(f"{right:.0f} of 100 right")
    assert f"{low:.0f} to {high:.0f}" in about.one_number(card)
    assert "Portrait, drawn" in "".join(rows)


def test_bars_are_sorted_text():
    card = models.card(classify.DEFAULT_CLASSIFIER)
    shares = dict(zip(card.class_names, np.arange(1, len(card.classes) + 1, dtype=float), strict=True))
    total = sum(shares.values())
    reading = classify.Reading(card.name, {k: v / total for k, v in shares.items()}, True)
    bars = moods.bars(reading, card)
    places = [bars.index(c["name_zh"]) for c in reversed(card.classes)]
    assert places == sorted(places)
    assert f"{100 * shares[reading.top] / total:.0f} %" in bars


def test_without_weights_the_page_says_so_and_the_filters_still_work(tmp_path, monkeypatch, photo):
    monkeypatch.setattr(models.weights, "SHIPPED", tmp_path)
    for function in (models.weights.trained, models.weights.card, models.weights.load):
        defaults = tuple(tmp_path if isinstance(d, Path) else d for d in function.__defaults__)
        monkeypatch.setattr(function, "__defaults__", defaults)
    blocks = launch(port=None)
    try:
        config = httpx.get(f"{blocks.local_url}config").text
        assert "No trained drawing style is installed" in config
        assert "No trained classifier is installed" in config
        client = gradio_client.Client(blocks.local_url, verbose=False, download_files=str(tmp_path / "out"))
        assert "Unknown style" in refusal(client, file(photo), stylize.DEFAULT_STYLE, 1)
        message = refusal(client, file(photo), classify.DEFAULT_CLASSIFIER, api_name="/classify")
        assert "No trained classifier is installed" in message
        assert Path(call(client, file(photo), FILTER, 1)).is_file()
    finally:
        blocks.close()


def test_a_damaged_card_is_told_on_the_about_page(monkeypatch):
    def damaged(*_):
        raise WorkbenchError("Card x.json lacks <licence>.")

    monkeypatch.setattr(models, "trained", damaged)
    assert "Card x.json lacks &lt;licence&gt;." in about.cards()


# starting it


def test_the_package_is_cheap_to_import():
    code = "import sys, workbench.ui; sys.exit(bool({'gradio', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.fixture(autouse=True)
def _data_folder_of_the_test(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


def run_app(*arguments, **environment):
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py"), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_app_arguments():
    shown = run_app("--help", HOST="0.0.0.0", PORT="1234").stdout
    assert "0.0.0.0" in shown
    assert "1234" in shown
    assert run_app("--port", "99999").returncode == 2
    assert run_app(PORT="abc").returncode == 2
    wrong = run_app("--device", "gpu")
    assert wrong.returncode == 2
    assert "Expected a device of auto, cpu, cuda, mps" in wrong.stderr


@pytest.mark.slow
def test_a_taken_port_is_one_clear_line():
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run_app("--port", str(port))
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1].startswith(f"Cannot listen on 127.0.0.1:{port}")
    assert "Traceback" not in ended.stderr


# the page in a browser


@pytest.mark.browser
@pytest.mark.slow
def test_redraw_in_the_browser(tab, page, photo, tmp_path):
    tab.goto(page.local_url)
    tab.wait_for_selector("#redraw-result img")  # an example is there before anything was asked
    tab.set_input_files("#redraw input[type=file]", str(photo))
    tab.wait_for_function("document.querySelector('#redraw-caption').innerText.startsWith('96 × 64 px')")
    with tab.expect_download() as download:
        tab.click("#redraw-png")
    with Image.open(download.value.path()) as image:
        expected = stylize.stylize(read_image(photo), first_look.STYLE)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))
    first = tab.get_attribute("#redraw-result img >> nth=1", "src")
    tab.focus("#redraw input[type=range] >> nth=0")
    tab.keyboard.press("Home")  # no strength at all, without a mouse
    tab.wait_for_function("src => document.querySelectorAll('#redraw-result img')[1].src !== src", arg=first)
    with tab.expect_download() as download:
        tab.click("#redraw-png")
    with Image.open(download.value.path()) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(read_image(photo)))
    first = tab.get_attribute("#redraw-result img >> nth=1", "src")
    tab.fill("#redraw input[type=number] >> nth=0", "1")
    tab.keyboard.press("Enter")
    tab.wait_for_function("src => document.querySelectorAll('#redraw-result img')[1].src !== src", arg=first)
    bad = tmp_path / "bad.png"
    bad.write_text("not a picture")
    tab.click("#redraw button[aria-label='Remove Image'], #redraw button[aria-label='Clear']")
    tab.set_input_files("#redraw input[type=file]", str(bad))
    tab.wait_for_selector("text=Expected bad.png to be a picture")
    tab.get_by_label("Example: Dahlia").first.click()
    tab.wait_for_function("document.querySelector('#redraw-caption').innerText.startsWith('640 × 427 px')")
    tab.wait_for_selector("#redraw-tiles img >> nth=3")  # nothing of the picture before is still on its way
    asked = []
    tab.on("request", lambda request: asked.append(request) if "queue/join" in request.url else None)
    names = lambda: [page.fns[request.post_data_json["fn_index"]].name for request in asked]  # noqa: E731
    first = tab.get_attribute("#redraw-result img >> nth=1", "src")
    tab.click("#redraw input[role=combobox] >> nth=0")
    tab.get_by_role("option").filter(has_text="Portrait, drawn").first.click()  # of a picture without people
    tab.wait_for_function("src => document.querySelectorAll('#redraw-result img')[1].src !== src", arg=first)
    tab.wait_for_timeout(1500)
    assert names().count("redraw") == 1  # one choice is one redrawing


@pytest.mark.browser
@pytest.mark.slow
def test_examples_stay_when_old_files_go(context, page):
    """Gradio removes what is hours old, and everything of another page of the process as that ends."""
    delete_files_created_by_app(page, None)
    tab = context.new_page()
    tab.goto(page.local_url)
    tab.get_by_label("Example: Dahlia").first.click()
    tab.wait_for_selector("#redraw-caption:has-text('640 × 427 px')")


@pytest.mark.browser
@pytest.mark.slow
def test_cancelling_shows_at_once_and_takes_nothing_away(tab, page, tmp_path):
    """Words instead of the large photo's result; the example's stays, and the next photo is drawn."""
    large = tmp_path / "large.jpg"
    Image.effect_noise((8000, 6000), 60).convert("RGB").save(large)
    tab.goto(page.local_url)
    tab.wait_for_selector("#redraw-result img")
    # clicked by the page itself: a busy browser may hear from outside when the drawing has long been done
    tab.evaluate("""() => new MutationObserver((_, watch) => {
        const button = document.querySelector("#redraw-cancel");
        if (button) { watch.disconnect(); button.click(); }
    }).observe(document.body, {childList: true, subtree: true})""")
    tab.set_input_files("#redraw input[type=file]", str(large))
    tab.wait_for_selector("#redraw-caption:has-text('Stopped, as you asked.')")
    tab.wait_for_selector("#redraw-cancel", state="hidden")
    assert tab.locator("#redraw-result img").count() == 2
    tab.click("#redraw button[aria-label='Remove Image'], #redraw button[aria-label='Clear']")
    small = tmp_path / "small.jpg"
    Image.effect_noise((90, 60), 60).convert("RGB").save(small)
    tab.set_input_files("#redraw input[type=file]", str(small))
    tab.wait_for_selector("#redraw-caption:has-text('90 × 60 px')")


@pytest.mark.browser
@pytest.mark.slow
def test_read_in_the_browser(tab, page, photo):
    tab.goto(f"{page.local_url}#read")  # tabs have addresses
    tab.get_by_label("Example: a painting meant for serenity").first.click()
    tab.wait_for_selector("#read-compare table")
    rows = tab.locator("#read-compare tbody tr").all_inner_texts()
    assert len(rows) == len(classify.classifiers()) >= 2
    assert all(models.card(name).title in "".join(rows) for name in classify.classifiers())
    tab.click("#read button[aria-label='Remove Image'], #read button[aria-label='Clear']")
    tab.wait_for_selector("#read-moods .moods .bar", state="detached")
    tab.set_input_files("#read input[type=file]", str(photo))
    tab.wait_for_selector("#read-moods .moods .bar")
    reading = classify.Classifier.load().classify(read_image(photo))
    names = tab.locator("#read-moods .name").all_inner_texts()
    ranked = sorted(reading.probabilities, key=lambda name: -reading.probabilities[name])
    assert [n.lower() for n in names] == [n.replace("_", " ").lower() for n in ranked]
    first = tab.get_attribute("#read-overlay img", "src")
    tab.locator(f"#read-class input[value='{ranked[1]}']").check()
    tab.wait_for_function("src => document.querySelector('#read-overlay img').src !== src", arg=first)
    assert "not a diagnosis" in tab.inner_text("#read")


@pytest.mark.browser
@pytest.mark.slow
def test_after_an_example_too_no_upload_is_opened_in_the_server(context, page, tmp_path):
    """Gradio makes a box anew once an example has filled it: ours must stay ours."""
    bad = tmp_path / "bad.png"
    bad.write_text("not a picture")
    for name, example, shown in (
        ("redraw", "Example: Dahlia", "#redraw-caption:has-text('640 × 427 px')"),
        ("read", "Example: a painting meant for serenity", "#read-moods .bar"),
    ):
        tab = context.new_page()
        tab.goto(f"{page.local_url}#{name}")
        tab.get_by_label(example).first.click()
        tab.wait_for_selector(shown)
        tab.click(f"#{name} button[aria-label='Remove Image'], #{name} button[aria-label='Clear']")
        tab.set_input_files(f"#{name} input[type=file]", str(bad))
        tab.wait_for_selector("text=Expected bad.png to be a picture")


@pytest.mark.browser
@pytest.mark.slow
def test_what_is_smuggled_into_the_page_reaches_no_other_host(browser, page):
    """An image, a script, a form and a call to another host, as a picture's name or a report might bring."""
    asked = []

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

    other = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    with browser.new_context() as context:
        tab = context.new_page()
        tab.goto(page.local_url)
        tab.wait_for_selector("#redraw-result img")
        tab.evaluate(
            """other => {
              window.refused = [];
              document.addEventListener('securitypolicyviolation', e => refused.push(e.effectiveDirective));
              document.body.append(Object.assign(new Image(), {src: `${other}/a.png`}));
              document.body.append(Object.assign(document.createElement('script'), {src: `${other}/a.js`}));
              fetch(`${other}/b`).catch(() => null);
              const form = Object.assign(document.createElement('form'), {action: `${other}/c`});
              document.body.append(form);
              form.submit();
            }""",
            f"http://127.0.0.1:{other.server_port}",
        )
        tab.wait_for_function("refused.length >= 4")
        refused = tab.evaluate("refused")
    other.shutdown()
    assert set(refused) == {"img-src", "script-src-elem", "connect-src", "form-action"}
    assert not asked


@pytest.mark.browser
@pytest.mark.slow
def test_about_in_the_browser(tab, page):
    tab.goto(page.local_url)
    tab.click("#about-button")
    tab.wait_for_selector("#about .card")
    assert tab.url.endswith("#about")
    for name in models.trained():
        assert models.card(name).title in tab.inner_text("#about")


@pytest.mark.browser
@pytest.mark.slow
def test_a_study_to_begin_with_is_downloaded(tab, page):
    tab.goto(f"{page.local_url}#collect")
    tab.click("#collect summary:has-text('Original against redrawn')")
    with tab.expect_download() as coming:
        tab.click("#collect details[open] a[download]")
    assert coming.value.suggested_filename == "study.toml"
    assert 'styles = ["original"' in Path(coming.value.path()).read_text(encoding="utf-8")

"""Read a painting: choosing how a reading is explained, through the API and in a browser."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from browsing import DESKTOP, hold_next
from PIL import Image

from workbench import models
from workbench.classify.classifier import DEFAULT_CLASSIFIER, Classifier, Reading
from workbench.data.images import read_image
from workbench.reporting.page import self_containment_problems
from workbench.service import picture_tasks
from workbench.service.engines.worker import Context
from workbench.service.tasks import ReadOptions
from workbench.ui import read
from workbench.ui.moods import examples_read, likeness

gradio_client = pytest.importorskip("gradio_client")
SMALL = "mood_lite0"  # the quicker of the two shipped models
PLAIN = "integrated_gradients"  # the quicker of the two methods without layers


def explain(client, photo, *choices):
    handle = gradio_client.handle_file(str(photo))
    with Image.open(client.predict(handle, *choices, api_name="/explain")) as image:
        return np.asarray(image)


def difference(a, b) -> int:
    """The largest, in levels."""
    return np.abs(np.asarray(a, int) - np.asarray(b, int)).max()


def test_method_and_layer_through_the_api(client, photo):
    classifier, picture = Classifier.load(SMALL), read_image(photo)
    name = classifier.card.class_names[1]
    for method, layer in (("grad_cam", "stage4"), ("guided_grad_cam", ""), (PLAIN, "")):
        expected = classifier.explain(picture, name, method, layer or None).overlay
        found = explain(client, photo, SMALL, name, method, layer)
        assert difference(found, expected) <= 1  # another process may sum in another order
    usual = np.asarray(classifier.explain(picture, name).overlay)
    assert difference(explain(client, photo, SMALL, name), usual) <= 1  # what programs of old sent
    # a layer is of no use to this one: left over from another method, it is not in the way
    np.testing.assert_array_equal(explain(client, photo, SMALL, name, PLAIN, "stage4"), found)


def test_unknown_methods_and_layers_are_refused_in_one_line(client, photo):
    for choices, words in (
        ((SMALL, None, "magic", ""), "Unknown method 'magic'"),
        ((SMALL, None, "random", ""), "Unknown method 'random'"),  # a control explains nothing
        ((SMALL, None, "grad_cam", "stage9"), "Unknown layer 'stage9'"),
    ):
        with pytest.raises(gradio_client.exceptions.AppError) as caught:
            explain(client, photo, *choices)
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def measured(path, model, folder):
    """What follows the mood on the page: (numbers of the painting, readings of all models)."""
    picture_tasks.measure_picture((path,), ReadOptions(model), Context(folder))
    found = json.loads((folder / "facts.json").read_text())
    reading = Classifier.load(model).classify(read_image(path))
    return found["values"], [reading, *map(Reading.from_dict, found["readings"])]


def test_what_follows_the_mood(photo, tmp_path):
    values, readings = measured(photo, SMALL, tmp_path)
    numbers = read.show_numbers(values, SMALL, readings[0].top)
    assert "How it is painted" in numbers
    assert read.side_by_side(readings, SMALL).count("<th scope=") > 2
    other = next(n for n in readings[0].probabilities if n != readings[0].top)
    assert read.show_numbers(values, SMALL, other) != numbers


def test_a_tiny_picture_has_a_mood_but_no_numbers(tmp_path):
    path = tmp_path / "dot.png"
    Image.new("RGB", (8, 8), "white").save(path)
    values, readings = measured(path, SMALL, tmp_path)
    assert read.show_numbers(values, SMALL, readings[0].top) == ""
    assert "side by side" in read.side_by_side(readings, SMALL)


@pytest.fixture
def tab(tab, page):
    tab.goto(f"{page.local_url}#read")
    return tab


def choose(tab, box, words):
    tab.click(f"{box} input")
    tab.get_by_role("option").filter(has_text=words).first.click()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("tab", [DESKTOP], indirect=True)  # occlusion takes long, and no size matters here
def test_choosing_method_and_layer_in_the_browser(tab, photo):
    usual, small = (examples_read(models.card(name)) for name in (DEFAULT_CLASSIFIER, SMALL))
    assert usual != small
    tab.wait_for_selector(f"#read-examples-read :text('{usual}')")
    choose(tab, "#read-model", models.card(SMALL).title)
    tab.wait_for_selector(f"#read-examples-read :text('{small}')")
    tab.set_input_files("#read input[type=file]", str(photo))
    tab.wait_for_selector("#read-numbers .measure")
    told = likeness(Classifier.load(SMALL).classify(read_image(photo)), models.card(SMALL))
    assert re.sub(r"\s+", " ", re.sub("<[^>]*>", "", told)) in tab.inner_text("#read-moods").replace(
        "\xa0", " "
    )
    assert tab.locator("#read-numbers .track").count() == tab.locator("#read-numbers .measure").count() > 20
    seen = [tab.get_attribute("#read-overlay img", "src")]
    changed = "seen => !seen.includes(document.querySelector('#read-overlay img')?.src ?? seen[0])"
    choose(tab, "#read-layer", "tage 3 of 7")
    tab.wait_for_function(changed, arg=seen)
    tab.wait_for_selector("#read-reliance :text('not measured')")
    seen.append(tab.get_attribute("#read-overlay img", "src"))
    choose(tab, "#read-method", "Guided")
    tab.wait_for_function(changed, arg=seen)
    seen.append(tab.get_attribute("#read-overlay img", "src"))
    choose(tab, "#read-method", "Occlusion")
    tab.wait_for_selector("#read-layer", state="hidden")  # it has no layer
    tab.wait_for_selector("#read-reliance :text('Occlusion')")
    tab.wait_for_function(changed, arg=seen)
    seen.append(tab.get_attribute("#read-overlay img", "src"))
    before = tab.inner_text("#read-numbers")
    tab.locator("#read-class input:not(:checked)").first.check()
    tab.wait_for_function("t => document.querySelector('#read-numbers').innerText !== t", arg=before)
    tab.wait_for_function(changed, arg=seen)


@pytest.mark.browser
@pytest.mark.slow
def test_the_whole_report_is_taken_away(tab, photo):
    choose(tab, "#read-model", models.card(SMALL).title)
    tab.set_input_files("#read input[type=file]", str(photo))
    tab.wait_for_selector("#read-moods .percent")
    tab.click("#read-report")
    links = tab.locator("#read-report-files a[href]")
    links.nth(2).wait_for()
    assert [name.partition("-")[2] for name in names_of(links)] == [
        "report.html",
        "reading.json",
        "reading.csv",
    ]
    with tab.expect_download() as download:
        links.first.click()
    page = Path(download.value.path()).read_text(encoding="utf-8")
    assert self_containment_problems(page) == []
    assert "A reading of photo" in page


def names_of(links):
    return [links.nth(i).get_attribute("download") or "" for i in range(links.count())]


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("tab", [DESKTOP], indirect=True)
@pytest.mark.parametrize("slow", ["look", "compare_all"])
def test_what_is_still_to_come_of_one_painting_keeps_nothing_from_the_next(tab, page, photo, slow, tmp_path):
    until_held, let_go = hold_next(tab, page, slow)
    tab.get_by_label("Example: a painting meant for serenity").first.click()
    tab.wait_for_selector("#read-moods .bar")
    first = tab.inner_html("#read-moods")
    until_held()
    tab.set_input_files("#read input[type=file]", str(photo))
    tab.wait_for_function("t => document.querySelector('#read-moods').innerHTML !== t", arg=first)
    tab.wait_for_timeout(1000)  # what follows on the photo's mood is asked for, too
    let_go()
    tab.wait_for_function(  # the map has the shape of the photo, not that of the square example
        "() => { const map = document.querySelector('#read-overlay img');"
        " return map && map.naturalWidth === 96 && map.naturalHeight === 64; }"
    )
    values, readings = measured(photo, DEFAULT_CLASSIFIER, tmp_path)
    numbers = read.show_numbers(values, DEFAULT_CLASSIFIER, readings[0].top)
    table = read.side_by_side(readings, DEFAULT_CLASSIFIER)
    tab.wait_for_function(
        """wanted => Object.entries(wanted).every(([id, html]) => {
          const box = document.createElement("div"); box.innerHTML = html;
          return document.getElementById(id).textContent.trim() === box.textContent.trim(); })""",
        arg={"read-numbers": numbers, "read-compare": table},
    )

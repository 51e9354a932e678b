"""Styles by name: menu, strength, user's weights, threads, and what is refused."""

import gc
import os
import shutil
import sys
import threading
import weakref

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from stylizers import save_tiny

from workbench import drawing, models
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.drawing.filters import FILTERS
from workbench.models import weights
from workbench.styles.stylize import DEFAULT_STYLE, get, network_of, styles, stylize
from workbench.styles.tiling import run_tiled, run_together


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A weights folder with the default style and another, in place of the shipped one."""
    save_tiny(tmp_path, "another", seed=1)
    save_tiny(tmp_path, DEFAULT_STYLE, seed=2)
    save_tiny(tmp_path, "mood", kind="classifier")
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    return tmp_path


def picture(width=50, height=37, seed=0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def test_menu_has_networks_first_the_default_on_top_then_filters(folder):
    menu = styles()
    assert list(menu)[:7] == [
        DEFAULT_STYLE,
        "another",
        "drawn_portrait",
        "drawn_comic",
        "drawn_anime",
        "drawn_ink",
        "colormatrix_warm",
    ]
    assert "mood" not in menu
    assert set(FILTERS) <= set(menu)
    assert menu["another"].kind == "network"
    assert menu["another"].title == "Title of another"
    assert menu["another"].licence == "CC-BY-4.0"
    assert menu["affine_tilt"].kind == "filter"


def test_network_style_is_the_network_in_tiles(folder):
    network = models.load(folder / "another.safetensors")[0].to(memory_format=torch.channels_last)
    drawn = stylize(picture(), "another")
    assert drawn.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(drawn), run_tiled(network, np.asarray(picture())))
    assert np.abs(np.asarray(drawn, int) - np.asarray(picture())).mean() > 1
    assert (
        np.asarray(stylize(picture())).tobytes() != np.asarray(drawn).tobytes()
    )  # the default is another network


@pytest.mark.parametrize("look", drawing.LOOKS)
def test_drawn_style_is_the_drawing(folder, look):
    drawn = np.asarray(stylize(picture(80, 60), f"drawn_{look}"))
    np.testing.assert_array_equal(drawn, drawing.draw(np.asarray(picture(80, 60)), look))


def test_large_pictures_are_drawn_at_a_working_scale(folder):
    soft = cv2.resize(np.asarray(picture(8, 6)), (1600, 1200), interpolation=cv2.INTER_CUBIC)
    photo = Image.fromarray(soft)
    network = models.load(folder / "another.safetensors")[0].to(memory_format=torch.channels_last)
    for detail, side in ((0.5, 256), (1.0, 512), (2.0, 1024)):
        size = (round(side * 4 / 3), side)
        small = run_tiled(network, cv2.resize(np.asarray(photo), size, interpolation=cv2.INTER_AREA))
        drawn = np.asarray(stylize(photo, "another", detail=detail))
        assert drawn.shape == (1200, 1600, 3)
        shrunk = cv2.resize(drawn, size, interpolation=cv2.INTER_AREA)
        assert np.abs(shrunk.astype(int) - small).mean() < 2
    every = np.asarray(stylize(photo, "another", detail=16))
    np.testing.assert_array_equal(every, run_tiled(network, np.asarray(photo)))


def test_frames_are_drawn_as_pictures_are(folder):
    photo = picture(900, 700)
    for style in ("another", "colormatrix_warm"):
        (frame,) = get(style).drawer(detail=0.5)([np.asarray(photo)])
        np.testing.assert_allclose(frame, np.asarray(stylize(photo, style, detail=0.5)), atol=1)


@pytest.mark.parametrize("detail", [0.5, 2.0])
def test_detail_is_the_drawing_s(folder, detail):
    photo = picture(800, 600)
    np.testing.assert_array_equal(
        np.asarray(stylize(photo, "drawn_comic", detail=detail)),
        drawing.draw(np.asarray(photo), "comic", detail),
    )


@pytest.mark.parametrize("detail", [0.0, 0.1, 17.0, float("nan")])
def test_detail_out_of_range_is_refused(folder, detail):
    with pytest.raises(WorkbenchError, match="detail"):
        stylize(picture(), detail=detail)


def test_filter_style_is_the_filter(folder):
    drawn = stylize(picture(), "colormatrix_negative")
    np.testing.assert_array_equal(np.asarray(drawn), 255 - np.asarray(picture()))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (64, 3)])
def test_tiny_pictures(folder, size):
    for style in styles():
        assert stylize(picture(*size), style).size == size


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "1"])
def test_other_modes_are_converted(folder, mode):
    image = picture().convert(mode)
    drawn = stylize(image, "colormatrix_negative")
    np.testing.assert_array_equal(np.asarray(drawn), 255 - np.asarray(image.convert("RGB")))


def test_strength_blends_linearly(folder):
    photo, full = np.asarray(picture(), float), np.asarray(stylize(picture(), "another"), float)
    np.testing.assert_array_equal(np.asarray(stylize(picture(), "another", 0.0)), photo)
    for strength in (0.25, 0.5, 0.9):
        blend = np.asarray(stylize(picture(), "another", strength), float)
        assert np.abs(blend - (strength * full + (1 - strength) * photo)).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan"), float("inf"), "much", None])
def test_strength_out_of_range_is_refused(folder, strength):
    with pytest.raises(WorkbenchError, match=r"Expected strength to be (between 0 and 1|a number) but got"):
        stylize(picture(), "another", strength)


def test_the_photo_is_not_changed_and_not_returned(folder):
    for style, strength in (("another", 1.0), ("another", 0.0), ("affine_tilt", 0.5)):
        photo = picture()
        drawn = stylize(photo, style, strength)
        drawn.putpixel((0, 0), (1, 2, 3))
        assert photo.tobytes() == picture().tobytes()


def test_progress_ends_at_one(folder):
    for style in ("another", "affine_tilt"):
        shares = []
        stylize(picture(), style, progress=shares.append)
        assert shares[-1] == 1.0


def test_unknown_style_names_the_known_ones(folder):
    with pytest.raises(UnknownNameError, match=f"Unknown style 'van_gogh'.*{DEFAULT_STYLE}"):
        stylize(picture(), "van_gogh")
    for sneaky in ("../another", "", "mood"):
        with pytest.raises(UnknownNameError, match="Unknown style"):
            stylize(picture(), sneaky)


def test_own_weights_by_path(folder, tmp_path_factory):
    own = save_tiny(tmp_path_factory.mktemp("own"), "mine", seed=1)
    expected = np.asarray(stylize(picture(), "another"))
    np.testing.assert_array_equal(np.asarray(stylize(picture(), str(own))), expected)
    np.testing.assert_array_equal(np.asarray(stylize(picture(), own)), expected)


def test_own_weights_that_cannot_be_used(folder, tmp_path_factory):
    own = tmp_path_factory.mktemp("own")
    with pytest.raises(WeightsError, match="there is none"):
        stylize(picture(), str(own / "none.safetensors"))
    path = save_tiny(own, "bare")
    path.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match="card"):
        stylize(picture(), str(path))
    with pytest.raises(WeightsError, match="is a classifier"):
        stylize(picture(), str(folder / "mood.safetensors"))
    damaged = save_tiny(own, "damaged")
    damaged.write_bytes(damaged.read_bytes()[:-8])
    with pytest.raises(WeightsError, match="does not match its card"):
        stylize(picture(), str(damaged))


def test_replaced_weights_are_loaded_again(folder, tmp_path_factory):
    own = save_tiny(tmp_path_factory.mktemp("own"), "mine", seed=5)
    first = stylize(picture(), str(own)).tobytes()
    save_tiny(own.parent, "mine", seed=6)
    os.utime(own, ns=(1, 1))  # even when the clock is too coarse to tell
    assert stylize(picture(), str(own)).tobytes() != first


def test_threads_share_one_network_and_agree(folder):
    networks, results = [], []
    start = threading.Barrier(6)

    def work():
        start.wait()
        networks.append(network_of("another"))
        results.append(stylize(picture(), "another").tobytes())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(networks) == 6
    assert len({id(network) for network in networks}) == len(set(results)) == 1


def test_no_more_than_a_few_networks_stay_in_memory(folder, tmp_path_factory):
    own = tmp_path_factory.mktemp("own")
    first = weakref.ref(network_of(save_tiny(own, "first")))
    gc.collect()
    assert first() is not None
    for seed in range(8):
        stylize(picture(), str(save_tiny(own, f"n{seed}", seed=seed)))
    gc.collect()
    assert first() is None
    shutil.rmtree(own)
    with pytest.raises(WeightsError, match="there is none"):
        stylize(picture(), str(own / "n7.safetensors"))


def test_the_second_drawing_opens_no_card(folder):
    opened = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    stylize(picture(), "another")
    opened.clear()
    stylize(picture(), "another")
    styles()
    assert [path for path in opened if path.startswith(str(folder))] == []
    save_tiny(folder, "another", seed=1, title="Another title")
    assert styles()["another"].title == "Another title"


def test_a_style_says_what_it_is(folder):
    menu_of = styles()
    network, filter_ = menu_of["another"], menu_of["affine_tilt"]
    assert (network.needs, network.stateful, network.halo) == ("", False, network_of("another").halo)
    assert (filter_.runtimes, filter_.halo) == (("torch",), None)
    assert "onnx" in network.runtimes
    with pytest.raises(WorkbenchError, match=r"the runtime torch but got onnx: affine_tilt is a filter"):
        filter_.check("onnx")
    assert get(network) is network
    with pytest.raises(WorkbenchError, match="Expected a device of auto"):
        stylize(picture(), "another", device="tpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_draws_what_the_cpu_draws(folder):
    drawn = [np.asarray(stylize(picture(900, 700), "another", device=d), int) for d in ("cpu", "cuda")]
    assert np.abs(drawn[0] - drawn[1]).max() <= 1


class Cramped(torch.nn.Module):
    """A generator on a device with memory for two small pictures at a time."""

    halo, stride = 4, 4

    def __init__(self, pixels):
        super().__init__()
        self.pixels, self.seen = pixels, []
        self.eval()

    def forward(self, x):
        self.seen.append(len(x))
        if x[:, 0].numel() > self.pixels:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return -x


def test_too_little_memory_for_a_batch_of_frames_draws_smaller_batches():
    frames = [np.asarray(picture(seed=i)) for i in range(7)]
    network = Cramped(2 * (50 + 2 * 32 + 4) * (37 + 2 * 32 + 4))
    drawn = run_together(network, frames)
    for photo, got in zip(frames, drawn, strict=True):
        np.testing.assert_array_equal(got, 255 - photo)
    assert max(network.seen) == 7
    assert network.seen[-1] <= 2
    with pytest.raises(torch.OutOfMemoryError):
        run_together(Cramped(10), frames)

"""Styles by name: menu, strength, user's weights, threads, and what is refused."""

import os
import shutil
import threading

import numpy as np
import pytest
import torch
from PIL import Image
from stylizers import save_tiny

from workbench import models
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.drawing.filters import FILTERS
from workbench.models import weights
from workbench.styles import stylize as module
from workbench.styles.stylize import DEFAULT_STYLE, styles, stylize
from workbench.styles.tiling import run_tiled


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
    assert list(menu)[:3] == [DEFAULT_STYLE, "another", "colormatrix_warm"]
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
    with pytest.raises(WorkbenchError, match="strength between 0"):
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


def test_threads_share_one_load_and_agree(folder, monkeypatch):
    loads, results = [], []
    real = module._load
    monkeypatch.setattr(module, "_load", lambda *args: loads.append(args) or real(*args))
    module._loaded.clear()
    start = threading.Barrier(6)

    def work():
        start.wait()
        results.append(stylize(picture(), "another").tobytes())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(results) == 6
    assert len(set(results)) == 1


def test_no_more_than_a_few_networks_stay_loaded(folder, tmp_path_factory):
    own = tmp_path_factory.mktemp("own")
    for seed in range(module._MOST_LOADED + 2):
        stylize(picture(), str(save_tiny(own, f"n{seed}", seed=seed)))
    assert len(module._loaded) == module._MOST_LOADED
    shutil.rmtree(own)
    with pytest.raises(WeightsError, match="there is none"):
        stylize(picture(), str(own / "n5.safetensors"))

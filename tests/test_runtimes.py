"""The same drawing on PyTorch and in ONNX Runtime; the export's cache; preserved colours."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from stylizers import save_tiny

from workbench import cli
from workbench.core.cache import user_cache
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.core.pixels import LUMA
from workbench.styles import export as exporter
from workbench.styles import runtimes
from workbench.styles.style import with_chroma_of
from workbench.styles.stylize import network_of, stylize
from workbench.styles.tiling import run_tiled

onnxruntime = pytest.importorskip("onnxruntime")


def picture(width=70, height=45, seed=0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("own"), "mine", seed=1)


@pytest.fixture(scope="module")
def exported(own, tmp_path_factory):
    return exporter.export(own, tmp_path_factory.mktemp("onnx") / "mine.onnx").path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    runtimes.forget()
    return tmp_path


def test_the_drawing_is_the_same_and_the_export_is_kept(own, exported, cache, monkeypatch):
    count = []

    def copied(path, target):  # the export of the fixture: it takes seconds
        count.append(target)
        shutil.copy(exported, target)

    monkeypatch.setattr(exporter, "export", copied)
    drawn = {r: np.asarray(stylize(picture(), str(own), runtime=r), int) for r in ("torch", "onnx")}
    assert np.abs(drawn["torch"] - drawn["onnx"]).max() <= 1
    assert np.abs(drawn["torch"] - np.asarray(picture())).mean() > 1
    stylize(picture(), str(own), runtime="onnx")
    assert len(count) == 1
    runtimes.forget()  # a new process finds the file
    stylize(picture(), str(own), runtime="onnx")
    assert len(count) == 1
    count[0].write_bytes(b"damaged")
    runtimes.forget()
    stylize(picture(), str(own), runtime="onnx")
    assert len(count) == 2
    other = save_tiny(cache / "other", "mine", seed=2)  # other weights under the same name
    stylize(picture(), str(other), runtime="onnx")
    assert len(set(count)) == 2


def test_an_exported_file_is_a_style_in_tiles_too(own, exported):
    whole = np.asarray(stylize(picture(), str(own)), int)
    assert np.abs(np.asarray(stylize(picture(), str(exported)), int) - whole).max() <= 1
    network = network_of(str(exported))
    assert isinstance(network, runtimes.OnnxNetwork)
    assert network is network_of(str(exported), "onnx")
    tiled = run_tiled(network, np.asarray(picture(150, 90)), tile=32)
    expected = run_tiled(network_of(str(own)), np.asarray(picture(150, 90)))
    assert np.abs(tiled.astype(int) - expected).max() <= 1


def test_threads_of_onnx_runtime_rest_between_two_tiles(exported):
    options = network_of(str(exported)).session.get_session_options()
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_bfloat16_is_nearly_the_same_and_leaves_the_photo_alone(tmp_path):
    photo = Image.fromarray(data.coffee()[:150, :200])
    exact, rounded = (
        np.asarray(stylize(photo, "fsgan_comic", runtime=r), int) for r in ("torch", "torch-bf16")
    )
    assert 0 < np.abs(exact - rounded).mean() < 0.3
    assert np.abs(exact - rounded).max() <= 6
    network = network_of(str(save_tiny(tmp_path)), "torch-bf16")
    torch.nn.init.zeros_(network.network.out.weight)
    torch.nn.init.zeros_(network.network.out.bias)
    pixels = np.asarray(picture())
    np.testing.assert_array_equal(run_tiled(network, pixels), pixels)


def test_files_that_are_no_stylizer(own, exported, tmp_path):
    with pytest.raises(WeightsError, match="there is none"):
        stylize(picture(), str(tmp_path / "none.onnx"))
    (tmp_path / "text.onnx").write_text("no")
    with pytest.raises(WeightsError, match=r"text\.onnx cannot be loaded"):
        stylize(picture(), str(tmp_path / "text.onnx"))
    onnx = pytest.importorskip("onnx")
    proto = onnx.load(exported)
    for card in (None, {"architecture": "patch_discriminator", "arguments": {}}):
        del proto.metadata_props[:]
        if card:
            proto.metadata_props.add(key="card", value=json.dumps(card))
        onnx.save(proto, tmp_path / "bare.onnx")
        with pytest.raises(WeightsError, match="hold the card of a stylizer"):
            stylize(picture(), str(tmp_path / "bare.onnx"))
        runtimes.forget()


def test_what_cannot_run(own, monkeypatch):
    with pytest.raises(UnknownNameError, match="runtime 'tpu'"):
        stylize(picture(), str(own), runtime="tpu")
    with pytest.raises(WorkbenchError, match=r"colormatrix_warm is a filter"):
        stylize(picture(), "colormatrix_warm", runtime="onnx")


def test_a_cache_that_cannot_be_written_is_replaced(monkeypatch, tmp_path):
    (tmp_path / "painter-psychology-workbench").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = user_cache("onnx")
    assert folder.is_dir()
    assert tmp_path not in folder.parents
    folder.rmdir()


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["stylize", *map(str, arguments)])
    return stop.value.code or 0, *capsys.readouterr()


def test_commands(own, exported, tmp_path, capsys):
    picture().save(tmp_path / "a.png")
    code, _, err = command(capsys, tmp_path / "a.png", tmp_path / "b.png", "--style", exported)
    assert (code, err) == (0, "")
    drawn = np.asarray(Image.open(tmp_path / "b.png"), int)
    assert np.abs(drawn - np.asarray(stylize(picture(), str(own)))).max() <= 1
    code, _, _ = command(
        capsys, tmp_path / "a.png", tmp_path / "c.png", "--style", own, "--preserve-color", "1"
    )
    assert code == 0
    expected = np.asarray(stylize(picture(), str(own), preserve_color=1.0))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "c.png")), expected)
    code, _, err = command(capsys, tmp_path / "a.png", tmp_path / "d.png", "--runtime", "tpu")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: Unknown runtime 'tpu'")


# -- preserved colours -------------------------------------------------------------------------------------


def luma(pixels):
    return np.asarray(pixels, float) @ LUMA


def test_chroma_by_hand():
    photo = np.array([[[120, 100, 80]]], np.uint8)
    drawing = np.array([[[60, 60, 60]]], np.uint8)
    # the photo's luma is .299 · 120 + .587 · 100 + .114 · 80 = 103.7: gray 60 plus 16.3, -3.7, -23.7
    assert with_chroma_of(photo, drawing).tolist() == [[[76, 56, 36]]]
    assert with_chroma_of(photo, drawing, 0.5).tolist() == [[[68, 58, 48]]]
    assert with_chroma_of(photo, drawing, 0.0).tolist() == drawing.tolist()


def test_luma_is_the_drawings_and_chroma_the_photos():
    rng = np.random.default_rng(0)
    photo, drawing = (rng.integers(90, 166, (30, 40, 3), dtype=np.uint8) for _ in range(2))  # nothing clamps
    mixed = with_chroma_of(photo, drawing)
    assert np.abs(luma(mixed) - luma(drawing)).max() < 0.51
    chroma = [p - luma(p)[..., None] for p in (mixed, photo)]
    assert np.abs(chroma[0] - chroma[1]).max() < 1.1


def test_large_pictures_go_by_rows(monkeypatch):
    rng = np.random.default_rng(0)
    photo, drawing = (rng.integers(0, 256, (7, 400_000, 3), dtype=np.uint8) for _ in range(2))
    part = with_chroma_of(photo[5:6, :50].copy(), drawing[5:6, :50].copy())
    np.testing.assert_array_equal(with_chroma_of(photo, drawing)[5:6, :50], part)


def test_strength_blends_after_colours():
    photo = np.asarray(picture(), float)
    full = np.asarray(stylize(picture(), "colormatrix_negative", preserve_color=0.8), float)
    half = np.asarray(stylize(picture(), "colormatrix_negative", 0.5, preserve_color=0.8), float)
    assert np.abs(half - (full + photo) / 2).max() <= 0.51
    np.testing.assert_array_equal(
        np.asarray(stylize(picture(), "colormatrix_negative", 0.0, preserve_color=1.0)), photo
    )


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan"), "all", None])
def test_shares_out_of_range(share):
    with pytest.raises(WorkbenchError, match="Expected preserve_color to be"):
        stylize(picture(), "colormatrix_warm", preserve_color=share)


def test_gray_with_the_photos_colours_is_the_photo():
    photo = Image.fromarray(np.random.default_rng(0).integers(60, 200, (20, 20, 3), np.uint8))
    gray = Image.fromarray(np.repeat(luma(photo).round().astype(np.uint8)[..., None], 3, 2))
    back = with_chroma_of(np.asarray(photo), np.asarray(gray))
    assert np.abs(back.astype(int) - np.asarray(photo)).max() <= 1

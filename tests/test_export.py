"""Exported files run in their runtimes, at sizes that the export has not seen, and agree with the network."""

import copy
import dataclasses
import json
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from stylizers import save_tiny

from workbench import cli, models
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.styles import export as exporter
from workbench.styles.export import FORMATS, export

SIZES = [(1, 3, 1, 1), (3, 3, 33, 47), (1, 3, 64, 40)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("weights"), description="a pen, 筆")


@pytest.fixture(scope="module")
def drawn(tiny, tmp_path_factory):
    """The tiny stylizer as ONNX."""
    return export(tiny, tmp_path_factory.mktemp("out") / "new" / "tiny.onnx")


def run_onnx(path, batch):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"picture": batch.numpy()})[0]


def run_torchscript(path, batch):
    with torch.no_grad():
        return torch.jit.load(path)(batch).numpy()


def assert_agrees(weights, got, batch):
    network, _ = models.load(weights)
    expected = network(batch).numpy()
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("shape", SIZES)
def test_onnx_stylizer_at_any_size(tiny, drawn, shape):
    batch = torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1
    got = run_onnx(drawn.path, batch)
    assert_agrees(tiny, got, batch)
    assert np.abs(got - batch.numpy()).max() > 0.1  # it is a drawing, not the photo


def test_onnx_file(tiny, drawn):
    assert [p.name for p in drawn.path.parent.iterdir()] == ["tiny.onnx"]  # nothing beside it
    onnx.checker.check_model(drawn.path, full_check=True)
    session = onnxruntime.InferenceSession(drawn.path)
    (picture,), (drawing,) = session.get_inputs(), session.get_outputs()
    assert (picture.name, picture.shape) == ("picture", ["batch", 3, "height", "width"])
    assert (drawing.name, drawing.shape) == ("drawing", ["batch", 3, "height", "width"])
    card = json.loads(session.get_modelmeta().custom_metadata_map["card"])
    assert card == json.loads(tiny.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["description"] == "a pen, 筆"
    assert 0 <= drawn.difference < 1e-4


def test_torchscript_stylizer(tiny, tmp_path):
    done = export(tiny, tmp_path, "torchscript")  # a folder
    assert done.path == tmp_path / "tiny.pt"
    for shape in SIZES:
        batch = torch.rand(shape, generator=torch.Generator().manual_seed(2)) * 2 - 1
        assert_agrees(tiny, run_torchscript(done.path, batch), batch)
    extra = {"card.json": ""}
    torch.jit.load(done.path, _extra_files=extra)
    assert json.loads(extra["card.json"])["description"] == "a pen, 筆"


@pytest.mark.parametrize(("format", "run"), [("onnx", run_onnx), ("torchscript", run_torchscript)])
def test_nearest_upsampling(tmp_path, format, run):
    torch.manual_seed(0)
    arguments = {"stem": 4, "middle": 4, "trunk": 4, "blocks": 1, "upsampling": "nearest"}
    network = models.create("fsgan_small", **arguments)
    torch.nn.init.normal_(network.out.weight, std=0.3)
    card = dataclasses.replace(models.card(save_tiny(tmp_path)), name="nearest", arguments=arguments)
    weights = models.save(network, card, tmp_path)
    batch = torch.rand(1, 3, 30, 49) * 2 - 1
    assert_agrees(weights, run(export(weights, tmp_path, format).path, batch), batch)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    torch.manual_seed(0)
    network = models.create("lite0_classifier", num_classes=3)
    torch.nn.init.normal_(network.classifier.weight, std=0.1)
    views = [{"kind": "crops", "short_side": 40, "count": 3, "size": 33}, {"kind": "squeeze", "size": 33}]
    folder = tmp_path_factory.mktemp("classifier")
    card = dataclasses.replace(
        models.card(save_tiny(folder)),
        name="mood",
        kind="classifier",
        architecture="lite0_classifier",
        arguments={"num_classes": 3},
        preprocessing={"mean": [0.5] * 3, "std": [0.5] * 3, "views": views},
        classes=tuple({"name": name} for name in "abc"),
    )
    return models.save(network, card, folder)


@pytest.mark.parametrize(("format", "run"), [("onnx", run_onnx), ("torchscript", run_torchscript)])
def test_classifier_with_any_batch_of_the_size_on_its_card(classifier, tmp_path, format, run):
    done = export(classifier, tmp_path, format)
    for count in (1, 5):
        batch = torch.rand(count, 3, 33, 33, generator=torch.Generator().manual_seed(3)) * 2 - 1
        got = run(done.path, batch)
        assert got.shape == (count, 3)
        assert_agrees(classifier, got, batch)
    if format == "onnx":
        session = onnxruntime.InferenceSession(done.path)
        assert session.get_inputs()[0].shape == ["batch", 3, 33, 33]
        assert (session.get_outputs()[0].name, session.get_outputs()[0].shape) == ("logits", ["batch", 3])


def test_a_file_that_disagrees_is_not_written(tiny, tmp_path, monkeypatch):
    real = exporter.to_torchscript

    def changed(network, card):
        network = copy.deepcopy(network)
        network.out.bias += 0.002
        return real(network, card)

    monkeypatch.setattr(exporter, "to_torchscript", changed)
    old = tmp_path / "a.pt"
    old.write_text("old")
    with pytest.raises(WorkbenchError, match=r"within 0\.001 but they differ by 0\.002, so nothing"):
        export(tiny, old, "torchscript")
    assert old.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]
    monkeypatch.setattr(exporter, "TOLERANCE", 0.003)
    assert export(tiny, old, "torchscript").difference == pytest.approx(0.002, rel=0.01)


@pytest.mark.parametrize("fault", ["nan", "shape"])
def test_nan_and_other_shapes_are_refused(tiny, tmp_path, monkeypatch, fault):
    real = exporter.torchscript_runner

    def broken(payload):
        run = real(payload)

        def faulty(batch):
            got = run(batch)
            if len(batch) == 1:
                return got
            return got * np.nan if fault == "nan" else got[..., :-1]

        return faulty

    monkeypatch.setattr(exporter, "torchscript_runner", broken)
    with pytest.raises(WorkbenchError, match=r"differ by (nan|inf)"):
        export(tiny, tmp_path / "a.pt", "torchscript")
    assert not list(tmp_path.iterdir())


def test_a_file_frozen_to_one_size_is_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(exporter.DYNAMIC, "stylizer", {0: "batch"})
    with pytest.raises(WorkbenchError, match=r"shape \(1, 3, 300, 451\) but one fails .*nothing was written"):
        export(tiny, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_errors(tiny, tmp_path):
    with pytest.raises(UnknownNameError, match=r"format 'tflite'\. Known: onnx, torchscript"):
        export(tiny, tmp_path / "a.onnx", "tflite")
    with pytest.raises(UnknownNameError, match="model 'van_gogh'"):
        export("van_gogh", tmp_path / "a.onnx")
    with pytest.raises(WeightsError, match="there is none"):
        export(tmp_path / "none.safetensors", tmp_path / "a.onnx")
    with pytest.raises(WorkbenchError, match=r"ending in \.onnx for onnx but got a\.pt"):
        export(tiny, tmp_path / "a.pt")
    with pytest.raises(WorkbenchError, match=r"ending in \.pt for torchscript"):
        export(tiny, tiny, "torchscript")  # never onto the weights
    (tmp_path / "text").touch()
    with pytest.raises(WorkbenchError, match="cannot be written"):
        export(tiny, tmp_path / "text" / "a.pt", "torchscript")
    assert [p.name for p in tmp_path.iterdir()] == ["text"]


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_missing_packages_are_named(tiny, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(WorkbenchError, match=rf"needs {package}, which .*install '.*workbench\[export\]'"):
        export(tiny, tmp_path / "a.onnx")
    assert export(tiny, tmp_path, "torchscript").path.is_file()  # which needs none of them


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["export", *map(str, arguments)])
    return stop.value.code or 0, *capsys.readouterr()


def test_command(tiny, tmp_path, capfd):
    for format, suffix in FORMATS.items():
        target = tmp_path / f"a{suffix}"
        code, out, err = command(capfd, tiny, target, "--format", format)
        assert (code, err) == (0, "")
        assert out.startswith(f"{target} (differs from the network by ")
        assert out.count("\n") == 1
        assert target.is_file()
    code, out, err = command(capfd, "van_gogh", tmp_path / "a.onnx")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: Unknown model 'van_gogh'")

"""The walk-through of docs/training.md in miniature: a style from the atelier, by commands alone."""

import numpy as np
import pytest
from PIL import Image
from test_stylizer_training import scene

from workbench import cli, models
from workbench.data.scenes import load_pictures


def command(*arguments, code=0):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(a) for a in arguments])
    assert (stop.value.code or 0) == code


@pytest.mark.slow
def test_a_style_of_ones_own_by_commands(tmp_path):
    photos, style, out = tmp_path / "photos", tmp_path / "style", tmp_path / "runs" / "ink"
    photos.mkdir()
    for i in range(12):
        Image.fromarray(scene(i)).save(photos / f"{i:02d}.jpg")
    command("data", "atelier", style, "--n", 10, "--size", 176)
    assert len(load_pictures(style, 288)) == 10  # and not their masks
    train = ["train", "stylizer", "--photos", photos, "--style", style, "--out", out, "--name", "ink"]
    tiny = ["--distil-steps", 2, "--batch", 1, "--crop", 160, "--validate-every", 2]
    command(*train, *tiny, "--steps", 3)
    command(*train, *tiny, "--steps", 4)  # goes on where it was
    card = models.card(out / "ink.safetensors")
    assert card.kind == "stylizer"
    assert (out / "measured.csv").is_file()
    assert list((out / "validation").glob("*.jpg"))  # what the walk-through tells to look at
    command("stylize", photos / "00.jpg", tmp_path / "drawn.png", "--style", out / "ink.safetensors")
    with Image.open(tmp_path / "drawn.png") as drawn:
        assert drawn.size == (176, 200)
        assert np.asarray(drawn).std() > 5


@pytest.mark.slow
def test_one_bad_file_does_not_stop_a_training(tmp_path, capsys):
    photos, style, out = tmp_path / "photos", tmp_path / "style", tmp_path / "out"
    for folder in (photos, style):
        folder.mkdir()
        for i in range(12):
            Image.fromarray(scene(i)).save(folder / f"{i:02d}.jpg")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff and no picture")
    Image.fromarray(scene(0)[:20]).save(style / "tiny.png")
    before = (photos / "broken.jpg").read_bytes()
    train = ["train", "stylizer", "--photos", photos, "--style", style, "--out", out, "--name", "ink"]
    command(*train, "--distil-steps", 1, "--batch", 1, "--crop", 160, "--steps", 2, code=1)
    said = capsys.readouterr()
    assert said.out.strip() == str(out / "ink.safetensors")
    assert "2 not done:" in said.err
    assert f"{photos / 'broken.jpg'}: " in said.err
    assert f"{style / 'tiny.png'}: 176×20 pixels" in said.err
    assert models.card(out / "ink.safetensors").training["passed_over"] == 2
    assert (photos / "broken.jpg").read_bytes() == before

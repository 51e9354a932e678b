"""Embeddings of a folder, and neighbours against brute force."""

import csv

import numpy as np
import pytest
import torch

import workbench as wb
from workbench.cli import main
from workbench.core.errors import DatasetError, WeightsError
from workbench.core.tables import read_table
from workbench.data.neighbours import alike_pairs, nearest, outlier_scores
from workbench.interpret.embedding import embed


def call(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert stopped.value.code == 0


X = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)


def cosines(x):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return x @ x.T


def test_neighbours_are_those_of_brute_force():
    indices, values = nearest(X, 5)
    all_of_them = cosines(X)
    np.fill_diagonal(all_of_them, -2)
    np.testing.assert_array_equal(indices, np.argsort(-all_of_them, axis=1)[:, :5])
    np.testing.assert_allclose(values, -np.sort(-all_of_them, axis=1)[:, :5], atol=1e-5)


def test_pairs_are_those_of_brute_force():
    found = alike_pairs(X, 0.7)
    wanted = {(i, j) for i, j in zip(*np.nonzero(np.triu(cosines(X), 1) >= 0.7), strict=True)}
    assert wanted
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == wanted
    assert (np.diff(found.similarity) <= 0).all()


def test_thousands_of_equal_pictures_give_a_pair_for_each_copy():
    x = np.concatenate([np.repeat(X[:1], 3000, 0), X[1:3]])
    found = alike_pairs(x, 0.99)
    assert len(found.first) == 2999
    assert (found.first == 0).all()
    indices, _ = nearest(x, 3)
    assert (indices != np.arange(len(x))[:, None]).all()


def test_the_odd_one_out():
    x = np.tile([1.0, 0.0], (20, 1)) + np.random.default_rng(0).normal(0, 0.01, (20, 2))
    x[7] = (-1, 0.1)
    assert outlier_scores(x, 3).argmax() == 7


def test_a_folder_without_a_readable_picture_is_refused_with_a_reason(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(DatasetError, match=r"none of 1 can\. The first: Expected a\.png to be a picture"):
        embed(tmp_path)


def test_one_picture_has_no_neighbours():
    assert nearest(X[:1])[0].shape == (1, 0)
    assert np.isnan(outlier_scores(X[:1])).all()


@pytest.mark.parametrize("bad", [X[:0], X[0], np.full((2, 2), np.nan)])
def test_bad_vectors_are_one_line(bad):
    with pytest.raises(ValueError, match="Expected"):
        nearest(bad)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    (root / "deep").mkdir(parents=True)
    for i, mood in enumerate(("serenity", "vitality", "desolation")):
        wb.paint(mood, seed=i, size=64).image.save(root / "deep" / f"{mood}.png")
    (root / "copy.png").write_bytes((root / "deep" / "serenity.png").read_bytes())
    return root


def test_embed_and_neighbours_on_the_command_line(folder, tmp_path):
    out = tmp_path / "e.parquet"
    call("embed", folder, "--backbone", "lite0", "--out", out)
    table = read_table(out)
    assert table["path"].tolist() == [
        "copy.png",
        "deep/desolation.png",
        "deep/serenity.png",
        "deep/vitality.png",
    ]
    assert table.shape[1] == 1 + 1280
    call("neighbours", out, "--out", tmp_path / "n.csv", "--count", "2")
    with (tmp_path / "n.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    first = next(r for r in rows if r["path"] == "copy.png")
    assert (first["neighbour"], first["rank"]) == ("deep/serenity.png", "1")
    assert float(first["similarity"]) == pytest.approx(1, abs=1e-5)
    assert len(rows) == 8


def test_parts_fill_what_the_whole_is_read_from(folder, tmp_path, capsys):
    out = tmp_path / "e.csv"
    for part in ("1/2", "2/2"):
        call("embed", folder, "--backbone", "fsgan_comic", "--out", out, "--shard", part)
        assert f"part {part[0]} of 2, 2 pictures" in capsys.readouterr().out
    assert not out.exists()
    kept = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "e.csv.cache").iterdir()}
    assert len(kept) == 3  # the copy has the content of another
    call("embed", folder, "--backbone", "fsgan_comic", "--out", out)
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "e.csv.cache").iterdir()} == kept
    assert len(read_table(out)) == 4
    for bad in ("0/2", "3/2", "half"):
        with pytest.raises(SystemExit) as stopped:
            main(["embed", str(folder), "--out", str(out), "--shard", bad])
        assert stopped.value.code == 2
        assert "Expected --shard I/N" in capsys.readouterr().err


def test_a_timm_model_with_a_local_file_of_weights(folder, tmp_path):
    import timm

    network = timm.create_model("test_resnet", num_classes=3)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    found = embed(folder, "test_resnet", weights=tmp_path / "w.pth", cache=tmp_path / "cache")
    again = embed(folder, "test_resnet", weights=tmp_path / "w.pth", cache=tmp_path / "cache")
    np.testing.assert_array_equal(found.vectors, again.vectors)
    assert len(list((tmp_path / "cache").iterdir())) == 3  # the copy has the content of another
    with pytest.raises(WeightsError, match="no such file"):
        embed(folder, "test_resnet", weights=tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        embed(folder, "no_such_network")

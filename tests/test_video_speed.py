"""How much of the generator's speed is left in a film: the table that the measurement writes."""

import csv

import pytest
from clips import decode

from workbench import cli
from workbench.studies import video_speed
from workbench.styles.video import probe


def test_the_film_is_as_long_and_large_as_asked_and_moves(tmp_path):
    path = video_speed.film(tmp_path / "film.mp4", 10, (96, 64))
    info = probe(path)
    assert (info.width, info.height, info.frames, info.rate) == (96, 64, 10, 25)
    assert info.audio_codec is not None
    _, frames = decode(path)
    moved = frames[0][9:, 18:].astype(int) - frames[9][:-9, :-18]  # 2 columns and 1 row a frame
    stayed = frames[0].astype(int) - frames[9]
    assert abs(moved).mean() < 0.5 * abs(stayed).mean()


def test_every_quantity_is_written_once(tmp_path, capsys):
    out = tmp_path / "speed.csv"
    for _ in range(2):
        arguments = f"bench video --out {out} --size 64 48 --frames 16 --rounds 1 --threads 1"
        with pytest.raises(SystemExit) as end:
            cli.main(arguments.split())
        assert not end.value.code
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    values = {row["quantity"]: float(row["value"]) for row in rows}
    assert len(values) == len(rows) == 4
    film, generator = values["film frames per second"], values["generator frames per second"]
    assert values["share"] == pytest.approx(film / generator, rel=1e-4)
    assert 0 < values["share of processor time"] < 1  # the film decodes and encodes besides

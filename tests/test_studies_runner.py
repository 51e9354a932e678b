import dataclasses
import logging
from pathlib import Path

import pandas as pd
import pytest
import skimage.data
from PIL import Image

from workbench.classify.probes import MajorityClass
from workbench.core.errors import DatasetError, UnknownNameError
from workbench.core.runs import Runs
from workbench.studies.study import STUDIES, ComparisonStudy, TableStudy


def test_runs_are_written_one_by_one_and_not_done_twice(tmp_path):
    path = tmp_path / "deep" / "study.csv"
    plan = [{"model": m, "fold": f} for m in "ab" for f in range(2)]
    calls = []

    def run(model, fold):
        calls.append((model, fold))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return {"accuracy": 1 / 3}

    with pytest.raises(KeyboardInterrupt):
        Runs(path, ("model", "fold")).do(plan, run)
    assert len(pd.read_csv(path)) == 2

    assert Runs(path, ("model", "fold")).do(plan, run) == path
    table = pd.read_csv(path)
    assert calls == [("a", 0), ("a", 1), ("b", 0), ("b", 0), ("b", 1)]
    assert list(table.columns[:3]) == ["model", "fold", "accuracy"]
    assert list(table.columns[-5:]) == ["seconds", "commit", "device", "versions", "date"]
    assert table["accuracy"].tolist() == pytest.approx([1 / 3] * 4, abs=1e-6)


def test_a_run_may_give_several_rows_with_new_columns(tmp_path):
    runs = Runs(tmp_path / "s.csv", ["seed"])
    runs.do([{"seed": 0}], lambda seed: [{"x": 1.0}, {"x": 2.0}])
    runs.do([{"seed": 1}], lambda seed: {"y": "new"})
    table = pd.read_csv(tmp_path / "s.csv")
    assert table["seed"].tolist() == [0, 0, 1]
    assert table["y"].tolist()[2] == "new"
    assert table["x"].isna().tolist() == [False, False, True]
    assert list(table.columns[-1:]) == ["date"]


def test_another_studys_file_is_refused(tmp_path):
    Runs(tmp_path / "s.csv", ["seed"]).do([{"seed": 0}], lambda seed: {"x": 1.0})
    with pytest.raises(DatasetError, match="missing"):
        Runs(tmp_path / "s.csv", ["fold"])


@dataclasses.dataclass(frozen=True)
class Lengths(TableStudy):
    """How long are the texts of a folder?

    A study as another package may have one.
    """

    name = "lengths"
    keys = ("unit",)
    sources = ("data",)
    selection = ("units",)

    data: str = ""  # folder of texts
    units: tuple[str, ...] = ("bytes", "lines")  # in which they are measured
    factor: float = 1.0  # of every length

    def plan(self):
        return [{"unit": unit} for unit in self.units]

    def prepare(self, out):
        import pathlib

        texts = [f.read_text() for f in sorted(pathlib.Path(self.data).glob("*.txt"))]
        done.append(len(texts))
        measures = {"bytes": len, "lines": lambda text: text.count("\n")}
        return lambda unit: {"length": self.factor * sum(map(measures[unit], texts))}


done: list[int] = []


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.txt").write_text("four\n")
    done.clear()
    return folder


def test_rows_of_other_data_are_measured_anew_and_the_old_table_is_kept(texts, tmp_path, caplog):
    study, out = Lengths(str(texts)), tmp_path / "out"
    first = study.run(out).read_text()
    assert pd.read_csv(out / "lengths.csv")["length"].tolist() == [10, 2]
    assert study.run(out).read_text() == first
    assert done == [2]  # nothing was read again
    (texts / "a.txt").unlink()
    with caplog.at_level(logging.WARNING):
        Lengths(str(texts)).run(out)
    assert pd.read_csv(out / "lengths.csv")["length"].tolist() == [5, 1]
    assert (out / "lengths_before_1.csv").read_text() == first
    assert len(caplog.messages) == 1
    assert "lengths_before_1.csv" in caplog.messages[0]


def test_other_settings_are_another_run_and_more_runs_are_not(texts, tmp_path):
    out = tmp_path / "out"
    Lengths(str(texts), units=("bytes",)).run(out)
    Lengths(str(texts)).run(out)
    assert not (out / "lengths_before_1.csv").exists()
    assert len(pd.read_csv(out / "lengths.csv")) == 2
    Lengths(str(texts), units=("bytes",), factor=0.1).run(out)
    assert pd.read_csv(out / "lengths.csv")["length"].tolist() == [1]
    moved = texts.rename(tmp_path / "elsewhere")  # contents count, not places
    Lengths(str(moved), units=("bytes",), factor=0.1).run(out)
    assert not (out / "lengths_before_2.csv").exists()


@dataclasses.dataclass(frozen=True)
class Brightness(TableStudy):
    """How bright does each style draw? Weights are texts; a table beside has a row for every picture."""

    name = "brightness"
    keys = ("style",)
    weights: str = ""

    def plan(self):
        return [{"style": "ink"}, {"style": "comic"}]

    def depends_on(self, **run):
        return (Path(self.weights) / run["style"]).read_text()

    def prepare(self, out):
        details = self.runs(out, "_pictures")

        def draw(style):
            light = float((Path(self.weights) / style).read_text())
            each = [{"picture": name, "light": light} for name in ("a.png", "b.png")]
            details.add({"style": style}, *each, seconds=0, stamp=False)
            return {"light": light}

        return draw


def test_details_of_replaced_weights_go_and_the_others_stay(tmp_path):
    for style, light in (("ink", "0.9"), ("comic", "0.5")):
        (tmp_path / style).write_text(light)
    Brightness(str(tmp_path)).run(tmp_path / "out")
    (tmp_path / "ink").write_text("0.8")
    Brightness(str(tmp_path)).run(tmp_path / "out")
    pictures = pd.read_csv(tmp_path / "out" / "brightness_pictures.csv")
    found = {(r.style, r.picture): r.light for r in pictures.itertuples()}
    assert len(pictures) == 4
    assert found == {
        ("ink", "a.png"): 0.8,
        ("ink", "b.png"): 0.8,
        ("comic", "a.png"): 0.5,
        ("comic", "b.png"): 0.5,
    }


def test_rows_of_a_run_take_the_place_of_its_older_ones(tmp_path):
    """A run that was stopped between its details and its row is done again."""
    for light in (0.9, 0.8):
        Runs(tmp_path / "pictures.csv", ["style"]).add({"style": "ink"}, {"light": light}, seconds=0)
    assert pd.read_csv(tmp_path / "pictures.csv")["light"].tolist() == [0.8]


def test_a_table_without_keys_can_be_read_and_is_never_overwritten(texts, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    old = "unit,length\nbytes,7\n"
    (out / "lengths.csv").write_text(old)
    assert Runs(out / "lengths.csv", ("unit",)).rows == [{"unit": "bytes", "length": "7"}]
    Lengths(str(texts)).run(out)
    assert (out / "lengths_before_1.csv").read_text() == old
    assert pd.read_csv(out / "lengths.csv")["length"].tolist() == [10, 2]


def test_numbers_are_written_in_full(tmp_path):
    path = Runs(tmp_path / "s.csv", ["seed"]).do([{"seed": 0}], lambda seed: {"x": 0.1 + 0.2})
    assert pd.read_csv(path, float_precision="round_trip")["x"][0] == 0.1 + 0.2


def test_studies_are_found_by_name_and_say_what_they_ask():
    assert {"mood_shift", "stylizers", "video", "dkse"} <= set(STUDIES.names())
    assert STUDIES.get("spectra").question().startswith("Do spectra tell photos from drawn pictures")
    with pytest.raises(UnknownNameError, match="study 'astrology'"):
        STUDIES.get("astrology")


def test_a_study_is_a_command_with_its_options(texts, tmp_path, capsys):
    from workbench import cli

    command = ["study", "lengths", "--data", str(texts), "--units", "lines", "--factor", "2"]
    with STUDIES.trying():
        STUDIES.add("lengths", Lengths)
        with pytest.raises(SystemExit) as end:
            cli.main([*command, "--out", str(tmp_path / "out")])
    assert not end.value.code
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "lengths.csv")
    assert pd.read_csv(tmp_path / "out" / "lengths.csv")["length"].tolist() == [4]


@dataclasses.dataclass(frozen=True)
class Guess(ComparisonStudy):
    """How good is the commonest class?"""

    name = "guess"
    baseline = "majority"
    data: str
    split_seeds: tuple[int, ...] = (0,)
    samples: int = 20
    config: None = None

    def folds_per_split(self):
        return 2

    def estimators(self, out):
        return {"majority": MajorityClass()}


def test_without_painters_like_pictures_are_tested_together(tmp_path):
    folder = tmp_path / "pictures"
    shown = {"a": ("astronaut", "coffee", "cat", "camera"), "b": ("coins", "brick", "page", "text")}
    for label, names in shown.items():
        (folder / label).mkdir(parents=True)
        for name in names:
            picture = Image.fromarray(getattr(skimage.data, name)()).convert("RGB").resize((240, 240))
            for quality in (95, 85):  # each and its copy
                picture.save(folder / label / f"{name}_{quality}.jpg", quality=quality)
    Guess(str(folder)).run(tmp_path / "out")
    answers = pd.read_csv(tmp_path / "out" / "guess_predictions.csv")
    assert len(answers) == 16
    pairs = answers.assign(picture=answers["path"].str.rsplit("_").str[0]).groupby("picture")
    assert len(pairs) == 8
    assert (pairs["fold"].nunique() == 1).all()
    assert (pairs["group"].nunique() == 1).all()
    assert answers["group"].nunique() > 4

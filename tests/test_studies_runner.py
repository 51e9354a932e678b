import pandas as pd
import pytest

from workbench.core.errors import DatasetError
from workbench.core.runs import Runs


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

"""The bench on tiny inputs: what it counts, not how fast this machine is."""

import itertools
import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from workbench import bench, cli
from workbench.core.runs import read_rows
from workbench.models import weights
from workbench.studies.collection_speed import growth
from workbench.styles.names import DEFAULT_STYLE


def test_gmacs_by_hand():
    assert bench.gmacs(nn.Conv2d(3, 8, 3, padding=1), 10) == pytest.approx(3 * 8 * 9 * 100 / 1e9)
    depthwise = nn.Conv2d(3, 6, 5, padding=2, groups=3)
    assert bench.gmacs(depthwise, 10) == pytest.approx(6 * 25 * 100 / 1e9)


def test_a_tiny_run_has_every_number_and_reads_as_json_and_as_a_table(monkeypatch):
    monkeypatch.setattr(bench, "conv_throughput", lambda: 10.0)
    threads = torch.get_num_threads()
    result = bench.bench_stylizers(
        ["fsgan_small", "whitebox"], sizes=(16, 32), threads=1, rounds=2, memory=False
    )
    assert torch.get_num_threads() == threads
    assert [row["name"] for row in result["networks"]] == ["fsgan_small", "whitebox", "animeganv2"]
    rows = {row["name"]: row for row in json.loads(json.dumps(result))["networks"]}
    assert rows["animeganv2"]["ratio"] == {"16": 1.0, "32": 1.0}
    assert rows["whitebox"]["parameters"] == 1_467_075
    for row in rows.values():
        growth_of_work = row["gmacs"]["32"] / row["gmacs"]["16"]
        if row["name"] == "fsgan_small":  # its borders are worked on twice
            assert 3.6 < growth_of_work < 4
        else:
            assert growth_of_work == pytest.approx(4)
        assert len(row["seconds"]["32"]) == 2
        assert min(row["seconds"]["16"]) > 0
        assert row["share"]["32"] > 0
        assert row["layout"] in ("channels_last", "default")
    lines = bench.table(result)
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1
    assert lines[2][:2] == ("whitebox", "1.47")
    assert rows["whitebox"]["whitebox_ratio"] == {"16": 1.0, "32": 1.0}
    assert rows["whitebox"]["runtime"] == "torch"
    assert len(result["load"]) == 2
    assert "commit" in result


def test_shipped_stylizers_have_a_row_a_runtime(monkeypatch):
    names = bench.contenders()
    pytest.importorskip("onnxruntime")
    assert [n for n in names if n.startswith("fsgan_comic")] == [
        "fsgan_comic",
        "fsgan_comic, torch-bf16",
        "fsgan_comic, onnx",
    ]
    shipped = weights.trained("stylizer", weights.SHIPPED)
    assert [n for n in names if "," not in n] == [
        *sorted(shipped, key=lambda n: n != DEFAULT_STYLE),
        *bench.PEERS,
    ]
    assert "fsgan_bold, onnx" not in names  # the comic's architecture: other weights gain as much
    assert "fsgan_ink, onnx" in names
    assert names[-3:] == list(bench.PEERS)
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None)
    assert not [name for name in bench.contenders() if "onnx" in name]


@pytest.mark.slow
def test_a_row_a_runtime(monkeypatch, tmp_path):
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bench, "conv_throughput", lambda: 10.0)
    names = ["fsgan_comic", "fsgan_comic, torch-bf16", "fsgan_comic, onnx"]
    result = bench.bench_stylizers(names, sizes=(32,), threads=1, rounds=1, memory=False)
    first, *others, _ = result["networks"]
    assert [row["runtime"] for row in others] == ["torch-bf16", "onnx"]
    for row in others:
        assert (first["parameters"], first["gmacs"]) == (row["parameters"], row["gmacs"])
        assert row["whitebox_ratio"] == {}
    assert len(bench.table(result)[1]) == len(bench.table(result)[0])


class Clock:
    """Time as the bench sees it: another thread of the process computes until ``busy_until`` seconds."""

    def __init__(self, busy_until: float):
        self.now, self.busy_until = 0.0, busy_until

    def perf_counter(self) -> float:
        return self.now

    def process_time(self) -> float:
        return min(self.now, self.busy_until)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Noting(nn.Module):
    """A network that notes that it was called."""

    def __init__(self, note):
        super().__init__()
        self.note = note

    def forward(self, x):
        self.note(x.shape[-1])
        return x


def test_a_pass_starts_when_no_other_thread_computes(monkeypatch):
    clock = Clock(busy_until=0.3)
    monkeypatch.setattr(bench, "time", clock)
    starts = []
    network = Noting(lambda size: starts.append(clock.now))
    assert bench.latency(network, torch.zeros(1, 3, 4, 4)) == 0.0  # the wait is not part of it
    assert starts[0] >= 0.3
    assert bench.wait_until_idle()


def test_the_wait_for_a_thread_that_does_not_stop_ends_with_a_warning(monkeypatch, caplog):
    clock = Clock(busy_until=1e9)
    monkeypatch.setattr(bench, "time", clock)
    assert not bench.wait_until_idle(at_most=0.5)
    assert clock.now == pytest.approx(0.5, abs=0.05)
    assert "does not stop computing" in caplog.text


def test_no_network_is_always_timed_after_the_same_other(monkeypatch):
    names, calls = ["a", "b", "c", "d", "animeganv2"], []
    monkeypatch.setattr(
        bench, "build", lambda name: Noting(lambda size: calls.append(name) if size == 12 else None)
    )
    monkeypatch.setattr(bench, "conv_throughput", lambda: 10.0)
    result = bench.bench_stylizers(names, sizes=(8, 12), threads=1, rounds=4, memory=False)
    assert [row["name"] for row in result["networks"]] == names  # whatever the order they were timed in
    assert all(len(row["seconds"][12]) == 4 for row in result["networks"])
    rounds = [calls[start : start + 5] for start in range(0, len(calls), 5)][-5:]
    assert all(sorted(turn) == sorted(names) for turn in rounds)
    before = {
        name: {a for turn in rounds for a, b in itertools.pairwise(turn) if b == name} for name in names
    }
    assert all(len(others) > 1 for others in before.values())
    places = {name: {turn.index(name) for turn in rounds} for name in names}
    assert all(len(found) == 5 for found in places.values())


def test_ratio_is_the_median_over_rounds_of_the_reference_by_the_network(monkeypatch):
    ticks = {"whitebox": iter([9.0, 1.0, 2.0, 4.0]), "animeganv2": iter([9.0, 8.0, 8.0, 8.0])}

    def measure(names, sizes, rounds):
        rows = []
        for name in names:
            warm_up, *seconds = (next(ticks[name]) for _ in range(rounds + 1))
            assert warm_up == 9.0
            rows.append(bench.Row(name, 1, "default", {16: 2.0}, {16: seconds}, {}, {}))
        return rows, 10.0

    monkeypatch.setattr(bench, "measure_rounds", measure)
    result = bench.bench_stylizers(["whitebox"], sizes=(16,), rounds=3, memory=False)
    assert result["networks"][0]["ratio"][16] == 4.0  # of 8, 4 and 2
    assert result["networks"][0]["share"][16] == pytest.approx(2.0 / 2.0 / 10.0)


def test_peak_memory_sees_a_large_activation():
    program = """
from torch import nn
from workbench import bench, cli
from workbench.core.runs import read_rows
from workbench.studies.collection_speed import growth

class Wide(nn.Module):
    def forward(self, x):
        return x.expand(40, *x.shape[1:]).clone()  # 40 × 3 × 512² × 4 bytes = 126 MB

bench.build = lambda name: Wide()
print(bench.extra_memory("wide", 512, "channels_last", 1))
"""  # in a process of its own, as it is used: other threads would give memory back meanwhile
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(126, rel=0.2)


@pytest.mark.slow
def test_peak_memory_in_its_own_process():
    # three float32 maps of 16 channels at full resolution, whatever else: 50 MB
    assert 50 < bench.peak_memory("fsgan_small", 512, "channels_last", 1) < 500
    with pytest.raises(RuntimeError, match="Unknown architecture"):
        bench.peak_memory("no_such_network", 64, "default", 1)


def test_throughput_is_positive():
    assert bench.conv_throughput(seconds=0.01) > 0


@pytest.mark.parametrize(
    ("power", "words"), [(0.5, "slower"), (1.0, "in proportion"), (1.5, "faster than"), (2.0, "the square")]
)
def test_growth_is_the_exponent_of_the_time(power, words):
    rows = [
        {
            "pictures": str(n),
            "size": "64",
            "step": "map",
            "pictures_per_core_second": str(n / n**power),
            "peak_mb": "9",
        }
        for n in (1000, 10, 100)
    ]
    (found,) = growth(rows)
    assert found["exponent"] == pytest.approx(power)
    assert (found["fewest"], found["most"], found["peak_mb"]) == (100, 1000, 9)
    assert words in found["growth"]
    assert growth(rows[:1]) == []


def test_steps_of_a_collection_are_measured_one_by_one(tmp_path, capsys):
    out = tmp_path / "collection_speed.csv"
    call = ["bench", "collection", "--out", str(out), "--size", "64", "--count", "3", "--count", "6"]
    with pytest.raises(SystemExit) as stopped:
        cli.main([*call, "--step", "neighbours"])
    assert stopped.value.code == 0
    assert "neighbours  3       6" in capsys.readouterr().out
    assert [(row["pictures"], row["step"]) for row in read_rows(out)] == [
        ("3", "neighbours"),
        ("6", "neighbours"),
    ]
    assert all(float(row["pictures_per_second"]) > 0 for row in read_rows(out))
    assert (tmp_path / "collection_speed_growth.csv").is_file()
    with pytest.raises(SystemExit) as stopped:
        cli.main([*call, "--step", "neighbors"])
    assert stopped.value.code == 2
    assert "Unknown step 'neighbors'" in capsys.readouterr().err

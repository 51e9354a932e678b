"""What every floor stands on: keys, caches, files, registries, options, devices, pixels."""

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from workbench import models
from workbench.cli.common import with_options
from workbench.core import cards, devices, options, pixels, registry
from workbench.core.cache import Cache, digest, key
from workbench.core.errors import UnknownNameError, WeightsError, WorkbenchError
from workbench.core.files import file_digest, replacing, write_whole


@dataclasses.dataclass(frozen=True)
class Brush:
    size: int = 3  # of a hair, in pixels


@dataclasses.dataclass(frozen=True)
class Drawing:
    photos: str  # folder of photos
    strength: Annotated[float, options.Range(0, 1, step=0.05)] = 1.0  # 1 is the drawing, 0 the photo
    # what runs
    # the network
    runtime: Literal["torch", "onnx"] = "torch"
    validate_every: Annotated[int, options.Range(minimum=1)] = 250  # steps between validations
    minutes: float | None = None  # time budget
    sharpen: bool = False  # sharpen at the end
    seeds: tuple[int, ...] = (0,)  # of the splits
    brush: Brush = dataclasses.field(default_factory=Brush)  # of the teacher
    extra: dict = dataclasses.field(default_factory=dict)  # of the recipe


DISTINCT = [
    None,
    0,
    0.0,
    False,
    "",
    b"",
    "0",
    [],
    [[]],
    {},
    ["ab"],
    ["a", "b"],
    [1, [2, 3]],
    [[1, 2], 3],
    {"a": 1},
    {"a": "1"},
    set(),
    {1, 2},
    np.zeros(2, np.float32),
    np.zeros(2, np.float64),
    np.zeros((2, 1)),
    np.array(["a", "b"], object),
    float("nan"),
    Brush(),
    Brush(4),
]


def test_different_values_have_different_digests():
    digests = [digest(value) for value in DISTINCT]
    assert len(set(digests)) == len(DISTINCT)
    assert all(len(d) == 32 for d in digests)


def test_a_digest_knows_contents_and_not_their_place_or_order(tmp_path):
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest((1, 2)) == digest([1, 2])
    assert digest([1, 2]) != digest([2, 1])
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.txt").write_bytes(b"ink")
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    assert digest(tmp_path / "one" / "a.txt") == digest(tmp_path / "two" / "a.txt")
    (tmp_path / "two" / "b.txt").write_bytes(b"")
    assert digest(tmp_path / "one") != digest(tmp_path / "two")
    assert digest(torch.ones(3)) == digest(np.ones(3, np.float32))


def test_a_digest_is_the_same_in_another_process(tmp_path):
    import subprocess
    import sys

    code = "from workbench.core.cache import digest; print(digest({'b': {3, 1, 2}, 'a': ('x', 1.5)}))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == digest({"a": ("x", 1.5), "b": {1, 2, 3}})


def test_what_cannot_be_digested_is_refused():
    with pytest.raises(TypeError, match=r"got function"):
        digest({"a": lambda: 1})


def test_a_key_changes_with_version_settings_and_data():
    keys = {key("s", 1, {"a": 1}, x=1), key("s", 2, {"a": 1}, x=1), key("s", 1, {"a": 2}, x=1)}
    keys |= {key("s", 1, {"a": 1}, x=2), key("t", 1, {"a": 1}, x=1)}
    assert len(keys) == 5


def test_a_cache_makes_what_is_not_there_and_a_damaged_file_anew(tmp_path):
    cache = Cache(tmp_path)
    name = key("step", 1)
    made = cache.arrays(name, lambda: {"x": np.arange(3)})
    again = cache.arrays(name, lambda: {"x": np.zeros(9)})
    np.testing.assert_array_equal(made["x"], [0, 1, 2])
    np.testing.assert_array_equal(again["x"], [0, 1, 2])
    cache.path(name, ".npz").write_bytes(b"PK half of it")
    np.testing.assert_array_equal(cache.arrays(name, lambda: {"x": np.arange(4)})["x"], [0, 1, 2, 3])
    assert cache.json(key("j", 1), lambda: {"name": "恽寿平"}) == {"name": "恽寿平"}
    assert cache.json(key("j", 1), lambda: None) == {"name": "恽寿平"}


def test_pruning_keeps_what_is_wanted_and_what_is_somebody_elses(tmp_path):
    cache = Cache(tmp_path)
    old, new = key("step", 1, "old"), key("step", 1, "new")
    for name in (old, new):
        cache.json(name, lambda: 1)
    (tmp_path / "my-notes.txt").write_text("mine")
    cache.prune({new})
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([f"{new}.json", "my-notes.txt"])


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a" / "table.csv"
    write_whole(b"old", path)

    def interrupted():
        with replacing(path) as partial:
            partial.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    with replacing(path) as partial:
        assert partial.suffix == ".csv"
        partial.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["table.csv"]


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("畫" * 83 + ".json")  # 254 of 255 bytes
    write_whole(b"{}", path)
    assert path.read_bytes() == b"{}"


def test_what_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WorkbenchError, match=r"cannot be written .*Check the path, its permissions"):
        write_whole(b"", tmp_path / "file" / "table.csv")


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.txt").write_bytes(b"old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    write_whole(b"new", tmp_path / "link.txt")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_bytes() == b"new"


def test_a_file_digest_follows_the_contents(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    assert file_digest(path) == hashlib.sha256(b"one").hexdigest()
    path.write_bytes(b"three")
    assert file_digest(path) == hashlib.sha256(b"three").hexdigest()
    with pytest.raises(WorkbenchError, match=r"Expected a file"):
        file_digest(tmp_path / "none")


def test_a_card_is_parsed_once_and_again_when_its_file_changes(tmp_path):
    for suffix in (".json", ".safetensors"):
        source = cards.SHIPPED / f"fsgan_comic{suffix}"
        (tmp_path / f"fsgan_comic{suffix}").write_bytes(source.read_bytes())
    path = tmp_path / "fsgan_comic.safetensors"
    first = cards.card(path)
    first.training["changed"] = "by the caller"
    assert "changed" not in cards.card(path).training
    text = path.with_suffix(".json").read_text(encoding="utf-8")
    path.with_suffix(".json").write_text(text.replace(first.title, "Another title"), encoding="utf-8")
    assert cards.card(path).title == "Another title"
    path.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"Expected the card fsgan_comic\.json"):
        cards.card(path)


def test_listing_architectures_imports_none_of_them():
    import subprocess
    import sys

    code = (
        "import sys; from workbench.core.registry import decorated; "
        "print(decorated('workbench.models')['mafr_resnet50'].module, 'torch' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["workbench.models.mafr", "False"]
    assert {"fsgan_small", "afgan_small", "whitebox"} <= set(models.names("generator"))


def test_a_registry_names_what_it_knows():
    things = registry.Registry("brush")
    things.add("wolf", 1)
    assert things.names() == ["wolf"]
    assert "wolf" in things
    assert "goat" not in things
    with pytest.raises(UnknownNameError, match=r"Unknown brush 'goat'\. Known: wolf\."):
        things.get("goat")


@dataclasses.dataclass(frozen=True)
class Base:
    steps: int = 10  # of all phases
    rate: float = 0.1  # per step


@dataclasses.dataclass(frozen=True)
class Changed(Base):
    steps: int = 20
    rate: float = 0.2  # per epoch


def test_an_inherited_field_keeps_its_comment_unless_it_has_another():
    assert {o.name: (o.default, o.help) for o in options.options(Changed)} == {
        "steps": (20, "of all phases"),
        "rate": (0.2, "per epoch"),
    }


def test_options_are_read_from_fields_and_comments():
    known = {o.name: o for o in options.options(Drawing)}
    assert known["photos"].required
    assert known["photos"].help == "folder of photos"
    assert known["runtime"].choices == ("torch", "onnx")
    assert known["runtime"].help == "what runs the network"
    assert known["strength"].range == options.Range(0, 1, 0.05)
    assert known["validate_every"].flag == "--validate-every"
    assert known["minutes"].optional
    assert known["seeds"].many


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"photos": "p", "strength": 1.5}, r"Expected strength to be between 0 and 1 but got 1\.5"),
        ({"photos": "p", "strength": float("nan")}, r"Expected strength"),
        ({"photos": "p", "validate_every": 0}, r"Expected validate_every to be at least 1 but got 0"),
        ({"photos": "p", "validate_every": 2.5}, r"a whole number"),
        ({"photos": "p", "validate_every": True}, r"a whole number"),
        ({"photos": "p", "runtime": "tvm"}, r"Unknown runtime 'tvm'\. Known: onnx, torch"),
        ({"photos": "p", "steps": 3}, r"Unknown setting 'steps'"),
        ({"photos": "p", "brush": {"hair": 1}}, r"Unknown setting 'hair'\. Known: size"),
        ({"photos": "p", "seeds": "12"}, r"Expected seeds to be a list"),
        ({}, r"Expected photos \(folder of photos\) but it is missing"),
    ],
)
def test_wrong_options_are_refused_in_words(changes, message):
    with pytest.raises(WorkbenchError, match=message):
        options.build(Drawing, changes)


def test_a_recorded_command_gives_the_same_config_back():
    config = options.build(
        Drawing,
        {
            "photos": "my photos",
            "strength": 0.5,
            "runtime": "onnx",
            "sharpen": True,
            "seeds": [3, 4],
            "minutes": 2,
            "brush": {"size": 7},
            "extra": {"w_lines": 6.0},
        },
    )
    line = options.command("draw", config)
    seen = []
    app = typer.Typer()

    @app.command()
    @with_options(drawing=Drawing)
    def draw(drawing: Drawing, name: str = "x") -> None:
        """Draw."""
        seen.append((drawing, name))

    import shlex

    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output
    assert seen == [(config, "x")]
    assert options.command("draw", options.build(Drawing, {"photos": "p"})) == "draw --photos p"
    hidden = options.command("draw", config, shown={"photos": "PHOTOS"}, leave_out={"minutes"})
    assert hidden.startswith("draw --photos PHOTOS --strength 0.5 --runtime onnx")
    assert "--minutes" not in hidden


@dataclasses.dataclass(frozen=True)
class Table:
    drawing: Changed = Changed(steps=7)  # how it is drawn


def test_changes_of_a_nested_config_are_to_its_own_default():
    """Not to what its class would be by itself; the recorded command gives the same back."""
    table = options.build(Table, {"drawing": {"rate": 0.5}})
    assert table.drawing == Changed(steps=7, rate=0.5)
    back = options.build(Table, {"drawing": {"steps": 20}})  # as its class has it, and the table has not
    assert options.command("table", back) == "table --drawing '{\"steps\": 20}'"
    assert options.command("table", Table()) == "table"


def test_flags_show_help_limits_and_choices():
    app = typer.Typer()
    app.command()(with_options(drawing=Drawing)(lambda drawing: None))
    runner = CliRunner()
    text = runner.invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    for expected in (
        "1 is the drawing, 0 the photo",
        "torch|onnx",
        "--sharpen",
        "--no-sharpen",
        "[required]",
    ):
        assert expected in text
    with pytest.raises(WorkbenchError, match=r"Expected strength to be between 0 and 1 but got 2\.0"):
        runner.invoke(app, ["--photos", "p", "--strength", "2"], catch_exceptions=False)


def test_the_device_is_the_one_asked_for(monkeypatch):
    assert devices.resolve("cpu") == torch.device("cpu")
    monkeypatch.setenv("WORKBENCH_DEVICE", "cpu")
    assert devices.resolve() == torch.device("cpu")
    with pytest.raises(WorkbenchError, match=r"Expected a device of auto, cpu, cuda, mps"):
        devices.resolve("tpu")
    devices.choose("cuda:1")
    assert os.environ["WORKBENCH_DEVICE"] == "cuda:1"
    devices.choose(None)
    assert os.environ["WORKBENCH_DEVICE"] == "cuda:1"
    with pytest.raises(WorkbenchError, match=r"Expected a device of auto, cpu, cuda, mps"):
        devices.choose("cpu:3")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.resolve("auto") == torch.device("cpu")
    for name in ("cuda", "mps"):
        with pytest.raises(WorkbenchError, match=r"but this machine has: cpu"):
            devices.resolve(name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert devices.resolve("auto") == torch.device("cuda")
    with pytest.raises(WorkbenchError, match=r"Expected the device cuda:1"):
        devices.resolve("cuda:1")


def test_out_of_memory_halves_the_batch_and_goes_on():
    sizes, done = [], []

    def run(batch):
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return [x * x for x in batch]

    assert devices.in_batches(run, range(7), 8, done.append) == [x * x for x in range(7)]
    assert sizes == [7, 4, 2, 2, 2, 1]
    assert done == [2, 4, 6, 7]
    with pytest.raises(torch.OutOfMemoryError):
        devices.in_batches(lambda batch: run([1, 2, 3]), range(3), 3)
    with pytest.raises(ZeroDivisionError):
        devices.in_batches(lambda batch: [1 / 0 for _ in batch], range(3), 3)
    assert devices.in_batches(run, [], 4) == []


def test_pixels_go_to_tensors_and_back():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    tensor = pixels.to_tensor(picture)
    assert tensor.shape == (1, 3, 5, 7)
    assert float(pixels.to_tensor(np.full((1, 1, 3), 255, np.uint8)).max()) == 1.0
    assert float(pixels.to_tensor(np.zeros((1, 1, 3), np.uint8)).min()) == -1.0
    np.testing.assert_array_equal(pixels.to_pixels(tensor)[0], picture)
    np.testing.assert_array_equal(pixels.to_pixels(torch.full((1, 3, 1, 1), 9.0)), [[[[255, 255, 255]]]])
    np.testing.assert_allclose(
        pixels.luma(np.uint8([[255, 0, 0], [0, 255, 0]])), [76.245, 149.685], atol=1e-3
    )
    with pytest.raises(ValueError, match=r"Expected pixels \(H, W, 3\) of uint8"):
        pixels.to_tensor(picture.astype(float))


def test_region_means_are_the_means():
    values = np.float64([[[1, 10], [3, 20]], [[5, 30], [7, 50]]])
    means = pixels.region_means(values, np.array([[0, 0], [1, 1]]))
    np.testing.assert_allclose(means, [[2, 15], [6, 40]])
    halves = np.zeros((32, 32, 3), np.uint8)
    halves[:, 16:] = 255
    labels = pixels.region_labels(halves, scale=50, sigma=0, min_size=20)
    np.testing.assert_array_equal(labels, np.repeat([[0] * 16 + [1] * 16], 32, axis=0))


def test_a_digest_of_a_relative_path_is_its_files(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    assert digest(Path("a")) == digest(tmp_path / "a")
    assert os.getcwd() == str(tmp_path)


def test_a_read_only_home_has_a_cache_elsewhere(tmp_path, monkeypatch, caplog):
    from workbench.core.cache import user_cache

    (tmp_path / "file").write_text("no folder can be made below this")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = user_cache("kind")
    (folder / "a").write_text("kept")
    assert folder.parent.parent == tmp_path
    assert user_cache("kind") == folder
    assert "cannot be written" in caplog.text


def test_a_commit_is_named_even_where_git_cannot_say_what_changed(monkeypatch):
    """On a busy machine the look at every file may take too long: the row still names its commit."""
    import subprocess

    from workbench.core import provenance

    def slow(command, **_):
        if "status" in command:
            raise subprocess.TimeoutExpired(command, 60)
        return subprocess.CompletedProcess(command, 0, "0123456789ab\n")

    monkeypatch.setattr(provenance.subprocess, "run", slow)
    assert provenance.commit() == "0123456789ab+"


def test_outside_a_checkout_no_commit_is_named(monkeypatch):
    import subprocess

    from workbench.core import provenance

    def refuse(command, **_):
        raise subprocess.CalledProcessError(128, command)

    monkeypatch.setattr(provenance.subprocess, "run", refuse)
    assert provenance.commit() == ""

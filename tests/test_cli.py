"""The commands as a user types them: files, folders, JSON, exit codes, one line for each error."""

import json
import re
import resource
import subprocess
import sys
import types
import unicodedata

import numpy as np
import pytest
from PIL import Image
from stylizers import save_tiny, save_tiny_portrait

from workbench import __version__, cli
from workbench.core.errors import UnknownNameError
from workbench.models import weights
from workbench.styles.options import VideoLimits
from workbench.styles.stylize import DEFAULT_STYLE


@pytest.fixture
def run(tmp_path_factory, monkeypatch, capsys):
    """Run a command line in this process on a weights folder of tiny models: (exit code, stdout, stderr)."""
    folder = tmp_path_factory.mktemp("weights")
    save_tiny(folder, DEFAULT_STYLE)
    save_tiny(folder, "mood", kind="classifier", licence="CC0-1.0")
    monkeypatch.setattr(weights, "SHIPPED", folder)
    return caller(capsys)


@pytest.fixture
def run_shipped(capsys):
    """The same with the weights that come with the package."""
    return caller(capsys)


def caller(capsys):
    def call(*arguments):
        with pytest.raises(SystemExit) as stop:
            cli.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return call


def photo(path, seed=0, size=(12, 9)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), np.uint8)).save(path)
    return path


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def one_error_line(err: str) -> bool:
    return err.startswith("error: ") and err.count("\n") == 1


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys, workbench.cli\n"
        "heavy = {'torch', 'gradio', 'cv2', 'timm', 'numpy', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "workbench.cli.main(['--help'])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("stylize", "classify", "models", "bench", "train"):
        assert command in done.stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 2  # CPU seconds, which a busy machine does not stretch much


def test_version(run):
    assert run("--version") == (0, f"workbench {__version__}\n", "")


def test_stylize_a_file(run, tmp_path):
    source = photo(tmp_path / "a.png")
    out = tmp_path / "new" / "b.png"
    assert run("stylize", source, out) == (0, f"{out}\n", "")
    assert pixels(out).shape == (9, 12, 3)
    assert (pixels(out) != pixels(source)).any()
    assert [p.name for p in out.parent.iterdir()] == ["b.png"]  # no partial file is left


def test_stylize_style_strength_and_own_weights(run, tmp_path):
    source = photo(tmp_path / "a.png")
    out = tmp_path / "b.png"
    assert run("stylize", source, out, "--style", "colormatrix_negative")[0] == 0
    np.testing.assert_array_equal(pixels(out), 255 - pixels(source))
    assert run("stylize", source, out, "--style", "colormatrix_negative", "--strength", "0")[0] == 0
    np.testing.assert_array_equal(pixels(out), pixels(source))
    own = save_tiny(tmp_path / "own", "mine", seed=9)
    assert run("stylize", source, out, "--style", own)[0] == 0
    assert (pixels(out) != pixels(source)).any()


@pytest.mark.parametrize(
    ("name", "kind"),
    [("b.jpg", "JPEG"), ("b.webp", "WEBP"), ("b.BMP", "BMP"), ("b.tif", "TIFF"), ("b", "PNG")],
)
def test_output_format_follows_the_suffix(run, tmp_path, name, kind):
    source = photo(tmp_path / "a.png")
    assert run("stylize", source, tmp_path / name, "--style", "affine_tilt")[0] == 0
    assert Image.open(tmp_path / name).format == kind


def test_file_into_an_existing_folder(run, tmp_path):
    source = photo(tmp_path / "a.jpg")
    (tmp_path / "out").mkdir()
    assert run("stylize", source, tmp_path / "out", "--style", "affine_tilt")[0] == 0
    assert Image.open(tmp_path / "out" / "a.png").format == "PNG"


def test_a_picture_without_a_face_is_named_in_a_portrait_style(run, tmp_path):
    from skimage import data

    folder = tmp_path / "people"
    folder.mkdir()
    Image.fromarray(data.astronaut()[:300, 60:380]).save(folder / "astronaut.png")
    Image.fromarray(data.coffee()[:120, :160]).save(folder / "coffee.png")
    style = save_tiny_portrait(tmp_path / "weights", mask=9.0)
    code, out, err = run("stylize", folder, tmp_path / "out", "--style", style)
    assert code == 1, err
    assert out == f"1 of 2 pictures written to {tmp_path / 'out'}\n"
    assert "coffee.png: Expected a picture with a face" in err
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["astronaut.png"]
    code, _, err = run("stylize", folder, tmp_path / "out2", "--style", style, "--runtime", "onnx")
    assert (code, err.count("\n")) == (2, 1)
    assert "Expected the runtime torch but got onnx" in err
    assert not (tmp_path / "out2").exists()


def test_stylize_a_folder_keeps_paths_and_reports_what_failed(run, tmp_path):
    source = tmp_path / "in"
    for name in ("a.jpg", "sub/deep/b.png", "same.jpg", "same.png"):
        photo(source / name)
    (source / "sub" / "broken.png").write_bytes(b"no picture")
    (source / "notes.txt").write_text("not listed")
    code, out, err = run("stylize", source, tmp_path / "out", "--style", "colormatrix_negative")
    assert code == 1
    written = sorted(
        str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()
    )
    assert written == ["a.png", "same.jpg.png", "same.png.png", "sub/deep/b.png"]
    np.testing.assert_array_equal(
        pixels(tmp_path / "out/sub/deep/b.png"), 255 - pixels(source / "sub/deep/b.png")
    )
    assert "4 of 5 pictures written" in out
    assert "1 not done" in err
    assert "sub/broken.png: " in err
    (source / "sub" / "broken.png").unlink()
    assert run("stylize", source, tmp_path / "out", "--style", "colormatrix_negative")[0] == 0


def test_output_folder_inside_the_input_is_not_taken_for_input(run, tmp_path):
    photo(tmp_path / "a.png")
    for _ in range(2):
        code, out, _ = run("stylize", tmp_path, tmp_path / "out", "--style", "affine_tilt")
        assert code == 0
        assert "1 of 1" in out


def test_the_input_is_never_overwritten(run, tmp_path):
    source = photo(tmp_path / "a.png")
    before = source.read_bytes()
    (tmp_path / "link.png").symlink_to(source)
    for target in (source, tmp_path / "link.png", tmp_path / "." / "a.png"):
        code, _, err = run("stylize", source, target)
        assert code == 2
        assert one_error_line(err)
        assert "never overwritten" in err
    code, _, err = run("stylize", tmp_path, tmp_path)
    assert code == 2
    assert "the input folder itself" in err
    assert source.read_bytes() == before


def test_nothing_in_a_folder_is_replaced_but_the_workbench_s_own_drawings(run, tmp_path):
    source, other = photo(tmp_path / "d" / "a.jpg"), photo(tmp_path / "d" / "a.png", seed=1)
    kept = other.read_bytes()
    for name in ("a-2.png", "a-3.png"):
        code, out, _ = run("stylize", source, tmp_path / "d", "--style", "affine_tilt")
        assert (code, out) == (0, f"{tmp_path / 'd' / name}\n")
    assert other.read_bytes() == kept
    photo(tmp_path / "in" / "a.jpg", seed=2)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(kept)
    for _ in range(2):  # the second run replaces the first one's drawing
        assert run("stylize", tmp_path / "in", tmp_path / "out", "--style", "affine_tilt")[0] == 0
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a-2.png", "a.png"]
    assert (tmp_path / "out" / "a.png").read_bytes() == kept


@pytest.mark.parametrize(
    "names",
    [
        ("a.jpg", "A.JPG", "A.png"),
        ("\u00e9.png", "e\u0301.png"),  # one letter in both Unicode forms
        ("a.jpg", "a.png", "a.jpg.png"),
        ("x" * 250 + ".png", "x" * 251 + ".jpg", "画" * 83 + ".jpg"),
        ("x" * 251 + ".jpg", "x" * 251 + ".png"),
    ],
)
def test_names_that_some_systems_do_not_tell_apart_stay_apart(run, tmp_path, names):
    for seed, name in enumerate(names):
        photo(tmp_path / "in" / name, seed)
    code, _, err = run("stylize", tmp_path / "in", tmp_path / "out", "--style", "affine_tilt")
    assert code == 0, err
    written = [p.name for p in (tmp_path / "out").iterdir()]
    folded = {unicodedata.normalize("NFC", name).casefold() for name in written}
    assert len(folded) == len(written) == len(names)
    assert all(len(name.encode()) <= 255 for name in written)


def test_every_file_that_is_or_should_be_a_picture_is_drawn_or_named(run, tmp_path):
    folder = tmp_path / "in"
    data = photo(folder / "a.jpg").read_bytes()
    for name in ("b.jpe", "no_suffix", "wrong.txt", "deep/c"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    Image.fromarray(pixels(folder / "a.jpg")).save(folder / "phone.png")
    (folder / "d.jxl").write_bytes(b"\xff\x0a" + bytes(30))
    (folder / "e.nef").write_bytes(b"nothing that is known")
    (folder / "f.mov").write_bytes(b"\0\0\0\x14ftypqt  " + bytes(30))
    (folder / "notes.csv").write_text("path,label\n")
    for name in ("__MACOSX/._a.jpg", "@eaDir/a.jpg/thumb.jpg", ".hidden.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    elsewhere = photo(tmp_path / "elsewhere" / "g.png").parent
    (folder / "linked").symlink_to(elsewhere)
    (folder / "round").symlink_to(folder)
    (folder / "gone.jpg").symlink_to(folder / "none.jpg")
    code, out, err = run("stylize", folder, tmp_path / "out", "--style", "affine_tilt")
    assert code == 1
    assert out == f"7 of 12 pictures written to {tmp_path / 'out'}\n"
    for words in (
        "d.jxl is JPEG XL",
        "e.nef is a camera's raw file",
        "f.mov is a film. Redraw it as a video, or save one of its frames",
        "round is a link to the folder",
        "gone.jpg does not exist",
    ):
        assert words in err, err
    assert err.count("\n  ") == 5


def test_a_film_never_takes_another_one_s_place(run, tmp_path):
    from clips import make

    source = make(tmp_path / "clip.mov")
    (tmp_path / "clip.mp4").write_bytes(b"somebody's")
    code, out, err = run("video", source, tmp_path, "--style", "affine_tilt")
    assert code == 0, err
    assert out.startswith(str(tmp_path / "clip-2.mp4"))
    assert (tmp_path / "clip.mp4").read_bytes() == b"somebody's"


@pytest.mark.parametrize("given", [("--max-pixels", 99), ("--max-frames", 5), ("--max-seconds", 0.1)])
def test_a_film_beyond_a_limit_is_drawn_with_the_switch_that_the_refusal_names(run, tmp_path, given):
    from clips import make

    source, target = make(tmp_path / "clip.mov"), tmp_path / "out.mp4"
    code, _, err = run("video", source, target, "--style", "affine_tilt", *given)
    assert code == 2
    assert one_error_line(err)
    assert not target.exists()
    advice = re.findall(rf"start the workbench with ({given[0]}) (\d+)\.", err)
    code, out, err = run("video", source, target, "--style", "affine_tilt", *advice[0])
    assert code == 0, err
    assert "6 frames" in out


def test_the_operator_of_a_server_sets_the_limits_of_films(run, tmp_path, monkeypatch):
    seen = []

    def launch(host, port, platform, **options):
        seen.append(platform.limits.film)
        raise OSError("none today")

    monkeypatch.setattr("workbench.ui.launch", launch)
    options = ("--data", tmp_path / "data", "--max-pixels", 80_000_000, "--max-seconds", 9000)
    assert "none today" in run("serve", *options)[2]
    assert seen == [VideoLimits(max_pixels=80_000_000, max_seconds=9000)]
    assert "max_pixels to be at least 1 but got 0" in run("serve", "--max-pixels", 0)[2]


def test_output_folder_above_the_input(run, tmp_path):
    photo(tmp_path / "in" / "a.png")
    assert run("stylize", tmp_path / "in", tmp_path, "--style", "affine_tilt")[0] == 0
    assert (tmp_path / "a.png").is_file()
    inner = photo(tmp_path / "in" / "in" / "a.png", seed=1)
    before = [path.read_bytes() for path in (tmp_path / "in" / "a.png", inner)]
    code, _, err = run("stylize", tmp_path / "in", tmp_path, "--style", "affine_tilt")
    assert code == 2
    assert "both an input and an output" in err
    assert [path.read_bytes() for path in (tmp_path / "in" / "a.png", inner)] == before


def test_pictures_of_one_name_never_share_an_output(run, tmp_path):
    for name in ("a.jpg", "a.png", "a.jpg.png", "b.png"):
        photo(tmp_path / "in" / name)
    assert run("stylize", tmp_path / "in", tmp_path / "out", "--style", "affine_tilt")[0] == 0
    assert len(list((tmp_path / "out").iterdir())) == 4


def test_a_picture_too_long_for_its_format(run, tmp_path):
    source = photo(tmp_path / "a.png", size=(17_000, 1))
    code, _, err = run("stylize", source, tmp_path / "b.webp", "--style", "colormatrix_warm")
    assert code == 2
    assert one_error_line(err)
    assert "17000×1 pixels cannot be written as WEBP" in err
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_folder_written_beside_does_not_overwrite_inputs_through_links(run, tmp_path):
    source = photo(tmp_path / "in" / "a.png")
    before = source.read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").hardlink_to(source)
    assert run("stylize", tmp_path / "in", tmp_path / "out", "--style", "affine_tilt")[0] == 0
    assert source.read_bytes() == before  # the link is replaced, not written through


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{tmp}/none.png", "{tmp}/b.png"], "does not exist"),
        (["{tmp}/text.png", "{tmp}/b.png"], "picture"),
        (["{tmp}/empty.png", "{tmp}/b.png"], "is empty"),
        (["{tmp}/a.png", "{tmp}/b.png", "--style", "van_gogh"], "Unknown style 'van_gogh'"),
        (["{tmp}/a.png", "{tmp}/b.png", "--strength", "2"], "Expected strength to be between 0 and 1"),
        (["{tmp}/a.png", "{tmp}/b.xyz"], "Expected an output ending in .png"),
        (["{tmp}/a.png", "{tmp}/text.png/b.png"], "cannot be written"),
        (["{tmp}", "{tmp}/a.png"], "is a file"),
        (["{tmp}/nothing", "{tmp}/out"], "found none"),
        (["{tmp}", "{tmp}/out", "--style", "van_gogh"], "Unknown style 'van_gogh'"),
        (["{tmp}", "{tmp}/out", "--strength", "-1"], "Expected strength to be between 0 and 1"),
        (["{tmp}/a.png", "{tmp}/b.png", "--style", "{tmp}/none.safetensors"], "there is none"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(run, tmp_path, arguments, words):
    photo(tmp_path / "a.png")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    (tmp_path / "nothing").mkdir()
    code, out, err = run("stylize", *(a.format(tmp=tmp_path) for a in arguments))
    assert code == 2
    assert out == ""
    assert one_error_line(err), err
    assert words in err
    assert not (tmp_path / "b.png").exists()
    assert not (tmp_path / "out").exists()


def test_a_failed_write_leaves_the_old_file(run, tmp_path, monkeypatch):
    source, out = photo(tmp_path / "a.png"), photo(tmp_path / "b.png", seed=1)
    before = out.read_bytes()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    code, _, err = run("stylize", source, out, "--style", "affine_tilt")
    assert code == 2
    assert "No space left" in err
    assert out.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == ["a.png", "b.png"]


@pytest.fixture
def classifier(monkeypatch):
    """A stand-in with the real classifier's interface that reads the mean brightness."""

    from workbench.classify.results import Reading

    class Classifier:
        @classmethod
        def load(cls, name="mood", device=None):
            if name != "mood":
                raise UnknownNameError("model", name, ["mood"])
            return cls()

        def classify(self, image):
            light = np.float32(np.asarray(image).mean() / 255)
            return Reading("mood", {"dark": 1 - light, "light": light}, True)

        def classify_all(self, images):
            return [self.classify(image) for image in images]

    stand_in = types.SimpleNamespace(DEFAULT_CLASSIFIER="mood", Classifier=Classifier)
    import workbench.classify.classifier  # noqa: F401  # or it would keep the name of below for good

    monkeypatch.setattr("workbench.classify.results.DEFAULT_CLASSIFIER", "mood")
    monkeypatch.setattr("workbench.classify.classifier", stand_in, raising=False)
    monkeypatch.setitem(sys.modules, "workbench.classify.classifier", stand_in)


def test_classify_a_file(run, tmp_path, classifier):
    path = tmp_path / "white.png"
    Image.new("RGB", (4, 4), (204, 204, 204)).save(path)
    assert run("classify", path) == (0, f"{path}: light 80.0%, dark 20.0%\n", "")
    code, out, _ = run("classify", path, "--json")
    entry = json.loads(out)
    assert code == 0
    assert entry["top"] == "light"
    assert entry["model"] == "mood"
    assert entry["calibrated"] is True
    assert list(entry["probabilities"]) == ["dark", "light"]
    assert entry["probabilities"]["light"] == pytest.approx(0.8)


def test_classify_a_folder(run, tmp_path, classifier):
    Image.new("RGB", (4, 4), "black").save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    code, out, err = run("classify", tmp_path, "--json")
    first, second = json.loads(out)
    assert code == 1
    assert first["probabilities"] == {"dark": 1.0, "light": 0.0}
    assert second["path"] == str(tmp_path / "b.jpg")
    assert "picture" in second["error"]
    assert "b.jpg: " in err
    code, out, err = run("classify", tmp_path)
    assert code == 1
    assert out == f"{tmp_path / 'a.png'}: dark 100.0%, light 0.0%\n"


def test_classify_errors(run, tmp_path, classifier):
    path = photo(tmp_path / "a.png")
    for arguments, words in (
        ((path, "--model", "oracle"), "Unknown model 'oracle'"),
        ((tmp_path / "none.png",), "does not exist"),
    ):
        code, _, err = run("classify", *arguments)
        assert code == 2
        assert one_error_line(err)
        assert words in err


def test_classify_and_explain(run_shipped, tmp_path):
    path, out = photo(tmp_path / "a.png", size=(40, 30)), tmp_path / "where.png"
    code, text, _ = run_shipped(
        "classify",
        path,
        "--model",
        "mood_lite0",
        "--explain",
        out,
        "--layer",
        "stage4",
        "--class",
        "serenity",
    )
    assert code == 0
    assert Image.open(out).size == (40, 30)
    assert text.splitlines()[1].startswith(f"{out}: serenity. Grad-CAM")
    code, text, _ = run_shipped("classify", path, "--model", "mood_lite0", "--explain", out, "--json")
    entry = json.loads(text)
    assert (entry["explanation"]["method"], entry["explanation"]["class"]) == ("grad_cam", entry["top"])
    for arguments, words in (
        (("--explain", out, "--method", "magic"), "Unknown method 'magic'"),
        (("--explain", out, "--method", "occlusion", "--layer", "stage4"), "no layer for occlusion"),
        (("--explain", out, "--class", "joy"), "Unknown class 'joy'"),
        (("--explain", tmp_path / "where.gif"), "ending in"),
    ):
        code, _, err = run_shipped("classify", path, "--model", "mood_lite0", *arguments)
        assert code == 2
        assert words in err
    code, _, err = run_shipped("classify", tmp_path, "--explain", out)
    assert code == 2
    assert "one picture" in err


def test_models_table_and_json(run):
    code, out, _ = run("models")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["name", "kind", "title", "size", "licence"]
    assert lines[2].startswith(DEFAULT_STYLE)
    assert "stylizer" in lines[2]
    assert lines[3].endswith("CC0-1.0")
    code, out, _ = run("models", "--json")
    cards = {card["name"]: card for card in json.loads(out)}
    assert set(cards) == {DEFAULT_STYLE, "mood"}
    assert cards["mood"]["bytes"] == (weights.SHIPPED / "mood.safetensors").stat().st_size
    assert len(cards["mood"]["sha256"]) == 64


def test_bench_prints_a_table_and_writes_json(run, tmp_path, monkeypatch):
    from workbench import bench

    real = bench.bench_stylizers

    def tiny(threads, rounds):
        assert (threads, rounds) == (1, 1)
        return real(["whitebox"], sizes=(16,), threads=threads, rounds=rounds, memory=False)

    monkeypatch.setattr(bench, "bench_stylizers", tiny)
    code, out, _ = run("bench", "stylizers", "--json", tmp_path / "b.json", "--threads", 1, "--rounds", 1)
    assert code == 0
    assert "animeganv2" in out
    assert "1.47" in out
    names = [row["name"] for row in json.loads((tmp_path / "b.json").read_text())["networks"]]
    assert names == ["whitebox", "animeganv2"]


def test_unknown_command_and_missing_arguments(run):
    assert run("paint")[0] == 2
    assert run("stylize")[0] == 2

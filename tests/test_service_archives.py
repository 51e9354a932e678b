"""Folders that visitors bring: what is taken from ZIP archives, what is refused, what is named."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
import stat
import time
import zipfile
from types import SimpleNamespace

import psutil
import pytest
from PIL import Image

from workbench.core.errors import WorkbenchError
from workbench.core.tables import read_table
from workbench.data.atelier import paint
from workbench.data.images import read_image
from workbench.interpret.measuring import measure
from workbench.reporting.page import self_containment_problems
from workbench.service.archives import collect_files
from workbench.service.engines.worker import Context
from workbench.service.folder_tasks import drawing_names, read_pictures, stylize_pictures
from workbench.service.limits import Limits
from workbench.service.picture_tasks import report_picture
from workbench.service.platform import Platform
from workbench.service.storage import new_id
from workbench.service.tasks import SHEET_COLUMNS, TASKS, cell_side
from workbench.ui import folder_table

FILTER = "colormatrix_warm"


def picture(colour="red", size=(48, 32)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def archive(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return path


def gathered(tmp_path, *paths):
    folder = tmp_path / "folder"
    folder.mkdir()
    return collect_files(paths, [path.name for path in paths], folder)


@pytest.mark.parametrize(
    "name", ["../out.png", "/etc/out.png", "a/../../out.png", "..\\out.png", "C:\\out.png"]
)
def test_a_path_that_leads_outside_refuses_the_archive(tmp_path, name):
    path = archive(tmp_path / "bad.zip", {"good.png": picture(), name: picture()})
    with pytest.raises(WorkbenchError, match=r"Expected a ZIP whose paths stay inside it but bad.zip holds"):
        gathered(tmp_path, path)
    assert not (tmp_path / "out.png").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = archive(tmp_path / "bomb.zip", {"a.png": bytes(200_000_000)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(WorkbenchError, match=r"bomb.zip unpacks from 0.19\d MB to 200 MB"):
        gathered(tmp_path, path)
    assert not list((tmp_path / "folder").iterdir())


def test_a_size_that_is_a_lie_is_found_out(tmp_path):
    """The announced size is 10 bytes; what comes is more, and is no picture of the folder."""
    path = archive(tmp_path / "liar.zip", {"a.png": bytes(5000), "b.png": picture()})
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02")
    data[place + 24 : place + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    found = gathered(tmp_path, path)
    assert found.names == ["b.png"]
    assert found.skipped == {"a.png": "damaged in the archive"}


def test_what_cannot_be_taken_is_named_and_stops_nothing(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = tmp_path / "mixed.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in (
            "deep/er/a.png",
            "宁静/b.png",
            "__MACOSX/deep/._a.png",
            ".DS_Store",
            "x\ny.png",
            300 * "n",
        ):
            made.writestr(name, picture())
        made.writestr(link, "/etc/passwd")
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("宁静/b.png", picture("blue"))
    loose = tmp_path / "loose.png"
    loose.write_bytes(picture())
    found = gathered(tmp_path, path, loose)
    assert found.names == ["deep/er/a.png", "loose.png", "宁静/b.png"]
    reasons = {name[:6]: reason for name, reason in found.skipped.items()}
    assert reasons["link.p"] == "a link, and not a file"
    assert reasons["宁静/b.p"] == "a second file of this name"
    assert reasons["x\ny.pn"].startswith("its name is too long")
    assert reasons["nnnnnn"].startswith("its name is too long")
    assert len(found.skipped) == 4
    assert (found.folder / "宁静/b.png").read_bytes() == picture()


def test_a_damaged_archive_is_one_clear_line(tmp_path):
    whole = archive(tmp_path / "cut.zip", {"a.png": picture(), "b.png": picture()}).read_bytes()
    place = whole.index(b"PK\x01\x02")
    (tmp_path / "cut.zip").write_bytes(whole[:place] + b"XX" + whole[place + 2 :])
    with pytest.raises(WorkbenchError, match=r"cut.zip is damaged and cannot be opened as a ZIP"):
        gathered(tmp_path, tmp_path / "cut.zip")


def test_a_list_of_millions_of_files_is_not_read(tmp_path):
    """It would take ten times its bytes of memory; the file itself is small enough."""
    path = archive(tmp_path / "list.zip", {"a.png": picture()})
    data = path.read_bytes()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entries = data[start:end] * (9_000_000 // (end - start))
    tail = bytearray(data[end:])
    tail[12:16] = len(entries).to_bytes(4, "little")
    path.write_bytes(data[:start] + entries + tail)
    with pytest.raises(WorkbenchError, match=r"list.zip is damaged and cannot be opened as a ZIP"):
        gathered(tmp_path, path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_file_of_any_compression_stops_nothing(tmp_path, method):
    path = archive(tmp_path / "cut.zip", {"a.png": picture() * 50, "b.png": picture()}, compression=method)
    data = bytearray(path.read_bytes())
    start = data.index(b"a.png") + 5
    data[start + 9 : start + 29] = b"\xff" * 20
    path.write_bytes(data)
    found = gathered(tmp_path, path)
    assert (found.names, found.skipped) == (["b.png"], {"a.png": "damaged in the archive"})


def test_an_archive_of_a_later_format_is_one_clear_line(tmp_path):
    path = archive(tmp_path / "new.zip", {"a.png": picture()})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99  # the version that is needed
    path.write_bytes(data)
    with pytest.raises(WorkbenchError, match=r"new.zip is damaged and cannot be opened as a ZIP"):
        gathered(tmp_path, path)


def test_an_archive_for_which_there_is_no_room_is_not_unpacked(tmp_path, monkeypatch):
    path = archive(tmp_path / "large.zip", {"a.png": picture()})
    monkeypatch.setattr(shutil, "disk_usage", lambda where: SimpleNamespace(free=200_000_000))
    with pytest.raises(WorkbenchError, match=r"There is no room for the .* MB that large.zip unpacks to"):
        gathered(tmp_path, path)
    assert not list((tmp_path / "folder").iterdir())


def test_unpacked_pictures_go_with_a_job_that_is_killed(tmp_path, monkeypatch):
    """They lie where the job lies, and nowhere else."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    path = archive(tmp_path / "many.zip", {f"{i}.png": picture(size=(600, 400)) for i in range(300)})
    limits = Limits(free_bytes=0, cancel_seconds=0)
    with Platform(tmp_path / "data", limits=limits) as platform:
        owner = new_id("a")
        job = platform.submit(owner, "stylize_pictures", [path], {"style": FILTER})
        end = time.monotonic() + 300
        while platform.job(owner, job).share == 0 and time.monotonic() < end:
            time.sleep(0.01)
        assert len(list(platform.store.job(owner, job).rglob("*.png"))) >= 300
        assert not list((tmp_path / "temporary").rglob("*.png"))
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
                if "spawn_main" in " ".join(process.cmdline()):
                    process.kill()  # the attempt is made again
        while platform.job(owner, job).attempts < 2 and time.monotonic() < end:
            time.sleep(0.01)
        platform.cancel(owner, job)
        assert platform.wait(owner, job, 300).state == "cancelled"
        assert not list(platform.store.job(owner, job).rglob("*.png"))


def test_drawings_keep_their_pictures_names_apart():
    names = ["a.jpg", "a.png", "A.JPG", "A.png", "sub/b.tif", "e\u0301.jpg", "\u00e9.jpg"]
    made = drawing_names(names, ".png")
    expected = ["a.png", "a.png.png", "A.JPG.png", "A (2).png", "sub/b.png", "e\u0301.png", "\u00e9.jpg.png"]
    assert list(made.values()) == expected


@pytest.fixture
def mixed(tmp_path):
    members = {f"{i}.png": picture(colour) for i, colour in enumerate(("red", "gray"))}
    return archive(tmp_path / "mixed.zip", members | {"bad.png": b"no picture"})


def test_photos_come_back_as_one_zip_with_a_list(mixed, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    context = Context(out)
    options = TASKS["stylize_pictures"].check({"style": FILTER, "names": ["mixed.zip"], "format": "jpg"})
    stylize_pictures((mixed,), options, context)
    with zipfile.ZipFile(out / "drawings.zip") as made:
        assert sorted(made.namelist()) == ["0.jpg", "1.jpg", "list.csv"]
        rows = made.read("list.csv").decode()
        with Image.open(made.open("0.jpg")) as image:
            assert image.size == (48, 32)
    assert "bad.png" in rows
    assert "Expected bad.png to be a picture" in rows
    assert context.remarks[0] == (
        "1 passed over: Expected bad.png to be a picture but its content is not one that can be read."
    )


def test_a_name_that_a_spreadsheet_would_run_is_text(tmp_path):
    formula = '=HYPERLINK("http:evil.example","x").png'
    path, out = archive(tmp_path / "evil.zip", {formula: picture(), "＝1+1.png": picture()}), tmp_path / "out"
    out.mkdir()
    options = TASKS["stylize_pictures"].check({"style": FILTER})
    stylize_pictures((path,), options, Context(out))
    with zipfile.ZipFile(out / "drawings.zip") as made, made.open("list.csv") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
    assert [row["path"] for row in rows] == ["'" + formula, "'＝1+1.png"]


def test_nothing_that_can_be_drawn_is_an_error_in_words(tmp_path):
    path, out = archive(tmp_path / "none.zip", {"bad.png": b"no"}), tmp_path / "out"
    out.mkdir()
    options = TASKS["stylize_pictures"].check({"style": FILTER})
    with pytest.raises(WorkbenchError, match=r"None of 1 files can be used. bad.png: Expected bad.png to be"):
        stylize_pictures((path,), options, Context(out))
    assert not list(out.iterdir())


def test_a_folder_is_read_into_tables_that_agree(mixed, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    read_pictures((mixed,), TASKS["read_pictures"].check({"model": "mood_lite0"}), Context(out))
    rows = json.loads((out / "readings.json").read_text())
    assert [row["path"] for row in rows] == ["0.png", "1.png", "bad.png"]
    assert sum(rows[0][key] for key in rows[0] if key.startswith("p_")) == pytest.approx(1)
    assert rows[0]["lightness"] > 0
    assert "Expected bad.png" in rows[2]["error"]
    for suffix in (".csv", ".parquet"):
        assert list(read_table(out / f"readings{suffix}")["path"]) == ["0.png", "1.png", "bad.png"]
    with Image.open(out / "readings.thumb.jpg") as sheet:
        assert sheet.size == (2 * cell_side(2), cell_side(2))
        x, y = cell_side(2) // 2, cell_side(2) // 2
        assert sheet.getpixel((x, y))[0] > 200 > sheet.getpixel((x + cell_side(2), y))[0]  # red, then gray
    report = (out / "report.html").read_text(encoding="utf-8")
    assert self_containment_problems(report) == []
    assert all(words in report for words in ("bad.png: Expected", "1.png", "rms contrast", "serenity"))
    page = folder_table.table(rows, "/jobs/j/readings.thumb.jpg")
    assert page.count("<tr>") == 3  # a head and two pictures
    assert "1 passed over" in page
    assert "--column:1;--row:0" in page
    assert SHEET_COLUMNS > 2
    for row in rows[:2]:
        first, second = sorted((v for k, v in row.items() if k.startswith("p_")), reverse=True)[:2]
        assert row["unsure"] == (first < 0.30 or first - second < 0.05)


@pytest.mark.parametrize(
    ("known", "cell"),
    [
        ({"unsure": True}, '<td data-value="1">yes</td>'),
        ({"unsure": False}, '<td data-value="0"></td>'),
        ({}, '<td data-value="nan">–</td>'),  # a table that an earlier version wrote
    ],
)
def test_the_table_of_a_folder_says_where_the_model_is_unsure(known, cell):
    row = {"path": "a.png", "mood": "serenity", "p_serenity": 0.33, "p_vigor": 0.32, "novelty": 0.5}
    page = folder_table.table([row | {"unlike": False} | known], "/s.jpg")
    assert f'<td data-value="0.5"></td>{cell}' in page


def test_the_whole_report_of_a_painting(tmp_path):
    path, out = tmp_path / "a.png", tmp_path / "out"
    out.mkdir()
    paint("serenity", seed=1, size=96).image.save(path)
    options = TASKS["report_picture"].check({"model": "mood_statistics", "title": "<b>Lotus"})
    report_picture((path,), options, Context(out))
    reading = json.loads((out / "reading.json").read_text())
    table = read_table(out / "reading.csv").set_index("name")["value"]
    assert {mood: float(table[mood]) for mood in reading["classes"]} == pytest.approx(
        reading["probabilities"], abs=1e-6
    )
    assert float(table["rms_contrast"]) == pytest.approx(measure(read_image(path))["rms_contrast"], rel=1e-4)
    report = (out / "report.html").read_text(encoding="utf-8")
    assert self_containment_problems(report) == []
    assert "&lt;b&gt;Lotus" in report
    assert "<b>Lotus" not in report
    assert report.count("data:image/jpeg") == 2  # the painting, and where the model looked
    for name in ("mood_lite0", "rms contrast", "Limits"):
        assert name in report


def test_names_of_pictures_are_escaped_in_the_table():
    row = {
        "path": '"><img src=x>.png',
        "mood": "serenity",
        "p_serenity": 1.0,
        "novelty": None,
        "unlike": False,
        "unsure": False,
    }
    page = folder_table.table([row, {"path": "<b>", "error": "<i>"}], "/s.jpg")
    assert "<img" not in page
    assert "<b>" not in page
    assert "<i>" not in page

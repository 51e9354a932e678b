"""Models as repositories of the Hub and as entry points of torch.hub, without network."""

import importlib.util
from pathlib import Path

import pytest
import torch
import yaml
from typer.testing import CliRunner

from workbench import models
from workbench.core.errors import WeightsError
from workbench.models import hub

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def comic(tmp_path_factory):
    return hub.write_repository("fsgan_comic", tmp_path_factory.mktemp("hub") / "comic")


def front_matter(text: str) -> dict:
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("---\n")[1])


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


@pytest.mark.parametrize("name", models.trained())
def test_every_model_has_a_page_with_metadata(name):
    card = models.card(name)
    page = hub.readme(card)
    data = front_matter(page)
    task = {"stylizer": "image-to-image", "classifier": "image-classification"}[card.kind]
    assert (data["pipeline_tag"], data["library_name"]) == (task, "painter-psychology-workbench")
    assert {card.architecture, card.kind} <= set(data["tags"])
    for words in (card.title, card.description, card.limitations, card.licence, card.sha256):
        assert words in page
    for row in card.classes:
        assert f"**{row['name']}**" in page


def test_licences_are_the_hub_s_names_or_other_with_a_link():
    free = front_matter(hub.readme(models.card("fsgan_comic")))
    assert free["license"] == "cc-by-sa-4.0"
    assert "license_name" not in free
    bound = front_matter(hub.readme(models.card("mood_statistics")))
    assert (bound["license"], bound["license_name"]) == ("other", "for-research")
    assert bound["license_link"] == "LICENSE"


def test_measurements_are_the_card_s():
    card = models.card("mood_statistics")
    (result,) = front_matter(hub.readme(card))["model-index"][0]["results"]
    assert {m["type"]: m["value"] for m in result["metrics"]}["accuracy"] == card.metrics["accuracy"][
        "estimate"
    ]
    rows = models.card("fsgan_comic").metrics["rows"]
    last = " | ".join(str(value) for value in rows[-1].values())
    assert f"| {last} |" in hub.readme(models.card("fsgan_comic"))


def test_a_repository_gives_the_same_network_again(comic):
    network, card = hub.from_pretrained(comic)
    ours, own = models.load("fsgan_comic")
    assert same(network, ours)
    assert card == own
    assert hub.fetch(comic) == comic / "fsgan_comic.safetensors"
    assert card.licence in (comic / "LICENSE").read_text()


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(WeightsError, match="new or empty folder"):
        hub.write_repository("fsgan_comic", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_what_is_no_repository_is_told_in_one_line(tmp_path):
    with pytest.raises(WeightsError, match=r"found 0.*--format hub"):
        hub.from_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE=0"):
        hub.from_pretrained("nobody/has-this")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE=0"):
        hub.push_to_hub("fsgan_comic", "nobody/has-this")


def test_weights_that_are_not_the_card_s_are_refused(comic, tmp_path):
    for path in comic.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / "fsgan_comic.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="does not match its card"):
        hub.from_pretrained(tmp_path)


def test_the_command_writes_the_folder(tmp_path):
    from workbench.cli import app

    result = CliRunner().invoke(app, ["export", "mood_lite0", str(tmp_path / "out"), "--format", "hub"])
    assert result.exit_code == 0, result.output
    assert hub.fetch(tmp_path / "out").name == "mood_lite0.safetensors"


def test_torch_hub_has_every_model_by_name():
    spec = importlib.util.spec_from_file_location("hubconf", ROOT / "hubconf.py")
    hubconf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hubconf)
    entries = {
        n: f for n, f in vars(hubconf).items() if callable(f) and not n.startswith("_")
    }  # as torch.hub
    assert sorted(entries) == models.trained()
    assert models.card("fsgan_comic").limitations in entries["fsgan_comic"].__doc__
    network = torch.hub.load(str(ROOT), "fsgan_comic", source="local")
    assert same(network, models.load("fsgan_comic")[0])
    fresh = torch.hub.load(str(ROOT), "fsgan_comic", source="local", pretrained=False)
    assert fresh.state_dict().keys() == network.state_dict().keys()
    assert not same(fresh, network)

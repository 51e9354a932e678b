"""End-to-end training on drawn pictures of two hues."""

import dataclasses

import numpy as np
import pytest
import torch
from hues import write_hues
from PIL import Image
from workbench.classify.recipes import config_for
from workbench.classify.statistics_probe import StatisticsConfig, statistics
from workbench.classify.statistics_probe import new_network as statistics_network

from workbench import models
from workbench.classify import finetune
from workbench.classify.augment import POLICIES, policy
from workbench.classify.finetune import FinetuneConfig, Pictures, fit, layer_groups, new_network, predict
from workbench.classify.publish import main
from workbench.classify.reading import Classifier
from workbench.core.errors import DatasetError, UnknownNameError
from workbench.data.paintings import read_paintings

CONFIG = FinetuneConfig(
    model="dkse_small", arguments={"modules": 1, "width": 4}, pretrained=False, size=32, epochs=3,
    batch_size=8, learning_rate=1e-2, folds=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_hues(tmp_path_factory.mktemp("paintings"), count=8, painters=4, shape=(40, 60))


@pytest.fixture(scope="module")
def data(folder):
    return read_paintings(folder)


@pytest.fixture(scope="module")
def pictures(data):
    return Pictures(data, CONFIG.size)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_it_learns_and_is_reproducible(data, pictures):
    config = dataclasses.replace(CONFIG, epochs=12)
    everything = np.arange(len(data))
    losses = []
    network = fit(data, pictures, everything, config, 0, progress=lambda epoch, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]
    assert (predict(network, pictures, everything, config).argmax(1) == data.labels).mean() > 0.9
    assert not network.training
    first, second = (fit(data, pictures, everything, CONFIG, 1) for _ in range(2))
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(fit(data, pictures, everything, CONFIG, 2)))


def test_half_precision_is_a_choice_of_each_run(data, pictures):
    everything = np.arange(len(data))
    full = weights(fit(data, pictures, everything, CONFIG, 0))
    half = weights(fit(data, pictures, everything, dataclasses.replace(CONFIG, mixed_precision="bf16"), 0))
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    assert torch.equal(full, weights(fit(data, pictures, everything, CONFIG, 0)))


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9}, {"patience": 2, "holdout": 0.5}])
def test_an_interrupted_run_goes_on_to_the_same_weights(data, pictures, tmp_path, changes):
    config = dataclasses.replace(CONFIG, **changes)
    everything, file = np.arange(len(data)), tmp_path / "run.pt"

    def stop(epoch, loss):
        if epoch == 2:
            raise KeyboardInterrupt

    whole = fit(data, pictures, everything, config, 0)
    with pytest.raises(KeyboardInterrupt):
        fit(data, pictures, everything, config, 0, file, stop)
    epochs = []
    resumed = fit(data, pictures, everything, config, 0, file, lambda epoch, loss: epochs.append(epoch))
    assert epochs[0] == 2  # the epoch that was interrupted is done again
    assert torch.equal(weights(resumed), weights(whole))


def test_another_runs_checkpoint_is_not_used(data, pictures, tmp_path):
    everything, file = np.arange(len(data)), tmp_path / "run.pt"
    fit(data, pictures, everything, CONFIG, 0, file)
    epochs = []
    fit(data, pictures, everything, CONFIG, 5, file, lambda epoch, loss: epochs.append(epoch))
    assert epochs == [1, 2, 3]


def test_early_stopping_gives_the_best_epoch(data, pictures, monkeypatch):
    config = dataclasses.replace(CONFIG, epochs=6, patience=2, holdout=0.5)
    answers = iter([0.0, 1.0, 0.5, 0.2, 0.1, 0.0])  # confidence in the truth: the best loss is epoch 2's
    seen, states = [], []

    def answer(network, _pictures, stop, _config):
        states.append(weights(network).clone())
        value = next(answers)
        return np.where(np.eye(2)[data.labels[stop]] > 0, value, -value)

    monkeypatch.setattr(finetune, "predict", answer)
    network = fit(data, pictures, np.arange(len(data)), config, 0, progress=lambda e, loss: seen.append(e))
    assert seen == [1, 2, 3, 4]
    assert torch.equal(weights(network), states[1])


def test_which_layers_are_trained():
    base = FinetuneConfig(size=32)
    trained = {}
    for transfer in ("frozen", "partial", "full"):
        network = new_network(dataclasses.replace(base, arguments={"aggregated": 0}, transfer=transfer), 3)
        trained[transfer] = [n for n, p in network.named_parameters() if p.requires_grad]
    assert trained["frozen"] == ["classifier.weight", "classifier.bias"]
    assert set(trained["frozen"]) < set(trained["partial"]) < set(trained["full"])
    assert "conv_head.weight" in trained["partial"]
    assert "conv_stem.weight" not in trained["partial"]
    # what is new must learn, however much is frozen
    network = new_network(dataclasses.replace(base, arguments={"aggregated": 2}, transfer="frozen"), 3)
    new = [n for n, p in network.named_parameters() if p.requires_grad]
    assert sum(".rescale." in n for n in new) == 6


def test_rates_fall_towards_the_input():
    config = FinetuneConfig(size=32, arguments={"aggregated": 1}, layer_decay=0.5, learning_rate=1.0)
    network = new_network(config, 3)
    depth = layer_groups(network)
    last = max(depth.values())
    rate = {id(p): g["lr"] for g in finetune.parameter_groups(network, config) for p in g["params"]}
    decay = {
        id(p): g["weight_decay"] for g in finetune.parameter_groups(network, config) for p in g["params"]
    }
    for name, parameter in network.named_parameters():
        expected = 1.0 if ".rescale." in name else 0.5 ** (last - depth[name])
        assert rate[id(parameter)] == pytest.approx(expected), name
        assert (decay[id(parameter)] > 0) == (parameter.ndim > 1)


def test_pretrained_statistics_stay(data, pictures):
    config = FinetuneConfig(size=32, epochs=1, batch_size=8, arguments={"aggregated": 0})
    before = new_network(config, 2).state_dict()
    after = fit(data, pictures, np.arange(len(data)), config, 0).state_dict()
    assert torch.equal(before["bn1.running_mean"], after["bn1.running_mean"])
    assert not torch.equal(before["conv_head.weight"], after["conv_head.weight"])


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_policies(name):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 90, 3), dtype=np.uint8))
    draw = policy(name, 32)
    views = [np.asarray(draw(image, np.random.default_rng(seed))) for seed in range(8)]
    assert all(v.shape == (32, 32, 3) for v in views)
    assert np.array_equal(views[3], np.asarray(draw(image, np.random.default_rng(3))))
    assert (len({v.tobytes() for v in views}) == 1) == (name == "none")


def test_the_flip_is_a_mirror_and_the_cutout_a_square():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))
    views = {np.asarray(policy("flip", 32)(image, np.random.default_rng(s))).tobytes() for s in range(20)}
    assert views == {np.asarray(image).tobytes(), np.asarray(image)[:, ::-1].tobytes()}
    cut = np.asarray(policy("cutout", 32)(image, np.random.default_rng(0)))
    assert (cut != np.asarray(image)).any(2).sum() > 0.9 * round(0.3 * 32) ** 2
    assert (cut == np.asarray(image)).all(2).sum() >= 32 * 32 - round(0.3 * 32) ** 2


def test_the_whole_run_of_another_architecture(folder, tmp_path):
    config = dataclasses.replace(CONFIG, epochs=10)
    path = main(folder, tmp_path, name="hue", config=config, samples=20)
    card = models.card(path)
    assert (card.architecture, card.training["initial_weights"]) == ("dkse_small", "random")
    assert card.arguments == {"num_classes": 2, "modules": 1, "width": 4}
    data = read_paintings(folder)
    classifier = Classifier.load(path)
    tops = [classifier.classify(data.read(i)).top for i in range(len(data))]
    assert np.mean([t == data.classes[c] for t, c in zip(tops, data.labels, strict=True)]) > 0.8


def test_stage_statistics_are_means_and_deviations(data):
    network = statistics_network(StatisticsConfig(variants=("lite0",), size=64), 2)
    x = torch.randn(2, 3, 64, 64)
    found = network.forward_features(x)
    assert found.shape == (2, network.num_features)
    y = network.statistics[0].network.blocks[0](
        network.statistics[0].network.bn1(network.statistics[0].network.conv_stem(x))
    )
    torch.testing.assert_close(found[:, 1280:1296], y.mean((2, 3)))
    torch.testing.assert_close(found[:, 1296:1312], y.std((2, 3), correction=0), atol=1e-4, rtol=1e-3)


def test_the_statistics_recipe_fits_what_it_reads(folder, data, tmp_path):
    config = StatisticsConfig(variants=("lite0",), size=64, eval_crops=((64, 2),), folds=2, split_seeds=(0,))
    path = main(folder, tmp_path, name="hue_statistics", config=config, samples=20)
    network, _card = models.load(path)
    table = statistics(data, statistics_network(config, 2), config, tmp_path / "statistics.pt")
    classifier = Classifier.load(path)
    logits = np.stack([classifier.logits(data.read(i)) for i in range(len(data))])
    with torch.no_grad():
        expected = network.classifier(table).numpy()
    assert np.abs(logits - expected).max() < 0.05 * np.abs(expected).max()  # shipped in half precision
    assert (logits.argmax(1) == data.labels).all()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"epochs": 0}, "1 epoch"),
        ({"pretrained": False, "transfer": "frozen"}, "pretrained weights"),
        ({"partial_share": 0.0}, "partial_share"),
        ({"warmup": 3}, "warmup is none of them"),
    ],
)
def test_wrong_settings_are_refused(changes, error):
    with pytest.raises(DatasetError, match=error):
        config_for("dkse_small", changes)


def test_an_unknown_architecture_or_policy_is_named():
    with pytest.raises(UnknownNameError, match="dkse_small"):
        config_for("dkse_smal", {})
    with pytest.raises(UnknownNameError, match="brush"):
        policy("brushes", 32)

"""End-to-end training on drawn pictures of two hues."""

import dataclasses

import numpy as np
import pytest
import torch
from hues import write_hues
from PIL import Image

from workbench import models
from workbench.classify import finetune, transfer
from workbench.classify.augment import POLICIES, policy
from workbench.classify.classifier import Classifier
from workbench.classify.configs import FinetuneConfig, Publication, Source
from workbench.classify.finetune import FinetuneEstimator
from workbench.classify.publish import train_classifier
from workbench.classify.transfer import layer_groups, new_network
from workbench.core import options
from workbench.core.cache import Cache
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


def fit(data, rows, config, seed, cache=None, progress=None):
    return FinetuneEstimator(config, cache=cache).fit(data, rows, seed, progress).network()


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_it_learns_and_is_reproducible(data):
    config = dataclasses.replace(CONFIG, epochs=12)
    everything = np.arange(len(data))
    losses = []
    estimator = FinetuneEstimator(config)
    estimator.fit(data, everything, 0, lambda epoch, loss: losses.append(loss))
    assert losses[-1] < 0.5 * losses[0]
    assert (estimator.predict(data, everything) == data.labels).mean() > 0.9
    assert not estimator.network().training
    first, second = (fit(data, everything, CONFIG, 1) for _ in range(2))
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(fit(data, everything, CONFIG, 2)))


def test_half_precision_is_a_choice_of_each_run(data):
    everything = np.arange(len(data))
    full = weights(fit(data, everything, CONFIG, 0))
    half = weights(fit(data, everything, dataclasses.replace(CONFIG, mixed_precision="bf16"), 0))
    assert half.dtype == torch.float32
    assert not torch.equal(full, half)
    assert torch.equal(full, weights(fit(data, everything, CONFIG, 0)))


@pytest.mark.parametrize("changes", [{}, {"ema": 0.9}, {"patience": 2, "holdout": 0.5}])
def test_an_interrupted_run_goes_on_to_the_same_weights(data, tmp_path, changes):
    config = dataclasses.replace(CONFIG, **changes)
    everything, cache = np.arange(len(data)), Cache(tmp_path)

    def stop(epoch, loss):
        if epoch == 2:
            raise KeyboardInterrupt

    whole = fit(data, everything, config, 0)
    with pytest.raises(KeyboardInterrupt):
        fit(data, everything, config, 0, cache, stop)
    epochs = []
    resumed = fit(data, everything, config, 0, cache, lambda epoch, loss: epochs.append(epoch))
    assert epochs[0] == 2  # the epoch that was interrupted is done again
    assert torch.equal(weights(resumed), weights(whole))


@pytest.mark.parametrize("change", ["seed", "labels", "settings"])
def test_the_checkpoint_of_another_run_is_not_used(data, tmp_path, change):
    def stop(epoch, loss):
        raise KeyboardInterrupt

    everything, cache, epochs = np.arange(len(data)), Cache(tmp_path), []
    with pytest.raises(KeyboardInterrupt):
        fit(data, everything, CONFIG, 0, cache, stop)
    other = dataclasses.replace(data, labels=1 - data.labels) if change == "labels" else data
    config = dataclasses.replace(CONFIG, learning_rate=1e-3) if change == "settings" else CONFIG
    fit(
        other,
        everything,
        config,
        5 if change == "seed" else 0,
        cache,
        lambda epoch, loss: epochs.append(epoch),
    )
    assert epochs == [1, 2, 3]


def test_early_stopping_gives_the_best_epoch(data, monkeypatch):
    config = dataclasses.replace(CONFIG, epochs=6, patience=2, holdout=0.5)
    answers = iter([0.0, 1.0, 0.5, 0.2, 0.1, 0.0])  # confidence in the truth: the best loss is epoch 2's
    seen, states = [], []

    def answer(network, _look, stop):
        states.append(weights(network).clone())
        value = next(answers)
        return torch.from_numpy(np.where(np.eye(2)[data.labels[stop]] > 0, value, -value))

    monkeypatch.setattr(finetune, "mean_logits", answer)
    network = fit(data, np.arange(len(data)), config, 0, progress=lambda e, loss: seen.append(e))
    assert seen == [1, 2, 3, 4]
    assert torch.equal(weights(network), states[1])


def test_which_layers_are_trained():
    base = FinetuneConfig(size=32)
    trained = {}
    for name in ("frozen", "partial", "full"):
        network = new_network(dataclasses.replace(base, arguments={"aggregated": 0}, transfer=name), 3)
        trained[name] = [n for n, p in network.named_parameters() if p.requires_grad]
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
    rate = {id(p): g["lr"] for g in transfer.parameter_groups(network, config) for p in g["params"]}
    decay = {
        id(p): g["weight_decay"] for g in transfer.parameter_groups(network, config) for p in g["params"]
    }
    for name, parameter in network.named_parameters():
        expected = 1.0 if ".rescale." in name else 0.5 ** (last - depth[name])
        assert rate[id(parameter)] == pytest.approx(expected), name
        assert (decay[id(parameter)] > 0) == (parameter.ndim > 1)


def test_pretrained_statistics_stay(data):
    config = FinetuneConfig(size=32, epochs=1, batch_size=8, arguments={"aggregated": 0})
    before = new_network(config, 2).state_dict()
    after = fit(data, np.arange(len(data)), config, 0).state_dict()
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
    path = train_classifier(Source(folder), tmp_path, config, Publication("hue", samples=20))
    card = models.card(path)
    assert (card.architecture, card.training["initial_weights"]) == ("dkse_small", "random")
    assert card.arguments == {"num_classes": 2, "modules": 1, "width": 4, "novelty_components": 32}
    data = read_paintings(folder)
    classifier = Classifier.load(path)
    readings = [classifier.classify(data.read(i)) for i in range(len(data))]
    right = [r.top == data.classes[c] for r, c in zip(readings, data.labels, strict=True)]
    assert np.mean(right) > 0.8
    assert all(r.novelty is not None for r in readings)


def test_every_policy_can_be_chosen():
    (option,) = (o for o in options.options(FinetuneConfig) if o.name == "augmentation")
    assert set(option.choices) == set(POLICIES)


def test_an_unknown_policy_is_named():
    with pytest.raises(UnknownNameError, match="brush"):
        policy("brushes", 32)


def test_a_finished_training_leaves_no_checkpoint(data, tmp_path):
    fit(data, np.arange(len(data)), CONFIG, 0, Cache(tmp_path))
    assert not list(tmp_path.glob("*.pt"))


def test_weights_that_cannot_be_had_are_one_error(data, tmp_path):
    with pytest.raises(DatasetError, match="other arguments of dkse_small"):
        fit(data, np.arange(4), dataclasses.replace(CONFIG, arguments={"depth": 3}), 0)

"""A picture drawn in tiles against the same picture drawn whole."""

import subprocess
import sys
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from workbench.models.fsgan import FSGANGenerator
from workbench.styles.stylize import DEFAULT_STYLE, network_of
from workbench.styles.tiling import mirrored, run_tiled, spans


def generator(seed=0, **kwargs) -> FSGANGenerator:
    """A small random network whose output layer and residual branches are far from zero."""
    torch.manual_seed(seed)
    network = FSGANGenerator(**{"stem": 8, "middle": 16, "trunk": 16, "blocks": 2} | kwargs).eval()
    torch.nn.init.normal_(network.out.weight, std=0.1)
    for block in network.trunk:
        torch.nn.init.normal_(block.conv2.weight, std=0.1)
    return network.requires_grad_(False).to(memory_format=torch.channels_last)


def noise(height, width, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def whole(network, pixels, margin=32) -> np.ndarray:
    """Reference without any of the module under test: pad in memory, one pass, cut."""
    height, width = pixels.shape[:2]
    pads = [(margin, margin + -(side + 2 * margin) % 4) for side in (height, width)]
    for axis, (side, pad) in enumerate(zip((height, width), pads, strict=True)):
        widths = [(0, 0)] * 3
        widths[axis] = pad
        pixels = np.pad(pixels, widths, mode="reflect" if side > max(pad) else "edge")
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        y = network(x.contiguous(memory_format=torch.channels_last))
    y = y[0, :, margin : margin + height, margin : margin + width].permute(1, 2, 0)
    return ((y + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (33, 2), (64, 64), (101, 203), (160, 97), (255, 256)])
@pytest.mark.parametrize("tile", [32, 60, 100, 4096])
def test_tiles_equal_the_whole(size, tile):
    network = generator()
    pixels = noise(*size)
    np.testing.assert_array_equal(run_tiled(network, pixels, tile=tile), whole(network, pixels))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"blocks": 0},
        {"blocks": 5},
        {"upsampling": "nearest"},
        {"stem": 16, "trunk": 48},
        {"steepness": 2.5},
        {"steepness": 2.5, "shapes": [2, 2, 1]},
    ],
)
def test_tiles_equal_the_whole_for_other_networks(kwargs):
    network = generator(seed=3, **kwargs)
    pixels = noise(210, 331)
    np.testing.assert_array_equal(run_tiled(network, pixels, tile=64), whole(network, pixels))


def test_float_values_of_windows_are_bit_for_bit_those_of_the_whole():
    network = generator(seed=1)
    length, halo = 296, network.halo
    x = torch.rand(1, 3, length, length).contiguous(memory_format=torch.channels_last) * 2 - 1
    with torch.inference_mode():
        expected = network(x)
        for top, bottom, first, last in spans(length, 96, halo, 4):
            for left, right, start, stop in spans(length, 96, halo, 4):
                window = x[..., first:last, start:stop].contiguous(memory_format=torch.channels_last)
                drawn = network(window)[..., top - first : bottom - first, left - start : right - start]
                assert torch.equal(drawn, expected[..., top:bottom, left:right])


@pytest.mark.parametrize("blocks", [0, 1, 4])
def test_an_output_pixel_depends_on_no_more_than_the_halo(blocks):
    network = generator(blocks=blocks)
    side, place = 300, 150
    x = torch.rand(1, 3, side, side) - 0.5
    changed = x.clone()
    changed[..., place, place] += 0.5
    with torch.inference_mode():
        moved = (network(x) != network(changed)).any(1)[0].nonzero()
    assert (moved - place).abs().max() <= network.halo
    assert (moved - place).abs().max() > network.halo / 4  # the perturbation does spread: the test can fail


def test_the_network_never_sees_more_than_a_tile_and_its_halo():
    network = generator()
    seen = []
    network.register_forward_pre_hook(lambda module, inputs: seen.append(tuple(inputs[0].shape[-2:])))
    run_tiled(network, noise(400, 700), tile=128)
    assert len(seen) > 12
    assert len(set(seen)) == 1  # one shape for all
    assert max(max(shape) for shape in seen) <= 128 + 2 * network.halo


def test_a_network_that_does_nothing_returns_the_picture():
    network = generator()
    torch.nn.init.zeros_(network.out.weight)
    pixels = noise(77, 130)
    np.testing.assert_array_equal(run_tiled(network, pixels, tile=40), pixels)


def test_progress_rises_to_one_and_can_stop_the_work():
    shares = []
    run_tiled(generator(), noise(100, 150), tile=64, progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 1
    assert shares[-1] == 1.0

    def stop(share):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        run_tiled(generator(), noise(100, 150), tile=64, progress=stop)


def test_mirrored_numbers():
    assert mirrored(7, 4, 4).tolist() == [
        4,
        3,
        2,
        1,
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        5,
        4,
        3,
        2,
        1,
    ]  # one more to reach 16
    assert mirrored(8, 4, 4).tolist() == [4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3]
    assert mirrored(1, 4, 4).tolist() == [0] * 12
    assert mirrored(3, 4, 4).tolist() == [0, 0, 0, 0, 0, 1, 2, 2, 2, 2, 2, 2]


def test_spans_cover_once_on_the_grid_with_equal_windows():
    for length, tile in [(4, 4), (100, 32), (296, 96), (1000, 768), (40_000, 768)]:
        cuts = spans(length, tile, 52, 4)
        assert cuts[0][0] == 0
        assert cuts[-1][1] == length
        assert all(a[1] == b[0] for a, b in pairwise(cuts))
        assert len({last - first for _, _, first, last in cuts}) == 1
        for start, stop, first, last in cuts:
            assert stop - start <= tile
            assert all(edge % 4 == 0 for edge in (start, stop, first, last))
            assert first <= max(start - 52, 0)
            assert last >= min(stop + 52, length)


@pytest.mark.parametrize(
    ("pixels", "options", "words"),
    [
        (noise(8, 8)[..., 0], {}, "Expected pixels"),
        (noise(8, 8).astype(np.float32), {}, "Expected pixels"),
        (noise(8, 0), {}, "Expected pixels"),
        (noise(8, 8), {"tile": 2}, "at least 4"),
        (noise(8, 8), {"margin": 3}, "multiples of 4"),
    ],
)
def test_exceptions(pixels, options, words):
    with pytest.raises(ValueError, match=words):
        run_tiled(generator(), pixels, **options)


def test_training_mode_is_refused():
    with pytest.raises(ValueError, match="eval mode"):
        run_tiled(generator().train(), noise(8, 8))


@pytest.mark.slow
def test_a_4k_picture_in_tiles_equals_the_whole():
    network = generator(stem=4, middle=4, trunk=4, blocks=4)  # halo and stride of the shipped one
    pixels = noise(2160, 3840)
    np.testing.assert_array_equal(run_tiled(network, pixels), whole(network, pixels))


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak from /proc")
@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_a_4k_picture_needs_less_than_1_2_gb(tmp_path, runtime):
    """The whole process, as a user starts it."""
    pytest.importorskip("onnxruntime")
    Image.fromarray(cv2.resize(noise(90, 160), (3840, 2160))).save(tmp_path / "a.jpg", quality=90)
    network_of(DEFAULT_STYLE, runtime)  # exported, as it is once on a machine
    code = (
        "import re, sys\n"
        "from workbench import cli\n"
        "try:\n"
        f"    cli.main(['stylize', 'a.jpg', 'b.png', '--runtime', '{runtime}'])\n"
        "except SystemExit as done:\n"
        "    assert not done.code\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "b.png") as drawn:
        assert drawn.size == (3840, 2160)
    assert int(done.stdout.split()[-1]) * 1024 < 1.2e9

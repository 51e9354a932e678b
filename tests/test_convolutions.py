"""A convolution of its input at twice the size, beside upsampling and a convolution one after the other."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from workbench.models.convolutions import UpsamplingConv2d


@pytest.mark.parametrize("upsampling", ["bilinear", "nearest"])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 2), (12, 9)])
def test_it_is_upsampling_and_then_a_convolution(size, upsampling):
    torch.manual_seed(0)
    conv = UpsamplingConv2d(5, 3, upsampling).double()
    plain = nn.Conv2d(5, 3, 3, padding=1).double()
    plain.load_state_dict(conv.state_dict())
    x = torch.randn(2, 5, *size, dtype=torch.float64)
    corners = {"align_corners": False} if upsampling == "bilinear" else {}
    expected = plain(F.interpolate(x, scale_factor=2, mode=upsampling, **corners))
    torch.testing.assert_close(conv(x), expected, atol=1e-12, rtol=0)
    lasts = x.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(conv(lasts), expected, atol=1e-12, rtol=0)


def test_a_kernel_that_copies_gives_the_doubled_picture():
    conv = UpsamplingConv2d(1, 1)
    nn.init.dirac_(conv.weight)
    nn.init.zeros_(conv.bias)
    row = conv(torch.tensor([[[[0.0, 4.0]]]]))[0, 0]
    assert row.tolist() == [[0, 1, 3, 4]] * 2


def test_its_gradients_are_right():
    torch.manual_seed(0)
    conv = UpsamplingConv2d(2, 2).double()
    x = torch.randn(1, 2, 3, 2, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(
        lambda x, weight: torch.func.functional_call(conv, {"weight": weight}, (x,)), (x, conv.weight)
    )


def test_another_upsampling_is_refused():
    with pytest.raises(ValueError, match=r"`upsampling` to be 'bilinear' or 'nearest' but got 'cubic'"):
        UpsamplingConv2d(2, 2, "cubic")

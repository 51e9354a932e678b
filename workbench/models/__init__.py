"""Networks by name: ``models.create("fsgan_small")``, ``models.names("generator")``,
``models.load("fsgan_comic")``.

An *architecture* is built with random weights by :func:`create`; a *model* is an architecture with trained
weights and a card, loaded by :func:`load`.
"""

from workbench.models.registry import create, names, register
from workbench.models.timm_entries import offer_to_timm
from workbench.models.weights import Card, card, check, load, save, trained

__all__ = ["Card", "card", "check", "create", "load", "names", "register", "save", "trained"]

offer_to_timm()

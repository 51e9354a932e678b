from workbench.rating.collection import Collection
from workbench.rating.server import serve
from workbench.rating.simulation import simulate
from workbench.rating.study import Scale, Study, load

__all__ = ["Collection", "Scale", "Study", "load", "serve", "simulate"]

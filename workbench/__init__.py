"""Painter Psychology Workbench: what a painter's hand says about mood, and the world redrawn in that hand.

    >>> import workbench as wb
    >>> painting = wb.paint("serenity", seed=3).image
    >>> list(wb.styles())[0]
    'fsgan_comic'
    >>> wb.stylize(painting, "fsgan_comic").size
    (256, 256)

Importing the package is cheap: neither torch nor gradio is loaded until something is asked for that needs it.
The names are listed in ``__init__.pyi`` and shown one by one in docs/library.md.
"""

from workbench.core import lazy, offline

__version__ = "0.1.0"

offline.switch_off()  # before any library is imported that would report to its makers

__getattr__, __dir__, __all__ = lazy.names_of(__name__, __file__)

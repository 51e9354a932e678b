"""Painter Psychology Workbench: what a painter's hand says about mood, and the world redrawn in that hand.

Importing the package is cheap: neither torch nor gradio is loaded until a model or the app is asked for.
"""

__version__ = "0.1.0"

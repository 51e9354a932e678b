"""Provenance of numbers: code, machine and versions, written with every row and card."""

from __future__ import annotations

import datetime
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("torch", "torchvision", "timm", "scikit-learn", "scikit-image", "numpy")
_PATIENCE = 60  # seconds for git, which looks at every file, on a busy machine


def commit() -> str:
    """Short hash of the code's git commit, with "+" where tracked files had changes, or where git could not
    tell; empty outside a checkout.
    """

    def git(*arguments: str) -> str:
        folder = Path(__file__).resolve().parent
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=True
        ).stdout.strip()

    try:
        name = git("rev-parse", "--short=12", "HEAD")
    except (OSError, subprocess.SubprocessError):
        return ""
    try:
        return name + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return name + "+"


def provenance(device: str = "cpu") -> dict[str, str]:
    """Commit of the code, device, versions and date, for every row."""
    return {
        "commit": commit(),
        "device": f"{device} ({platform.machine()})",
        "versions": " ".join(
            [f"python={platform.python_version()}", *(f"{p}={version(p)}" for p in _PACKAGES)]
        ),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }

"""Switches that disable telemetry in all libraries that have it.

They work only before the library is imported, so ``import workbench`` sets them for itself and for every
process that it starts. To keep one of them on, set it in the environment before.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

SWITCHES = {
    "DO_NOT_TRACK": "1",
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def switch_off(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set every switch that is not set."""
    for name, value in SWITCHES.items():
        environment.setdefault(name, value)


def reach_self_directly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Exempt this computer from proxies: a server sends itself a request to see whether it has started."""
    excluded = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    names = [name.strip() for name in excluded.split(",") if name.strip()]
    proxies = (environment.get(name) or environment.get(name.upper()) or "" for name in _PROXIES)
    if any(proxy.startswith("socks") for proxy in proxies):
        names = ["*"]  # clients without support for SOCKS fail at its mere name
    names += [name for name in _LOOPBACK if name not in names and "*" not in names]
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(names)

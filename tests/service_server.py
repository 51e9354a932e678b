"""A server in a process of its own, for tests that kill it: ``service_server.py DATA WORKERS OWNER``.

Accepts four jobs, prints "ready" when one of them is at work, then lives until it is killed.
"""

import sys
import time

import platform_tasks

from workbench.service.limits import Limits
from workbench.service.platform import Platform

if __name__ == "__main__":
    data, workers, owner = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    limits = Limits(free_bytes=0, jobs_per_minute=10_000)
    platform = Platform(data, workers=workers, limits=limits, kinds=platform_tasks.KINDS)
    for _ in range(2):
        platform.submit(owner, "count", [], {"seconds": 600})
    platform.submit(owner, "who", [])
    platform.submit(owner, "count", [], {"seconds": 1})
    while not any(view.share > 0 for view in platform.jobs(owner)):
        time.sleep(0.01)
    print("ready", flush=True)
    time.sleep(600)

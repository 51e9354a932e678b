"""Health and load of the server: ``/healthz`` for probes, ``/metrics`` for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, Response

from workbench.service.errors import StorageError
from workbench.service.platform import Platform

HEALTH, METRICS = "/healthz", "/metrics"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class Monitoring:
    """Serves the two addresses for one platform, and counts requests."""

    def __init__(self, platform: Platform):
        self._platform = platform
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "workbench_http_requests", "Answers by the first digit of their status.", ["status"],
            registry=self._registry,
        )  # fmt: skip
        self._registry.register(self)

    def count(self, status: int) -> None:
        """Count a response."""
        self._requests.labels(f"{status // 100}xx").inc()

    def health(self) -> Response:
        """200 if jobs can be accepted and processed, else 503 with the reasons."""
        wrong = {}
        try:
            self._platform.counts()
        except SQLAlchemyError:
            wrong["database"] = "does not answer"
        if not self._platform.is_working():
            wrong["jobs"] = "are not being processed"
        try:
            self._platform.uploads.check_disk()
        except (StorageError, OSError):
            wrong["disk"] = "is nearly full"
        return JSONResponse(
            {"status": "failing", "wrong": wrong} if wrong else {"status": "ok"}, 503 if wrong else 200
        )

    def metrics(self, client: str, headers: Headers) -> Response:
        """All figures in Prometheus' format, for a direct client on this computer."""
        if client not in ("127.0.0.1", "::1") or any(name in headers for name in _FORWARDED):
            return PlainTextResponse("Expected a client on this computer.", 403)
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    def collect(self) -> Iterator[Metric]:
        """Figures that are computed on request."""
        jobs = GaugeMetricFamily("workbench_jobs", "Jobs that are kept, by state.", labels=["state"])
        counts, oldest = self._platform.counts()
        for state, count in counts.items():
            jobs.add_metric([state], count)
        yield jobs
        waiting = 0.0 if oldest is None else max(0.0, time.time() - oldest)
        yield GaugeMetricFamily("workbench_oldest_waiting_seconds", "Of the job that waits longest.", waiting)
        yield GaugeMetricFamily("workbench_workers", "Jobs at a time.", self._platform.workers)
        yield GaugeMetricFamily("workbench_disk_free_bytes", "Room on the disk.", self._platform.store.free())
        size = self._platform.uploads.size()
        yield GaugeMetricFamily("workbench_upload_bytes", "Uploads that wait in no job.", size)

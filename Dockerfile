# The page as a service: `docker build -t painter-psychology-workbench .`, then compose.yaml or docs/containers.md.
# PyTorch's default build brings CUDA, about 5 GB; --build-arg PIP_EXTRA_INDEX_URL= names an index with another.
FROM python:3.11-slim AS build
ARG PIP_EXTRA_INDEX_URL
WORKDIR /source
RUN python -m venv /opt/workbench
COPY constraints.txt pyproject.toml README.md LICENSE CHANGELOG.md CITATION.cff ./
COPY docs docs
COPY notebooks notebooks
COPY workbench workbench
RUN --mount=type=cache,target=/var/cache/pip PIP_CACHE_DIR=/var/cache/pip \
    /opt/workbench/bin/pip install --constraint constraints.txt '.[app,postgresql]'

FROM python:3.11-slim
# The root may be read-only: what changes is in /data, what may be lost in /tmp.
ENV HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib PATH=/opt/workbench/bin:$PATH PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --home-dir /tmp --shell /usr/sbin/nologin workbench \
    && install --directory --owner=workbench --mode=0700 /data
COPY --from=build /opt/workbench /opt/workbench
USER 10001
WORKDIR /tmp
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=8)"]
ENTRYPOINT ["workbench"]
CMD ["serve", "--host", "0.0.0.0", "--data", "/data"]

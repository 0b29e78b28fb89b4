# Two images: `--target tap-custobar` (the default) and `--target source-custobar`, for Airbyte.
# `make image` builds both. Any Debian with python3 (3.11 or newer) and its venv works as a base.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_COMPILE=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
# pip and the build backend are in an environment that no other stage copies.
RUN python3 -m venv /opt/build \
    && python3 -m venv --without-pip /opt/tap-custobar \
    && /opt/build/bin/pip install --require-hashes --requirement requirements/build.txt \
    && /opt/build/bin/pip --python /opt/tap-custobar/bin/python install \
        --require-hashes --only-binary :all: --requirement requirements/runtime.txt
COPY LICENSE README.md pyproject.toml ./
COPY schemas schemas
COPY tap_custobar tap_custobar
# Compiled here, because the user of the image must not write there; by hash and not by time, so that
# two builds make the same files. The tests of packages are left out.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir dist . \
    && /opt/build/bin/pip --python /opt/tap-custobar/bin/python install --no-deps --no-index \
        dist/*.whl \
    && find /opt/tap-custobar/lib -type d -name tests -prune -exec rm -r {} + \
    && /opt/tap-custobar/bin/python -m compileall -f -q --invalidation-mode unchecked-hash \
        /opt/tap-custobar/lib

FROM ${BASE} AS runtime
COPY --from=build /opt/tap-custobar /opt/tap-custobar
ENV PATH="/opt/tap-custobar/bin:${PATH}"
WORKDIR /data
# By number, so that Kubernetes knows that it is not root. Airbyte runs connectors as this user.
USER 1000:1000
ARG BASE
ARG REVISION
ARG VERSION=unknown
LABEL org.opencontainers.image.base.name="${BASE}" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.version="${VERSION}"

FROM runtime AS source-custobar
ARG VERSION=unknown
LABEL org.opencontainers.image.title="source-custobar" \
    org.opencontainers.image.description="Airbyte source for Custobar." \
    io.airbyte.name="source-custobar" \
    io.airbyte.version="${VERSION}"
# Airbyte on Kubernetes ignores ENTRYPOINT, and runs this in a shell.
ENV AIRBYTE_ENTRYPOINT="/opt/tap-custobar/bin/source-custobar"
ENTRYPOINT ["/opt/tap-custobar/bin/source-custobar"]

FROM runtime AS tap-custobar
LABEL org.opencontainers.image.title="tap-custobar" \
    org.opencontainers.image.description="Singer tap for Custobar."
ENTRYPOINT ["/opt/tap-custobar/bin/tap-custobar"]

# syntax=docker/dockerfile:1
# One image, several commands: API, workers, housekeeping, migration (see docker-compose.yml). Two targets:
#
#   docker build --target cpu --build-arg TORCH_INDEX=<address of PyTorch's CPU index> -t filmloop:cpu .
#   docker build --target cuda -t filmloop:cuda .

ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/filmloop
WORKDIR /source
# First what changes rarely, so that a change of our code does not install torch again: the project without its code.
COPY pyproject.toml constraints.txt README.md ./
RUN mkdir -p service workers models migrations client/filmloop_client

FROM build AS build-cpu
# An index that pip asks besides the usual one; pytorch.org says which. Without it torch comes with the CUDA libraries.
ARG TORCH_INDEX=
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/filmloop/bin/pip install ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} -c constraints.txt .
COPY service service
COPY workers workers
COPY models models
COPY migrations migrations
COPY client client
RUN /opt/filmloop/bin/pip install --no-cache-dir --no-deps --force-reinstall . \
    && /opt/filmloop/bin/pip check

FROM build AS build-cuda
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/filmloop/bin/pip install -c constraints.txt .
COPY service service
COPY workers workers
COPY models models
COPY migrations migrations
COPY client client
RUN /opt/filmloop/bin/pip install --no-cache-dir --no-deps --force-reinstall . \
    && /opt/filmloop/bin/pip check

FROM python:${PYTHON} AS runtime
LABEL org.opencontainers.image.title="filmloop" \
      org.opencontainers.image.description="Closed-loop autonomous experimentation for combinatorial thin-film labs"
RUN useradd --system --uid 10001 --create-home --home-dir /home/filmloop filmloop \
    && install -d -o filmloop -g filmloop -m 0700 /var/lib/filmloop
# Nothing is written but to the volume and to /tmp: the root file system may be read-only.
ENV PATH=/opt/filmloop/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    FILMLOOP_DATA_DIR=/var/lib/filmloop \
    FILMLOOP_LOG__JSON=true \
    OMP_NUM_THREADS=1
WORKDIR /home/filmloop
VOLUME /var/lib/filmloop
EXPOSE 8000
CMD ["uvicorn", "--factory", "service.app:create_app", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", "--timeout-keep-alive", "75", "--timeout-graceful-shutdown", "10"]

FROM runtime AS cuda
# The driver comes from the host, by its container toolkit; the libraries came with torch.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-cuda /opt/filmloop /opt/filmloop
USER 10001
RUN FILMLOOP_BROKER__URL=redis://nowhere python -c "import workers.trainer, workers.train, torch; assert torch.version.cuda"

FROM runtime AS cpu
COPY --from=build-cpu /opt/filmloop /opt/filmloop
USER 10001
# The image imports itself: a missing package fails the build, not the night; and the API stays free of torch.
RUN python -c "import sys, service.app, service.cli, migrations; assert 'torch' not in sys.modules" \
    && FILMLOOP_BROKER__URL=redis://nowhere python -c "import workers.app, workers.decide, workers.trainer, workers.train" \
    && filmloop --help

# Builds two images. Both contain all requirements and install nothing when they run.
#
#   docker build --target release -t digits .              to train and evaluate: contains the code
#   docker run -v "$PWD/workspace:/workspace" --user "$(id -u)" digits scripts/train.sh --gin_file=configs/digits_cnn.gin
#
#   docker build --target dev -t digits:dev .              to develop: uses the code of your folder
#   docker run -it -v "$PWD:/project" digits:dev scripts/test.sh
#
# For NVIDIA GPUs, add --build-arg ACCELERATOR=gpu to docker build and --gpus all to docker run.
ARG BASE_IMAGE=python:3.12-slim
FROM ${BASE_IMAGE} AS base
ARG ACCELERATOR=cpu
# A venv, because the base image may not let pip install into its own Python.
RUN python3 -m venv /opt/venv
# HOME is writable for any user that --user names.
ENV PATH=/opt/venv/bin:$PATH ENV=existing HOME=/tmp
WORKDIR /project
# Requirements come before the code, so that a change of code does not install them again.
COPY requirements.txt requirements-gpu.txt requirements-tpu.txt ./
RUN if [ "$ACCELERATOR" = cpu ]; then also=; else also="-r requirements-$ACCELERATOR.txt"; fi && \
    pip install --no-cache-dir --disable-pip-version-check --quiet -r requirements.txt $also

FROM base AS dev
# Tests open report pages in Chromium.
RUN apt-get update && apt-get install -y --no-install-recommends git chromium && rm -rf /var/lib/apt/lists/*
COPY requirements-dev.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --quiet -r requirements-dev.txt
# A mounted folder belongs to another user; without this line git refuses to read it.
RUN git config --system --add safe.directory /project
COPY . .
CMD ["bash"]

FROM base AS release
ENV WORKSPACE=/workspace
RUN useradd --uid 1000 --create-home researcher && install -d -o researcher /workspace
COPY . .
USER researcher
VOLUME /workspace
CMD ["scripts/train.sh", "--help"]

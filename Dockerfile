# Two images, each with all requirements in it; nothing is installed when they run.
#
#   docker build --target release -t digits .              trains and evaluates: the code is inside
#   docker run -v "$PWD/workspace:/workspace" --user "$(id -u)" digits scripts/train.sh --gin_file=configs/digits_cnn.gin
#
#   docker build --target dev -t digits:dev .              to work in: your folder comes from outside
#   docker run -it -v "$PWD:/project" digits:dev scripts/test.sh
#
# With --build-arg ACCELERATOR=gpu, and docker run --gpus all, they use NVIDIA GPUs.
ARG BASE_IMAGE=python:3.12-slim
FROM ${BASE_IMAGE} AS base
ARG ACCELERATOR=cpu
# A venv, for the base image may guard its own Python against pip.
RUN python3 -m venv /opt/venv
# HOME: a place to write for any user that --user names.
ENV PATH=/opt/venv/bin:$PATH ENV=existing HOME=/tmp
WORKDIR /project
# Requirements before the code: a change of code installs nothing.
COPY requirements.txt requirements-gpu.txt requirements-tpu.txt ./
RUN if [ "$ACCELERATOR" = cpu ]; then also=; else also="-r requirements-$ACCELERATOR.txt"; fi && \
    pip install --no-cache-dir --disable-pip-version-check --quiet -r requirements.txt $also

FROM base AS dev
# Chromium opens the pages of reports in the tests.
RUN apt-get update && apt-get install -y --no-install-recommends git chromium && rm -rf /var/lib/apt/lists/*
COPY requirements-dev.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --quiet -r requirements-dev.txt
# A folder from outside belongs to another user, which git would refuse.
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

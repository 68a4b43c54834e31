# PixelBench in a container, for the CPU; for NVIDIA GPUs name one of PyTorch's wheel indices:
#   docker build --tag pixelbench .
#   docker build --tag pixelbench:cuda --build-arg TORCH=cu128 .
# The README's two commands pass in it; results that are to stay go to a folder of the host:
#   docker run --rm --volume "$PWD/runs:/home/user/pixelbench/runs" pixelbench
#   docker run --rm pixelbench pytest
FROM python:3.12-slim-bookworm

ARG TORCH=cpu

# git: records name the commit of the code that made them.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home user

USER user
WORKDIR /home/user/pixelbench
ENV PATH=/home/user/environment/bin:$PATH \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1

# Before the code, so that a change of it does not fetch them again.
RUN python -m venv /home/user/environment \
    && pip install "torch>=2.11,<2.14" "torchvision>=0.26,<0.29" --index-url "https://download.pytorch.org/whl/$TORCH"

COPY --chown=user:user . .
RUN pip install -e . \
    && pip install -e ".[test]" \
    && mkdir -p runs

CMD ["pixelbench", "run", "--suite", "quick"]

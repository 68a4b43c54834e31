"""The Dockerfile, read: no container can be built here, so that its commands are held to be the README's, and its lines to be good ones."""

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
Instructions = list[tuple[str, str]]


def instructions(text: str) -> Instructions:
    """Word and rest of each, without comments, on one line."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined if line.strip()]


def of(found: Instructions, word: str) -> list[str]:
    return [rest for name, rest in found if name == word]


def commands(found: Instructions) -> list[str]:
    return [" ".join(command.split()) for rest in of(found, "RUN") for command in rest.split("&&")]


def faults(text: str) -> list[str]:
    """What a linter of Dockerfiles would say."""
    found = instructions(text)
    said = [f"no fixed version: {image}" for image in of(found, "FROM") if not re.search(r":[\w.-]*\d", image)]
    said += ["runs as root"] * (not of(found, "USER") or of(found, "USER")[-1] in ("root", "0"))
    said += [f"relative folder: {folder}" for folder in of(found, "WORKDIR") if not folder.startswith("/")]
    said += [f"ADD for a copy: {rest}" for rest in of(found, "ADD")]
    said += [f"shell form: {rest}" for word in ("CMD", "ENTRYPOINT") for rest in of(found, word) if not rest.startswith("[")]
    for command in of(found, "RUN"):
        if "apt-get install" in command:
            said += ["waits for an answer"] * (not re.search(r"--yes|-y\b", command))
            said += ["recommended packages"] * ("--no-install-recommends" not in command)
            said += ["lists stay"] * ("rm -rf /var/lib/apt/lists/*" not in command)
            said += ["old lists"] * ("apt-get update" not in command)
        said += ["sudo"] * ("sudo " in command) + ["cd"] * bool(re.search(r"(^|&& *)cd ", command))
    said += ["pip keeps its cache"] * ("PIP_NO_CACHE_DIR" not in text and "--no-cache-dir" not in text and "pip install" in text)
    return said


def test_the_dockerfile_is_a_good_one() -> None:
    assert faults(TEXT) == []


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("python:3.12-slim-bookworm", "python:latest", "no fixed version: python:latest"),
        ("python:3.12-slim-bookworm", "python", "no fixed version: python"),
        ("USER user", "USER root", "runs as root"),
        (" --no-install-recommends", "", "recommended packages"),
        ("install --yes", "install", "waits for an answer"),
        ("&& rm -rf /var/lib/apt/lists/*", "&& true", "lists stay"),
        ("PIP_NO_CACHE_DIR=1", "X=1", "pip keeps its cache"),
        ('["pixelbench", "run", "--suite", "quick"]', "pixelbench run", "shell form: pixelbench run"),
        ("COPY", "ADD", "ADD for a copy: --chown=user:user . ."),
        ("WORKDIR /home", "WORKDIR home", "relative folder: home/user/pixelbench"),
    ],
)
def test_a_bad_one_is_found(good: str, bad: str, said: str) -> None:
    assert faults(TEXT.replace(good, bad)) == [said]


def test_it_passes_the_readmes_two_commands() -> None:
    """What they install is installed, and what they run is what the container runs, or is told to."""
    block = re.findall(r"^```\n(pip install -e .*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)[0]
    asked = [[part.strip() for part in line.split("#")[0].split("&&")] for line in block.splitlines()]
    found = instructions(TEXT)
    assert len(asked) == 2
    for install, _ in asked:
        assert install in commands(found)
    (run, _), (tests, _) = [(words, "") for _, words in asked]
    assert json.loads(of(found, "CMD")[0]) == run.split()
    assert f"docker run --rm pixelbench {tests}" in TEXT


def test_torch_comes_first_from_the_index_that_the_build_argument_names() -> None:
    found = instructions(TEXT)
    assert of(found, "ARG") == ["TORCH=cpu"]
    (wheels,) = [command for command in commands(found) if "--index-url" in command]
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for requirement in (one for one in wanted if one.startswith("torch")):
        assert f'"{requirement}"' in wheels
    assert wheels.endswith('--index-url "https://download.pytorch.org/whl/$TORCH"')
    assert commands(found).index(wheels) < commands(found).index("pip install -e .")
    assert [name for name, _ in found].index("ARG") > [name for name, _ in found].index("FROM")  # one before it is forgotten


def test_a_users_own_runs_do_not_get_into_the_image() -> None:
    ignored = {line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")}
    assert {"runs/", "**/work/"} <= ignored
    assert not {".git", "tests/", "reference/", "results/"} & ignored

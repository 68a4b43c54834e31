"""Packages of other people, installed beside ours as pip would, but without it: no network, no build."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.warm import Warm

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Site:
    """A folder of installed packages, and an empty one to work in."""

    packages: Path
    work: Path
    warm: Warm

    @classmethod
    def empty(cls, folder: Path, warm: Warm) -> "Site":
        """One in which nothing is installed yet."""
        for name in ("packages", "work"):
            (folder / name).mkdir()
        return cls(folder / "packages", folder / "work", warm)

    def copy(self, folder: Path) -> "Site":
        """The same in another folder."""
        packages, work = (Path(shutil.copytree(part, folder / part.name)) for part in (self.packages, self.work))
        return Site(packages, work, self.warm)

    def install(self, example: str) -> None:
        """Copy an example's modules, and write what a package manager writes about it."""
        folder = EXAMPLES / example
        project = tomllib.loads((folder / "pyproject.toml").read_text())
        for module in project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]:
            shutil.copy(folder / module, self.packages / module)
        about = project["project"]
        self.announce(about["name"], about["version"], about.get("entry-points", {}))

    def announce(self, name: str, version: str, groups: dict[str, dict[str, str]]) -> None:
        """Write the `.dist-info` of a distribution with these entry points."""
        folder = self.packages / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = [
            line for group, points in groups.items() for line in (f"[{group}]", *(f"{key} = {value}" for key, value in points.items()))
        ]
        (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")

    def python(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run Python with the packages on its path."""
        path = [str(self.packages), str(ROOT)]
        given = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "250", **environment}
        return self.warm.run(*arguments, cwd=self.work, path=path, environment=given)

    def cold(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a Python that has imported nothing yet."""
        given = {**os.environ, "PYTHONPATH": os.pathsep.join([str(self.packages), str(ROOT)])}
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.work, env=given, capture_output=True, text=True, check=False, timeout=240
        )

    def pixelbench(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Run a command line: exit code, stdout, stderr."""
        done = self.python("-c", "from pixelbench.cli.main import main; main()", *arguments, **environment)
        return done.returncode, done.stdout, done.stderr

    def suite(self, text: str) -> str:
        """Write a suite, and give its path."""
        (self.work / "mine.toml").write_text(text)
        return "mine.toml"

    def record(self, task: str, variant: str) -> dict[str, Any]:
        """The record of the only run of a variant."""
        (path,) = (self.work / "runs" / task / variant).glob("*/record.json")
        return json.loads(path.read_text())

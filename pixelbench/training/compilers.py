"""Whether this machine has what `torch.compile` needs. No torch."""

import os
import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Compile = Literal["auto", "off", "on"]


def why_not(device: str) -> str | None:
    """What keeps this machine from compiling for a device, as the end of a sentence; None where nothing does."""
    if device.startswith("cuda") and find_spec("triton") is None:
        return "the package triton, which compiles for CUDA, is not installed"
    if not any(map(shutil.which, filter(None, (os.environ.get("CXX"), "g++", "clang++", "c++")))):
        return "there is no C++ compiler here; install g++"
    if not Path(sysconfig.get_paths()["include"], "Python.h").is_file():
        return "there are no headers of Python here; install python3-dev"
    return None

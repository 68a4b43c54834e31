"""Files inside installed packages, found without importing the package (scikit-learn alone would take over a second)."""

from importlib.util import find_spec
from pathlib import Path

from pixelbench.errors import UserError

#: Import name → name to install.
_DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}


def installed_file(package: str, path: str) -> Path:
    """Where `path` lies in the installed `package`. Never downloads.

    Args:
        package: its import name.
        path: relative to the package's folder, with forward slashes.

    Raises:
        UserError: the package is not installed, or this version of it lacks the file.
    """
    distribution = _DISTRIBUTIONS.get(package, package)
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f"The images need {distribution}, which is not installed; run `pip install {distribution}`.")
    file = Path(spec.origin).parent / path
    if not file.is_file():
        raise UserError(f"The installed {distribution} lacks {path}; reinstall it: `pip install --force-reinstall {distribution}`.")
    return file

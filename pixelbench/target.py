"""Names of somebody's code: `path/to/file.py:name` or `package.module:name`, also with two colons, as pytest has them."""


def split_target(text: str) -> tuple[str, str]:
    """`file.py:name` or `file.py::name` → where and name; where is empty without a colon."""
    where, _, name = text.rpartition(":")
    return where.removesuffix(":"), name


def with_one_colon(text: str) -> str:
    """`file.py::name` → `file.py:name`, by which runs and reports know it; anything else stays as it is."""
    where, name = split_target(text)
    return f"{where}:{name}" if where and name else text

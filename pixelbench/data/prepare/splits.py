"""Which file of an image folder goes to which split, and in which order."""

from itertools import zip_longest

#: Folder or split → paths.
Names = dict[str, list[str]]

#: Where there is no test folder: one in so many training images becomes a validation image, but not more than so many.
VALIDATION_SHARE, VALIDATION_MOST = 10, 10_000


def split_names(names: Names) -> Names:
    """Train, validation and test out of the folders train, valid and, if there is one, test."""
    if "test" in names:
        return {"train": names["train"], "validation": dealt(names["valid"]), "test": dealt(names["test"])}
    count = len(names["train"])
    chosen = set(spaced(count, min(VALIDATION_MOST, max(1, count // VALIDATION_SHARE))))
    return {
        "train": [name for number, name in enumerate(names["train"]) if number not in chosen],
        "validation": dealt([names["train"][number] for number in sorted(chosen)]),
        "test": dealt(names["valid"]),
    }


def spaced(count: int, chosen: int) -> list[int]:
    """`chosen` of the numbers below `count`, evenly spaced."""
    return [(2 * number + 1) * count // (2 * chosen) for number in range(chosen)]


def dealt(paths: list[str]) -> list[str]:
    """One of each sub-directory in turn, so that a prefix (`--limit`, a sample grid) covers all of them."""
    groups: Names = {}
    for path in paths:
        groups.setdefault(path.rpartition("/")[0], []).append(path)
    return [path for turn in zip_longest(*groups.values()) for path in turn if path is not None]

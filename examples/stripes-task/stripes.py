"""A task of one's own: black and white stripes of some width and offset, upright or lying, with a few pixels flipped."""

import numpy as np

import pixelbench as pb

SIDE = 8
SIZES = (2000, 300, 500)


def build() -> pb.TaskData:
    """The three splits; always the same, since numpy keeps what `RandomState` draws."""
    chance = np.random.RandomState(0)
    return pb.TaskData(*(split(chance, size) for size in SIZES))


def split(chance: np.random.RandomState, size: int) -> pb.Split:
    """Images that are independent of each other: each is a cluster of its own."""
    width, offset, lying = (chance.randint(low, high, (size, 1, 1)) for low, high in ((1, 4), (0, 6), (0, 2)))
    row, column = np.indices((SIDE, SIDE))
    images = (np.where(lying, row, column) + offset) // width % 2
    flipped = chance.random_sample(images.shape) < 0.05
    return pb.Split((images ^ flipped).astype(np.uint8)[:, None], np.arange(size, dtype=np.int64))


pb.register_task(
    pb.Task(
        name="stripes",
        title="Noisy stripes 8x8, 2 levels",
        channels=1,
        height=SIDE,
        width=SIDE,
        levels=2,
        digest="658320268c9e493e00141ee55f89ce02b75653a37abfbaf27279d2d5f6b9d3c7",
        preprocessing="None: they are drawn as they are.",
        split_rule="Each image is drawn by itself, so any three parts are independent.",
        source="Made by this module.",
        builder=build,
        sizes=SIZES,
    )
)

"""One seed, several independent streams: weights, data order, dropout, samples."""

import hashlib

import torch


def derive(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose of one run: streams of different purposes or seeds do not overlap by construction."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "big") >> 1


def generator(seed: int, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
    """A fresh generator for one purpose of one run."""
    return torch.Generator(device=device).manual_seed(derive(seed, purpose))


def seed_everything(seed: int, purpose: str) -> None:
    """Seeds torch's global generators, CPU and CUDA, which initialise weights and draw dropout masks."""
    torch.manual_seed(derive(seed, purpose))


class BatchOrder:
    """Which training images form update u: an endless stream of epoch permutations cut into batches.

    It depends on (seed, u) alone, so a resumed run sees the same batches without storing any state. Every image is seen once an epoch;
    no last batch is dropped.
    """

    def __init__(self, images: int, batch: int, seed: int):
        self.images, self.batch, self.seed = images, batch, seed
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)

    def indices(self, update: int) -> torch.Tensor:
        """(batch,) int64 indices of update 0, 1, ….."""
        first, parts, needed = update * self.batch, [], self.batch
        while needed:
            epoch, offset = divmod(first, self.images)
            part = self._permutation(epoch)[offset : offset + needed]
            parts.append(part)
            first, needed = first + len(part), needed - len(part)
        return torch.cat(parts)

    def _permutation(self, epoch: int) -> torch.Tensor:
        if epoch != self._epoch:
            self._epoch, self._order = epoch, torch.randperm(self.images, generator=generator(self.seed, f"epoch {epoch}"))
        return self._order

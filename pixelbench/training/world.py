"""Several processes that train one network together: each takes its rows of every batch, and all end up with the numbers of one.

How many there are is a matter of the machine, as micro-batches are. Every process draws the same batches and the same random numbers, all
of the whole batch; gradients are added up by shares of images, so that each makes the same update of the same weights. Whatever a process
wants the others to know (an end, a checkpoint, that it has failed) it says in the exchange that comes before each sum, so that none waits
for one that has left.
"""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store

from pixelbench.errors import UserError

#: A process that does not come to a sum for so long is lost; writing a checkpoint, or reading data, takes less.
PATIENCE = timedelta(hours=1)
_FAILED, _OUT_OF_MEMORY = 1, 2


class PeerFailed(RuntimeError):  # noqa: N818 (of another process, whose own error says what)
    """Another process could not go on with the run; this one can go on with the next."""


class PeerLost(RuntimeError):  # noqa: N818
    """Another process has ended, or cannot be reached any more."""


class World:
    """The processes of one training, seen from one of them. This class is a training in a single process, where nothing is exchanged.

    Attributes:
        rank: the number of this process; the first is 0 and the only one that writes.
        size: how many there are.
    """

    rank, size = 0, 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def rows(self, images: int) -> slice:
        """The rows of a batch of so many images that this process takes: as many as every other, or one more in the first ones."""
        least, more = divmod(images, self.size)
        first = self.rank * least + min(self.rank, more)
        return slice(first, first + least + (self.rank < more))

    def agree(self, wish: int) -> int:
        """The largest wish of all processes.

        Raises:
            PeerFailed: another process says that it cannot go on.
            PeerLost: another process says nothing.
        """
        return wish

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Put into each tensor the sum of those of all processes.

        Raises:
            PeerFailed, PeerLost: as in `agree`.
        """

    def handed_out(self, blob: bytes) -> bytes:
        """The blob of process 0.

        Raises:
            PeerFailed, PeerLost: as in `agree`.
        """
        return blob

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Within, an error of this process is told to the others, wherever they wait for it."""
        yield


ALONE = World()


class Processes(World):
    """The processes of torch's process group; what is exchanged between hosts, the wishes, goes by the CPU and waits for no device."""

    def __init__(self, group: dist.ProcessGroup | None = None) -> None:
        self.rank, self.size, self._group = dist.get_rank(group), dist.get_world_size(group), group

    def agree(self, wish: int) -> int:
        return self._exchange(wish)

    @torch.inference_mode()  # scores are inference tensors, which nothing else may change
    def add_up(self, tensors: Sequence[Tensor]) -> None:
        self._exchange()
        for kind in dict.fromkeys(tensor.dtype for tensor in tensors):
            same = [tensor for tensor in tensors if tensor.dtype == kind]
            flat = torch.cat([tensor.reshape(-1) for tensor in same])
            with _reaching_all():
                dist.all_reduce(flat, group=self._group)
            for tensor, part in zip(same, flat.split([tensor.numel() for tensor in same]), strict=True):
                tensor.copy_(part.view(tensor.shape))

    def handed_out(self, blob: bytes) -> bytes:
        self._exchange()
        length = torch.tensor([len(blob)])
        first = 0 if self._group is None else dist.get_global_rank(self._group, 0)
        with _reaching_all():
            dist.broadcast(length, first, self._group)
            found = torch.frombuffer(bytearray(blob), dtype=torch.uint8) if self.leads else torch.empty(int(length), dtype=torch.uint8)
            dist.broadcast(found, first, self._group)
        return blob if self.leads else found.numpy().tobytes()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        try:
            yield
        except (PeerFailed, PeerLost):
            raise
        except (Exception, GeneratorExit) as fault:  # the latter: whoever takes the points of a curve wants no more of them
            with contextlib.suppress(PeerFailed, PeerLost):
                self._exchange(failed=_OUT_OF_MEMORY if "out of memory" in str(fault) else _FAILED)
            raise

    def _exchange(self, wish: int = 0, failed: int = 0) -> int:
        said = torch.tensor([wish, failed])
        with _reaching_all():
            dist.all_reduce(said, dist.ReduceOp.MAX, self._group)
        wish, failed = said.tolist()
        if failed:
            how = "is out of memory" if failed == _OUT_OF_MEMORY else "has failed; what it printed says how"
            raise PeerFailed(f"Another process of this run {how}")
        return wish


@contextlib.contextmanager
def _reaching_all() -> Iterator[None]:
    try:
        yield
    except RuntimeError as fault:  # whatever the transport says of a connection that is closed, or silent
        raise PeerLost("Another process of this run has ended, or cannot be reached any more") from fault


def process_group(store: Store, rank: int, size: int, device: str) -> Processes:
    """Join the process group of so many processes, gloo on the CPU, and NCCL besides where `device` is a CUDA device.

    Raises:
        UserError: the others cannot be reached.
    """
    kinds: dict[str, Any] = {"backend": "gloo"}
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
        kinds = {"backend": "cpu:gloo,cuda:nccl"}
    try:
        dist.init_process_group(**kinds, store=PrefixStore("group", store), rank=rank, world_size=size, timeout=PATIENCE)
    except RuntimeError as fault:
        raise UserError(f"The {size} processes of the run cannot reach each other: {str(fault).splitlines()[0]}.") from fault
    return Processes()

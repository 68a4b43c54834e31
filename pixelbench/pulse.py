"""The thread between a long loop and whoever looks after its process: the loop tells that it goes on, and is told to store a checkpoint.

Both concern the process as a whole, as signals do, so both are the process's own and not handed through every call.
"""

from collections.abc import Callable


def _no_pulse() -> None:
    """Listen where nobody else does."""


_listener: Callable[[], None] = _no_pulse
_wanted = False


def beat() -> None:
    """Give a sign of life; called once an update, a batch, a drawn sub-pixel."""
    _listener()


def listen(listener: Callable[[], None]) -> None:
    """Call `listener` at every beat from now on, in the loop's own thread: it must be quick."""
    global _listener
    _listener = listener


def ask_for_checkpoint() -> None:
    """Let the training store a checkpoint after the update that it is at; safe in a signal handler."""
    global _wanted
    _wanted = True


def checkpoint_wanted() -> bool:
    """Whether somebody has asked for a checkpoint since the last call."""
    global _wanted
    wanted, _wanted = _wanted, False
    return wanted

"""What many damaged inputs end in: a value or one sentence, each soon."""

import random
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from pixelbench.errors import UserError

#: Seconds of CPU that no input may take; wall time would say how busy the machine is.
LONGEST = 2.0


def outcomes(count: int, seed: int, attempt: Callable[[random.Random], object]) -> tuple[int, int, list[str]]:
    """How many attempts ended in a value and in a sentence, and a line for each that ended in neither, or late.

    `attempt` gets a generator of its own, from `seed` and its number, so that one can be repeated alone.
    """
    fine, refused, wrong = 0, 0, []
    for number in range(count):
        begun = time.process_time()
        try:
            attempt(random.Random(f"{seed}/{number}"))
            fine += 1
        except UserError as error:
            refused += 1
            if not str(error).strip() or len(str(error)) > 20_000:
                wrong.append(f"{number}: a sentence of {len(str(error))} characters")
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            wrong.append(f"{number}: {type(error).__name__}: {str(error)[:200]} ({Path(last.filename).name}:{last.lineno})")
        if time.process_time() - begun > LONGEST:
            wrong.append(f"{number}: {time.process_time() - begun:.1f} s")
    return fine, refused, wrong

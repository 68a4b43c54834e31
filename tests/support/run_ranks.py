"""`pixelbench` as so many processes that share each run, on whatever device: `python -m tests.support.run_ranks SIZE ARGUMENT…`."""

import sys

from pixelbench.cli.cluster.ranks import start

if __name__ == "__main__":
    size, *arguments = sys.argv[1:]
    sys.exit(start(int(size), [sys.executable, "-m", "pixelbench", *arguments]))

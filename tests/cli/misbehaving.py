"""A module file whose modules do to their process what they should not; without that, each is the causal one."""

MODULES = '''
import argparse
import ctypes
import os
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn.functional import pad

LIBC = ctypes.CDLL(None)
options = argparse.ArgumentParser()
options.add_argument("--maps", type=int, default=4)
MAPS = options.parse_args().maps


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, MAPS, 1)

    def forward(self, images):
        self.odd()
        return self.conv(pad(images.to(self.conv.weight.dtype), (1, 0))[..., :-1])

    def odd(self):
        pass


class Leaky(Causal):
    def forward(self, images):
        self.odd()
        return self.conv(images.to(self.conv.weight.dtype))


class Prints(Leaky):
    def odd(self):
        print("printed by Python", file=sys.stderr)
        print("printed by Python")
        os.write(1, b"written below Python\\n")
        LIBC.puts(b"printed by C")
        LIBC.fflush(None)
        subprocess.run(["echo", "printed by another process"], check=True)


class PrintsAndFails(Prints):
    def odd(self):
        super().odd()
        print("\\x1b[31mred")
        raise ValueError("no weights")


class Exits(Causal):
    def odd(self):
        os._exit(0)


class ExitsLater(Causal):
    calls = []

    def odd(self):
        self.calls.append(1)
        if len(ExitsLater.calls) > 20:
            sys.exit(0)


class Interrupts(Causal):
    def odd(self):
        raise KeyboardInterrupt  # in forward


class Aborts(Causal):
    def odd(self):
        LIBC.abort()


class Closes(Causal):
    def odd(self):
        os.closerange(0, 4096)


class Hangs(Causal):
    def odd(self):
        while True:
            pass


class Allocates(Causal):
    def odd(self):
        torch.ones(50 * 2**30 // 4)


class Forks(Causal):
    """One copy comes back from forward as well, one never ends and holds all pipes open."""

    forks = True

    def odd(self):
        if Forks.forks:
            Forks.forks = False
            os.fork()
            if os.fork() == 0:
                time.sleep(1000)


class SpoilsUs(Causal):
    def odd(self):
        import pixelbench.causality.analysis.summary

        pixelbench.causality.analysis.summary.tally = int


def exits():
    os._exit(0)


def ends():
    sys.exit()


def interrupts():
    raise KeyboardInterrupt  # in the factory


def slow():
    time.sleep(2)
    return Causal()


def hangs():
    open("child", "w").write(str(os.getpid()))
    time.sleep(1000)
'''

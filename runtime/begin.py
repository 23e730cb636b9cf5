"""The first step of a long-lived process of ours: its module is imported, then its ``main`` runs.

Owns how it is imported: without the garbage collector, which would walk again and again through what an import makes
and keeps, for a third of the time that a console takes to be back. Must import nothing but the standard library.

    python -m runtime.begin MODULE [ARGUMENT ...]
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector wait while modules are imported; it is as it was afterwards."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def main(arguments: list[str]) -> None:
    """Import MODULE and run its ``main``, which finds the arguments after it in ``sys.argv``."""
    with uncollected():
        module = import_module(arguments[0])
        # What is there now stays for the life of the process: the collector need not look at it ever.
        gc.freeze()
    sys.argv = arguments
    module.main()


if __name__ == "__main__":
    main(sys.argv[1:])

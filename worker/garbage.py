"""How often does a process that handles batches look for garbage? Seldom.

What a batch makes is given back as soon as nobody refers to it; cycles are few. But Python counts
objects, and a batch makes so many of them that it would go through all that Celery, SQLAlchemy and
pydantic hold several times for each batch: a quarter of a worker's time.
"""

import gc
from typing import Any

from celery import signals

NEW_OBJECTS = 50_000
"""Objects more made than given back, before the youngest are looked through; Python says 700."""

YOUNGER = 20
OLDER = 100
"""How often one generation is looked through before the next is; Python says 10."""


def attach() -> None:
    """Have the processes of a worker do so, from their start on."""
    signals.worker_process_init.connect(collect_seldom, weak=False)


def collect_seldom(**_: Any) -> None:
    """Leave out for good what is there already, and look through the rest seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, YOUNGER, OLDER)

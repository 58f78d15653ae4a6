"""Processes that handle batches look for garbage seldom; others are left alone."""

import subprocess
import sys

PROGRAM = """
import gc
from celery import signals
import worker.app
before = gc.get_threshold(), gc.get_freeze_count()
signals.worker_process_init.send(sender=None)
print(before[0] == gc.get_threshold(), gc.get_threshold()[0], before[1], gc.get_freeze_count() > 0)
"""


def test_only_a_process_of_the_pool_looks_for_garbage_seldom() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["False", "50000", "0", "True"]

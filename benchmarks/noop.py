"""The reference of all rates: what does Celery itself carry, doing nothing?

``celery -A benchmarks.noop worker --pool=prefork --concurrency=2`` on the Redis that is measured.
"""

import os

from celery import Celery

QUEUE = "noop"

app = Celery("noop", broker=os.environ.get("NOOP_REDIS", ""))
app.conf.update(
    task_default_queue=QUEUE,
    task_acks_late=True,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    worker_hijack_root_logger=False,
)


@app.task(shared=False, name="noop")  # type: ignore[untyped-decorator] # Celery has no types
def noop(ticket_id: int) -> None:
    """Nothing."""

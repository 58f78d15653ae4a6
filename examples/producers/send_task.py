"""Tell Fieldfare through Celery that an agent created a ticket. Needs the package celery[redis].

Usage: REDIS_URL=redis://127.0.0.1:6379/0 python send_task.py TICKET_ID
"""

import os
import sys

from celery import Celery

app = Celery(broker=os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))
app.conf.broker_transport_options = {"global_keyprefix": "fieldfare:celery:"}

app.send_task(
    "ticket.created",
    args=[int(sys.argv[1])],
    kwargs={"screen": "AgentTicketPhone", "fields": ["CustomerPhone"]},
    queue="events",
    declare=[],  # the queue is there; a producer's user may not declare it
    ignore_result=True,
)

"""Tell Fieldfare that the customer of a ticket changed. Needs the package redis.

Usage: REDIS_URL=redis://127.0.0.1:6379/0 python emit.py TICKET_ID
"""

import os
import sys

import redis

with redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")) as client:
    entry = client.xadd(
        "fieldfare:events",
        {"type": "ticket.customer_changed", "ticket_id": sys.argv[1]},
    )
sys.stdout.write(f"{entry.decode()}\n")

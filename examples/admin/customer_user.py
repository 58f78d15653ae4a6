"""Ask Fieldfare's admin worker who a customer user is. Needs the package celery[redis].

Usage: REDIS_URL=redis://127.0.0.1:6379/0 python customer_user.py LOGIN
"""

import json
import os
import sys

from celery import Celery

url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
prefix = {"global_keyprefix": "fieldfare:celery:"}
app = Celery(broker=url, backend=url)
app.conf.update(broker_transport_options=prefix, result_backend_transport_options=prefix)

# A call that nobody took within half a minute is of no use any more. The queue is there; the Redis
# user of a caller may not declare it.
call = app.send_task("customer_user.get", args=[sys.argv[1]], queue="admin", expires=30, declare=[])
json.dump(call.get(timeout=30), sys.stdout, ensure_ascii=False, indent=2)

"""Flower's way to Fieldfare's workers: as the Redis user ``monitor``, who looks on.

CELERY_CONFIG_MODULE=celeryconfig celery flower
"""

import os
from pathlib import Path
from urllib.parse import quote

_address = os.environ.get("REDIS_ADDRESS", "valkey:6379/0")
_file = Path(os.environ.get("REDIS_PASSWORD_FILE", "/run/secrets/redis_monitor"))

broker_url = f"redis://monitor:{quote(_file.read_text().strip(), safe='')}@{_address}"
broker_transport_options = {
    "global_keyprefix": "fieldfare:celery:",
    # Keys of its own: messages that workers have in hand are none of its business.
    "unacked_key": "monitor.unacked",
    "unacked_index_key": "monitor.unacked_index",
    "unacked_mutex_key": "monitor.unacked_mutex",
}
# Flower asks how long this queue is; Celery's own default is none of ours.
task_default_queue = "events"

"""Flower asks for a password: whoever sees it can also stop workers.

celery flower --conf=flowerconfig.py
"""

import os
from pathlib import Path

_file = Path(os.environ.get("FLOWER_PASSWORD_FILE", "/run/secrets/flower_password"))

basic_auth = [f"admin:{_file.read_text().strip()}"]

"""``python -m worker`` is ``fieldfare``."""

from worker.cli import main

main()

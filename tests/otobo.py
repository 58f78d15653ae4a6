"""The small ticket system that the tests play with; the demo plays with the same."""

from worker.demo.ticket_system import (
    AGENT,
    HISTORY_TYPES,
    LONG_AGO,
    ROOT,
    WORKER,
    WORKER_LOGIN,
    Otobo,
    seed,
)

__all__ = [
    "AGENT",
    "HISTORY_TYPES",
    "LONG_AGO",
    "ROOT",
    "WORKER",
    "WORKER_LOGIN",
    "Otobo",
    "seed",
]

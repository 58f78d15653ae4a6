"""Which processes of a worker trace? Those that handle batches, from their fork to their end."""

from typing import Any

from celery import Celery, bootsteps, signals

from worker import tracing
from worker.settings import load


def attach(application: Celery) -> None:
    """Have each worker of an application trace, where the settings say so.

    Reads no configuration. Also those that Celery's own command line starts do.
    """

    class TracingStep(bootsteps.Step):  # type: ignore[misc]  # Celery has no types
        """Makes sure in the main process that its children will be able to trace."""

        def include_if(self, _worker: Any) -> bool:
            return load().tracing.enabled

        def create(self, _worker: Any) -> None:
            tracing.require()

            def begin(**_: Any) -> None:
                tracing.begin()

            def end(**_: Any) -> None:
                tracing.end()

            signals.worker_process_init.connect(begin, weak=False)
            signals.worker_process_shutdown.connect(end, weak=False)

    application.steps["worker"].add(TracingStep)

"""Where are the metrics served? By the main process of each ticket worker, on a port of its own.

The processes of a worker count in files of a temporary folder (the multiprocess mode of
prometheus-client), and the main process adds up what is there when it is asked. Files of a child
that died stay as long as the worker does, so nothing that was counted is lost and no counter goes
back. There are no gauges among them, so none can be left over from a dead child.
"""

import atexit
import os
import re
import shutil
import tempfile
import threading
from pathlib import Path
from socket import SOCK_STREAM, getaddrinfo
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import structlog
from celery import Celery, bootsteps, signals

from worker import health, heartbeat, metrics
from worker.broker import redis_url
from worker.settings import MetricsSettings, Settings, load

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_FOLDER = re.compile(r"fieldfare-metrics-(\d+)-\w+", re.ASCII)

log = structlog.get_logger("fieldfare")


class MetricsServer:
    """Counts from the moment it is made, serves from ``start`` to ``stop``.

    It is made before the worker forks, so that all its processes count.

    Raises:
        MetricsNotServed: the port is taken, or the address is not this machine's.
    """

    def __init__(self, settings: Settings) -> None:
        self._main = os.getpid()
        self._settings = settings
        try:
            self._server = _Server(settings.metrics)
        except OSError as error:
            where = f"{settings.metrics.host} port {settings.metrics.port}"
            raise metrics.MetricsNotServed(where, error.strerror or str(error)) from None
        self._folder: Path | None = _new_folder()
        # Celery may end without a word to its parts, when it could not be started.
        atexit.register(self.stop)
        os.environ[FOLDER_VARIABLE] = str(self._folder)
        _count_in_files()
        metrics.begin()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port

    def start(self) -> None:
        """Serve from now on, in a thread."""
        self._server.set_app(self._application())
        thread = threading.Thread(
            target=self._server.serve_forever, name="fieldfare-metrics", daemon=True
        )
        thread.start()
        log.info("metrics.served", host=self._settings.metrics.host, port=self.port)

    def stop(self) -> None:
        """Serve and count no more; may be called again."""
        if os.getpid() != self._main or self._folder is None:
            return
        if self._server.get_app() is not None:
            self._server.shutdown()
        self._server.server_close()
        metrics.end()
        _close_files()
        os.environ.pop(FOLDER_VARIABLE, None)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = None
        atexit.unregister(self.stop)

    def leave(self) -> None:
        """In a child: let go of the port, so that it is free when the main process is gone."""
        if os.getpid() != self._main:  # with the pool "solo" there is no child
            self._server.socket.close()

    def _application(self) -> Any:
        from prometheus_client import CollectorRegistry, make_wsgi_app  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        from worker.metrics_redis import RedisCollector  # noqa: PLC0415

        settings = self._settings
        client = heartbeat.connect(redis_url(settings.redis))
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        registry.register(RedisCollector(client, settings))
        return make_wsgi_app(registry)


def attach(application: Celery) -> None:
    """Have each worker of an application serve its metrics, where the settings say so.

    Reads no configuration. Also those that Celery's own command line starts do.
    """

    class MetricsStep(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery has no types
        """Serves from before the first connection until the last batch is finished."""

        requires = ("celery.worker.components:Pool",)  # its threads begin after the first fork

        def include_if(self, _worker: Any) -> bool:
            self.settings = load()
            return self.settings.metrics.port != 0

        def create(self, _worker: Any) -> MetricsServer:
            server = MetricsServer(self.settings)

            def leave(**_: Any) -> None:
                server.leave()

            signals.worker_process_init.connect(leave, weak=False)
            return server

    application.steps["worker"].add(MetricsStep)


class _Server(ThreadingMixIn, WSGIServer):
    """Listens at once, and answers each request in a thread."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, settings: MetricsSettings) -> None:
        found = getaddrinfo(settings.host, settings.port, type=SOCK_STREAM)
        self.address_family, _, _, _, address = found[0]
        super().__init__((str(address[0]), settings.port), _Quiet)

    def server_bind(self) -> None:
        """As WSGIServer does, but without asking a name server what this machine is called."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    """Does not log each scrape, and does not wait for ever for a request."""

    timeout = 10

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _new_folder() -> Path:
    """A folder for this process; those of workers that were killed are cleared away."""
    place = Path(tempfile.gettempdir())
    for path in place.glob("fieldfare-metrics-*"):
        found = _FOLDER.fullmatch(path.name)
        if found and path.lstat().st_uid == os.getuid() and not health.runs(int(found[1])):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"fieldfare-metrics-{os.getpid()}-"))


def _count_in_files() -> None:
    """Switch prometheus-client to files, also where somebody imported it before."""
    from prometheus_client import values  # noqa: PLC0415 - it looks at the variable at its import

    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


def _close_files() -> None:
    from prometheus_client import values  # noqa: PLC0415

    values.close_all_multiprocess_files()  # type: ignore[no-untyped-call]

"""The demo's LDAP server: slapd where it is installed, else ldaptor's in-memory server.

Run as a program (``python -m worker.demo.ldap_server PORT``) it is the latter.
"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

from worker.demo import sample
from worker.embed import free_port, running

SCHEMA_FOLDER = Path("/etc/ldap/schema")
SLAPD_PATHS = "/usr/sbin:/usr/local/sbin:/usr/libexec"

_SLAPD_CONF = f"""\
include {SCHEMA_FOLDER}/core.schema
include {SCHEMA_FOLDER}/cosine.schema
include {SCHEMA_FOLDER}/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {{folder}}/slapd.pid
database mdb
suffix "{sample.BASE_DN}"
directory {{folder}}/db
index uid eq
"""


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, str] | None]:
    """Run an LDAP server with the sample people.

    Yields:
        Its URI and what it is, or None where neither server is installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    uri = f"ldap://127.0.0.1:{port}"
    slapd = shutil.which("slapd") or shutil.which("slapd", path=SLAPD_PATHS)
    if slapd and (SCHEMA_FOLDER / "inetorgperson.schema").exists():
        command, name = _slapd_command(slapd, folder, uri), "slapd"
    elif find_spec("ldaptor"):
        command = [sys.executable, "-m", "worker.demo.ldap_server", str(port)]
        name = "ldaptor's in-memory server"
    else:
        yield None
        return
    with running(name, command, folder / "ldap.log", lambda: _listens(port)):
        yield uri, name


def _slapd_command(slapd: str, folder: Path, uri: str) -> list[str]:
    (folder / "db").mkdir(exist_ok=True)
    configuration = folder / "slapd.conf"
    configuration.write_text(_SLAPD_CONF.format(folder=folder), encoding="utf-8")
    people = folder / "people.ldif"
    people.write_text(sample.ldif(), encoding="utf-8")
    load = [slapd, "-T", "add", "-f", str(configuration), "-l", str(people)]
    subprocess.run(load, check=True, capture_output=True)  # noqa: S603 - our own files
    return [slapd, "-f", str(configuration), "-h", uri, "-d", "0"]


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def main(port: int) -> None:
    """Serve the sample people from memory until the process is stopped."""
    from ldaptor.inmemory import fromLDIFFile  # noqa: PLC0415
    from ldaptor.interfaces import IConnectedLDAPEntry  # noqa: PLC0415 - only for the demo
    from ldaptor.protocols.ldap.ldapserver import LDAPServer  # noqa: PLC0415
    from twisted.internet import reactor as twisted_reactor  # noqa: PLC0415
    from twisted.internet.protocol import ServerFactory  # noqa: PLC0415
    from twisted.python.components import registerAdapter  # noqa: PLC0415

    reactor: Any = twisted_reactor

    class Factory(ServerFactory):
        protocol = LDAPServer

        def __init__(self, root: Any) -> None:
            self.root = root

    def listen(root: Any) -> None:
        adapt: Any = registerAdapter
        adapt(lambda factory: factory.root, Factory, IConnectedLDAPEntry)
        reactor.listenTCP(port, Factory(root), interface="127.0.0.1")

    fromLDIFFile(BytesIO(sample.ldif().encode())).addCallback(listen)
    reactor.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))

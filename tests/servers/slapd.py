"""slapd as Debian packages it: one mdb database, readable by everybody, with TLS."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPException

from tests.servers.certificates import write_certificates
from tests.servers.process import Server, ServerFailed, find_program

UNITS = ("people", "people2", "groups")

CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
loglevel 0
sizelimit {size_limit}
pidfile {directory}/slapd.pid
TLSCACertificateFile {ca_file}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}

database mdb
suffix "{base_dn}"
rootdn "{admin_dn}"
rootpw {admin_password}
directory {directory}/data
maxsize 1073741824
dbnosync
index objectClass eq
index uid,mail,cn eq,sub
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""


class SlapdServer(Server):
    """An OpenLDAP server that starts with the base and the units people, people2 and groups."""

    name = "slapd"
    base_dn = "dc=example,dc=com"
    admin_dn = "cn=admin,dc=example,dc=com"
    admin_password = "throw-away"

    def __init__(self, size_limit: int = 500) -> None:
        """Prepare a server that ends a search after so many entries; 500 is slapd's own limit."""
        self._program = find_program("slapd", "slapd")
        super().__init__(ports=2)
        ca_file, certificate, key = write_certificates(self.directory)
        self.ca_file = str(ca_file)
        (self.directory / "data").mkdir()
        (self.directory / "slapd.conf").write_text(
            CONFIGURATION.format(
                directory=self.directory,
                size_limit=size_limit,
                ca_file=ca_file,
                certificate=certificate,
                key=key,
                base_dn=self.base_dn,
                admin_dn=self.admin_dn,
                admin_password=self.admin_password,
            )
        )

    @property
    def uri(self) -> str:
        """The plain port, on which StartTLS works too."""
        return f"ldap://127.0.0.1:{self.ports[0]}"

    @property
    def ldaps_uri(self) -> str:
        return f"ldaps://127.0.0.1:{self.ports[1]}"

    def start(self) -> None:
        empty = not any((self.directory / "data").iterdir())
        super().start()
        if empty:
            self.add(
                self.base_dn,
                {"objectClass": ["dcObject", "organization"], "dc": "example", "o": "Example"},
            )
            with self._connect() as connection:
                self._add_units(connection)

    def command(self) -> Sequence[str]:
        return (
            # slapd reserves memory for every file it could open; containers allow a billion.
            *("prlimit", "--nofile=4096:4096", "--"),
            *(self._program, "-d", "0", "-f", str(self.directory / "slapd.conf")),
            *("-h", f"{self.uri}/ {self.ldaps_uri}/"),
        )

    def answers(self) -> bool:
        try:
            # ldap3 does not close a socket that could not be connected, so it is not let try.
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            with self._connect() as connection:
                return bool(connection.bound)
        except (OSError, LDAPException):
            return False

    def add(self, dn: str, attrs: Mapping[str, object]) -> None:
        """Add an entry; ``attrs`` names its object classes too.

        Raises:
            ServerFailed: the server refuses it, with the server's reason.
        """
        with self._connect() as connection:
            _add(connection, dn, attrs)

    def replace(self, dn: str, attrs: Mapping[str, object]) -> None:
        """Give an entry other values of some attributes.

        Raises:
            ServerFailed: the server refuses it, with the server's reason.
        """
        with self._connect() as connection:
            changes = {name: [(ldap3.MODIFY_REPLACE, [value])] for name, value in attrs.items()}
            _check(dn, connection.modify(dn, changes))

    def load(self, ldif: str) -> None:
        """Add entries many at a time, with the server stopped for as long as it takes."""
        self.stop()
        file = self.directory / "entries.ldif"
        file.write_text(ldif)
        self.run(
            *(find_program("slapadd", "slapd"), "-q", "-f", str(self.directory / "slapd.conf")),
            *("-l", str(file)),
        )
        self.start()

    def clear(self) -> None:
        """Remove everything below the base and make the empty units again."""
        with self._connect() as connection:
            *_, entries, _ = connection.search(
                self.base_dn, "(objectClass=*)", ldap3.SUBTREE, attributes=["1.1"]
            )
            # Children before their parents.
            for dn in sorted((entry["dn"] for entry in entries), key=len, reverse=True):
                if dn != self.base_dn:
                    _check(dn, connection.delete(dn))
            self._add_units(connection)

    def _add_units(self, connection: Any) -> None:
        for unit in UNITS:
            attrs = {"objectClass": "organizationalUnit", "ou": unit}
            _add(connection, f"ou={unit},{self.base_dn}", attrs)

    @contextmanager
    def _connect(self) -> Iterator[Any]:  # ldap3's stubs do not know the answers of SAFE_SYNC
        server = ldap3.Server(self.uri, get_info=ldap3.NONE, connect_timeout=5)
        connection = ldap3.Connection(
            server,
            self.admin_dn,
            self.admin_password,
            client_strategy=ldap3.SAFE_SYNC,
            auto_bind=True,
            receive_timeout=10,
        )
        try:
            yield connection
        finally:
            # Connection's own context manager leaves a connection open that was bound before.
            connection.unbind()


def _add(connection: Any, dn: str, attrs: Mapping[str, object]) -> None:
    _check(dn, connection.add(dn, attributes=dict(attrs)))


def _check(dn: str, answer: tuple[Any, ...]) -> None:
    """Raise unless the server did what it was told."""
    result = answer[1]
    if result["description"] != "success":
        raise ServerFailed(f"{dn}: {result['description']} {result['message']}")

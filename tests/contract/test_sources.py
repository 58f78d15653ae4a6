"""Our own kinds of customer user source keep the contract, over every server that they can ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from directory.contract import MortalPlace, OutageContract, SearchContract, SourceContract
from tests.contract.ldap_source import LdapDirectory
from tests.contract.sql_source import SqlDirectory


class TestOurSources(SourceContract, SearchContract, OutageContract):
    @pytest.fixture(params=["sqlite", "postgresql", "mariadb", "ldap"])
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MortalPlace]:
        """Each kind of server, empty."""
        if request.param == "ldap":
            ldap = LdapDirectory(request.getfixturevalue("slapd"))
            yield ldap
            ldap.close()
            ldap.start()
            return
        server = None
        url = f"sqlite:///{tmp_path / 'people.sqlite'}"
        if request.param != "sqlite":
            server = request.getfixturevalue(f"{request.param}_server")
            url = server.create_database()
        sql = SqlDirectory(url, server, tmp_path)
        yield sql
        sql.close()
        if server is not None:
            server.drop_database(url)

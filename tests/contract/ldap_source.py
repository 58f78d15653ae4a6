"""The LDAP source as the contract suite of all sources sees it: over slapd, with ``uid`` as key."""

from collections.abc import Mapping
from typing import Any

from directory.config import LdapSourceConfig
from directory.ldap import LdapSource
from tests.servers import SlapdServer

MAP = {
    "UserLogin": "uid",
    "UserFirstname": "givenName",
    "UserLastname": "sn",
    "UserEmail": "mail",
    "UserCustomerID": "o",
    "UserPhone": "telephoneNumber",
}


def ldap_config(**overrides: Any) -> LdapSourceConfig:
    """Settings of a source over the test tree; ``extra_map`` adds rows to the Map."""
    rows: Mapping[str, str] = overrides.pop("extra_map", {})
    settings = {
        "host": "127.0.0.1",
        "base_dn": "ou=people,dc=example,dc=com",
        "customer_key": "uid",
        "customer_id": "o",
        "map": MAP | dict(rows),
        **overrides,
    }
    return LdapSourceConfig.model_validate(settings)


class LdapDirectory:
    """slapd with its empty units, and sources that ask it."""

    def __init__(self, server: SlapdServer) -> None:
        self.server = server
        self._sources: list[LdapSource] = []

    def source(self, **overrides: Any) -> LdapSource:
        source = LdapSource(ldap_config(**{"host": self.server.uri, **overrides}))
        self._sources.append(source)
        return source

    def add_person(  # noqa: PLR0913, PLR0917 - as the contract suite calls it
        self,
        login: str,
        first_name: str,
        last_name: str,
        email: str,
        customer_id: str,
        phone: str | None = None,
    ) -> None:
        attributes: dict[str, object] = {
            "uid": login,
            "givenName": first_name,
            "sn": last_name,
            "mail": email,
            "o": customer_id,
        }
        if phone is not None:
            attributes["telephoneNumber"] = phone
        self.add_entry(f"{first_name} {last_name} {login.encode().hex()}", **attributes)

    def add_entry(self, common_name: str, **attributes: object) -> str:
        """An inetOrgPerson with just these attributes (and an sn, which it must have); its DN."""
        dn = f"cn={common_name},ou=people,{self.server.base_dn}"
        self.server.add(
            dn, {"objectClass": "inetOrgPerson", "cn": common_name, "sn": "Sn"} | attributes
        )
        return dn

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server.start()

    def close(self) -> None:
        for source in self._sources:
            source.close()

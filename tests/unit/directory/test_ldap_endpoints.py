from typing import Any

import pytest

from directory.config import LdapSourceConfig
from directory.errors import SourceMisconfigured
from directory.ldap import LdapSource
from directory.ldap_wire import Endpoint, endpoints
from tests.contract.ldap_source import ldap_config


def config(*host: str, **more: Any) -> LdapSourceConfig:
    return ldap_config(host=host, **more)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("ldap.example.org", Endpoint("ldap", "ldap.example.org", 389)),
        (" ldap.example.org ", Endpoint("ldap", "ldap.example.org", 389)),
        ("ldap.example.org:3389", Endpoint("ldap", "ldap.example.org", 3389)),
        ("10.0.0.1", Endpoint("ldap", "10.0.0.1", 389)),
        ("::1", Endpoint("ldap", "::1", 389)),
        ("[::1]:3389", Endpoint("ldap", "::1", 3389)),
        ("ldap://ldap.example.org/", Endpoint("ldap", "ldap.example.org", 389)),
        ("LDAPS://ldap.example.org", Endpoint("ldaps", "ldap.example.org", 636)),
        ("ldaps://[::1]:1636", Endpoint("ldaps", "::1", 1636)),
        ("ldapi://%2Frun%2Fslapd%2Fldapi", Endpoint("ldapi", "/run/slapd/ldapi", 0)),
        ("ldapi:///", Endpoint("ldapi", "/var/run/slapd/ldapi", 0)),
    ],
)
def test_a_host_is_a_name_an_address_or_a_uri(host: str, expected: Endpoint) -> None:
    assert endpoints(config(host)) == (expected,)


def test_the_port_option_counts_where_a_host_names_none() -> None:
    found = endpoints(config("a", "b:99", "ldaps://c", port=3389))

    assert [endpoint.port for endpoint in found] == [3389, 99, 3389]


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (Endpoint("ldap", "a", 389), "ldap://a:389"),
        (Endpoint("ldaps", "::1", 636), "ldaps://[::1]:636"),
        (Endpoint("ldapi", "/run/ldapi", 0), "ldapi:///run/ldapi"),
    ],
)
def test_an_endpoint_is_shown_as_a_uri(endpoint: Endpoint, expected: str) -> None:
    assert str(endpoint) == expected


@pytest.mark.parametrize(
    "host",
    ["", "http://a", "a:port", "a:99999", "user@a", "ldap://a/dc=example", "[::1", "ldap://"],
)
def test_a_host_that_cannot_be_read_is_refused_with_an_example(host: str) -> None:
    with pytest.raises(SourceMisconfigured, match=r"right: ldap\.example\.org, "):
        endpoints(config(host))


def test_a_source_without_hosts_is_refused() -> None:
    with pytest.raises(SourceMisconfigured, match=r'right: host = "ldap\.example\.org"'):
        endpoints(config())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"always_filter": "objectclass=user"}, r"always_filter.*right: \"\(objectclass="),
        ({"always_filter": "(a=b))(|(uid=*)"}, "always_filter"),
        ({"always_filter": "(&(a=b)"}, "always_filter"),
        ({"always_filter": "(a)"}, "always_filter"),
        ({"always_filter": ")("}, "always_filter"),
        ({"base_dn": "example.com"}, "base_dn.*right"),
        ({"source_charset": "no-such-charset"}, 'source_charset.*right: "iso-8859-1"'),
        ({"customer_key": "uid)(cn"}, 'customer_key.*right: "uid"'),
        ({"map": {"UserEmail": "mail"}}, "the Map has no UserLogin"),
    ],
)
def test_a_source_that_can_never_answer_is_refused_when_it_is_built(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SourceMisconfigured, match=problem) as caught:
        LdapSource(ldap_config(slot="3", **options))

    assert caught.value.slot == "3"


@pytest.mark.parametrize(
    "options",
    [
        {"always_filter": ""},
        {"always_filter": "(objectclass=inetOrgPerson)"},
        {"always_filter": "(objectclass=person)(!(title=left))"},
        {"base_dn": ""},
        {"die": 1},
    ],
)
def test_what_otobo_accepts_is_accepted(options: dict[str, Any]) -> None:
    assert LdapSource(ldap_config(**options)).config.base_dn == options.get(
        "base_dn", "ou=people,dc=example,dc=com"
    )

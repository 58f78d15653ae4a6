"""The sample world: people in two directories, a few dynamic fields, and the settings for them.

``fieldfare demo`` plays in it, ``fieldfare worker --embedded`` serves it. Everything lives in one
folder, in SQLite files that an admin can open.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Column, Engine, MetaData, String, Table, create_engine, insert

from worker.demo.ticket_system import Otobo, seed
from worker.tickets import schema

BASE_DN = "dc=example,dc=com"
PEOPLE_DN = f"ou=people,{BASE_DN}"

FIELDS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "CustomerName": ("Text", {}),
    "CustomerPhone": ("Text", {}),
    "CustomerCity": ("Text", {}),
    "CustomerLevel": ("Dropdown", {"PossibleValues": {"gold": "Gold", "silver": "Silver"}}),
    "CustomerSince": ("Date", {}),
}
"""The ticket's dynamic fields: type and configuration by name."""

_CONTACTS: Sequence[Mapping[str, str]] = (
    {
        "login": "anna",
        "first_name": "Anna",
        "last_name": "Berg",
        "email": "anna@example.com",
        "phone": "+49 30 1111",
        "city": "Berlin",
        "level": "gold",
        "since": "2019-04-01",
    },
    {
        "login": "carl",
        "first_name": "Carl",
        "last_name": "Dahl",
        "email": "carl@example.com",
        "phone": "+46 8 2222",
        "city": "Stockholm",
        "level": "silver",
        "since": "2023-11-15",
    },
)
"""Rows of the first source: a table of a CRM, outside the ticket system."""

LDAP_PEOPLE: Sequence[Mapping[str, str]] = (
    {"uid": "emma", "givenName": "Emma", "sn": "Falk", "telephoneNumber": "+45 33 3333"},
    {"uid": "gita", "givenName": "Gita", "sn": "Holm", "telephoneNumber": "+47 22 4444"},
)
"""Entries of the second source, below ``PEOPLE_DN``; their city is the attribute ``l``."""

LDAP_CITIES: Mapping[str, str] = {"emma": "Copenhagen", "gita": "Oslo"}

_SETTINGS = """\
# The settings of Fieldfare's sample world.

[tickets]
url = "sqlite:///{folder}/tickets.sqlite"
worker_user = "fieldfare"

[redis]
url = "{redis_url}"

[health]
directory = "{folder}/health"

[sources.CustomerUser]
name = "CRM"
kind = "sql"
url = "sqlite:///{folder}/crm.sqlite"
table = "contacts"
foreign_db = true
customer_key = "login"
customer_id = "email"

[sources.CustomerUser.map]
UserLogin = "login"
UserFirstname = "first_name"
UserLastname = "last_name"
UserEmail = "email"
UserCustomerID = "email"
UserPhone = "phone"
UserCity = "city"
UserLevel = "level"
UserSince = "since"
{ldap}
[mapping.variables]
UserPhone = "CustomerPhone"
UserCity = "CustomerCity"
UserLevel = "CustomerLevel"
UserSince = "CustomerSince"

[[mapping.rules]]
from = "{{UserFirstname}} {{UserLastname}}"
to = "CustomerName"

# The phone number is typed on the screen for phone tickets, so that screen has precedence.
[precedence.screens.AgentTicketPhone]
CustomerPhone = 1
"""

_LDAP_SETTINGS = f"""
[sources.CustomerUser1]
name = "Company directory"
kind = "ldap"
host = "{{uri}}"
base_dn = "{BASE_DN}"
customer_key = "uid"
customer_id = "mail"

[sources.CustomerUser1.map]
UserLogin = "uid"
UserFirstname = "givenName"
UserLastname = "sn"
UserEmail = "mail"
UserCustomerID = "mail"
UserPhone = "telephoneNumber"
UserCity = "l"
"""


@dataclass(frozen=True, slots=True)
class World:
    """The sample world on disk.

    Attributes:
        folder: where its files are.
        settings: the settings file for it.
        fresh: it was made just now, and has no tickets yet.
    """

    folder: Path
    settings: Path
    fresh: bool

    @property
    def ticket_url(self) -> str:
        """The ticket database, as SQLAlchemy reaches it."""
        return f"sqlite:///{self.folder}/tickets.sqlite"


def prepare(folder: Path, redis_url: str, ldap_uri: str | None = None) -> World:
    """Make the sample world in a folder; what is there already stays as it is.

    The settings file is always written anew, since the servers' ports change.
    """
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    fresh = not (folder / "tickets.sqlite").exists()
    world = World(folder, folder / "fieldfare.toml", fresh)
    if not (folder / "crm.sqlite").exists():
        engine = create_engine(f"sqlite:///{folder}/crm.sqlite")
        make_crm(engine)
        engine.dispose()
    if fresh:
        _make_ticket_system(world)
    ldap = _LDAP_SETTINGS.format(uri=ldap_uri) if ldap_uri else ""
    world.settings.write_text(
        _SETTINGS.format(folder=folder, redis_url=redis_url, ldap=ldap), encoding="utf-8"
    )
    return world


def ldap_entry(person: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """DN and attributes of one of ``LDAP_PEOPLE``, complete for an inetOrgPerson."""
    uid = person["uid"]
    attributes = {
        "objectClass": "inetOrgPerson",
        "cn": f"{person['givenName']} {person['sn']}",
        "mail": f"{uid}@example.com",
        "l": LDAP_CITIES[uid],
        **person,
    }
    return f"uid={uid},{PEOPLE_DN}", attributes


def ldif() -> str:
    """The whole LDAP directory as LDIF (RFC 2849)."""
    suffix = f"dn: {BASE_DN}\nobjectClass: domain\ndc: example\n"
    people = f"dn: {PEOPLE_DN}\nobjectClass: organizationalUnit\nou: people\n"
    entries = [
        f"dn: {dn}\n" + "".join(f"{name}: {value}\n" for name, value in attributes.items())
        for dn, attributes in map(ldap_entry, LDAP_PEOPLE)
    ]
    return "\n".join((suffix, people, *entries, ""))  # ldaptor wants an empty line at the end


def make_crm(engine: Engine) -> None:
    """The table of the first source, with its people."""
    metadata = MetaData()
    columns = (Column(name, String(200), primary_key=name == "login") for name in _CONTACTS[0])
    contacts = Table("contacts", metadata, *columns)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(insert(contacts), [dict(contact) for contact in _CONTACTS])


def _make_ticket_system(world: World) -> None:
    engine = create_engine(world.ticket_url)
    schema.create_all(engine)
    seed(engine)
    engine.dispose()
    otobo = Otobo(world.ticket_url)
    add_fields(otobo)
    otobo.close()


def add_fields(otobo: Otobo) -> None:
    """The ticket's dynamic fields."""
    for name, (field_type, config) in FIELDS.items():
        otobo.add_field(name, field_type, config)

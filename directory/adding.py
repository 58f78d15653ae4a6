"""How are customer users added? All checks first, then one INSERT for those who pass them.

Each row is added or refused by itself; a source that does not answer keeps all of them out. The
login must be free in all sources, the email address in this one if its settings say so, and the
customer must be there (observed rule 59, D30). What others may have written since it was asked is
asked again within the transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from directory.admission import unusable_customers, unusable_logins
from directory.attributes import CUSTOMER_ID
from directory.automatic_logins import automatic_logins
from directory.customer_user_fields import refusals as field_refusals
from directory.customer_user_place import Given, password_column, place_of
from directory.directory import Directory
from directory.field_types import Definition
from directory.folding import fold
from directory.kept_otherwise import without_them
from directory.passwords import stored_form
from directory.refusals import Refused
from directory.source import WritableSource
from directory.source_transaction import (
    EMAIL,
    LOGIN,
    SourceTransaction,
    duplicate_email,
    duplicate_login,
)
from directory.ticket_side import known_fields, write_beside
from directory.write_rules import Place, Verdict, check_add
from directory.writing import Author, RolledBack, version


@dataclass(frozen=True, slots=True)
class Added:
    """A customer user who was added.

    Attributes:
        login: theirs.
        source: the source's name.
        fields: the variables that were given.
        version: of what is stored now.
    """

    login: str
    source: str
    fields: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True)
class _Newcomer:
    """A row that has passed all that can be checked beforehand."""

    login: str
    email: str = field(repr=False)
    verdict: Verdict
    cells: Mapping[str, str | int] = field(repr=False)


def add(
    directory: Directory,
    source: WritableSource,
    rows: Sequence[Given],
    author: Author,
    *,
    dry_run: bool = False,
) -> Sequence[Added | Refused]:
    """Add customer users to a source.

    Args:
        directory: with all sources.
        source: where to.
        rows: values by variable; ``UserPassword`` in clear.
        author: who writes.
        dry_run: do all of it and take it back; dynamic fields are checked and not written.

    Returns:
        For each row what became of it.

    Raises:
        SourceUnavailable: nothing was written. ``SourceOutcomeUnknown``: that is not known.
        DatabaseFault: the ticket system's database or the customers' does not answer; nothing
            was written.
    """
    results: dict[int, Added | Refused] = {}
    companions = directory.companions
    place = place_of(companions, source)
    known = known_fields(companions.tickets, place)
    checked = _checked(
        directory, source, place, known, _named(directory, source, rows, author), results
    )

    def work(
        newcomers: Mapping[int, _Newcomer], transaction: SourceTransaction
    ) -> Mapping[int, Added | Refused]:
        done = _insert(transaction, newcomers)
        if dry_run:
            raise RolledBack(done)
        added = {
            newcomers[place].login: newcomers[place].verdict.fields
            for place, one in done.items()
            if isinstance(one, Added)
        }
        write_beside(transaction, companions, known, added)
        return done

    def write(newcomers: Mapping[int, _Newcomer]) -> Mapping[int, Added | Refused]:
        return source.transact(partial(work, newcomers), author, rows=len(newcomers))

    results |= without_them(checked, lambda one: one.login, write)
    return [results[place] for place in range(len(rows))]


def _checked(  # noqa: PLR0913, PLR0917 - all that is known so far
    directory: Directory,
    source: WritableSource,
    place: Place,
    known: Mapping[str, Definition],
    rows: Sequence[Given],
    results: dict[int, Added | Refused],
) -> Mapping[int, _Newcomer]:
    """The rows that nothing is against so far, by place; what is against the others."""
    config = source.config
    verdicts: dict[int, Verdict] = {}
    for number, values in enumerate(rows):
        verdict = check_add(place, values)
        if refusals := verdict.refusals or field_refusals(known, verdict.fields, place):
            results[number] = refusals[0]
        else:
            verdicts[number] = verdict

    storages = config.storages

    def of(verdict: Verdict, variable: str) -> str:
        return str(verdict.columns.get(storages.get(variable, ""), ""))

    logins = {
        number: str(verdict.columns[config.customer_key]) for number, verdict in verdicts.items()
    }
    customers = [of(verdict, CUSTOMER_ID) for verdict in verdicts.values()]
    unusable = unusable_logins(directory.sources, source, list(logins.values()))
    unknown = unusable_customers(
        directory.companions.companies, config, customers, place.validity.get("valid", "1")
    )
    column = password_column(config)
    newcomers: dict[int, _Newcomer] = {}
    claimed: set[str] = set()
    for number, verdict in verdicts.items():
        login = logins[number]
        key = source.login_key(login)
        refused = unusable.get(login) or unknown.get(of(verdict, CUSTOMER_ID))
        if key in claimed:
            refused = duplicate_login(login, config.source_name)
        cells = dict(verdict.columns)
        try:
            if refused is not None:
                raise refused
            if verdict.password and column is not None:
                form, cost = config.password_form, config.bcrypt_cost
                cells[column] = stored_form(verdict.password, form, login, cost)
        except Refused as refusal:
            results[number] = refusal
            continue
        claimed.add(key)
        newcomers[number] = _Newcomer(login, of(verdict, EMAIL), verdict, cells)
    return newcomers


def _named(
    directory: Directory, source: WritableSource, rows: Sequence[Given], author: Author
) -> Sequence[Given]:
    """The rows, with a login made for those without one, if the source is set so."""
    config = source.config
    missing = [number for number, values in enumerate(rows) if not values.get(LOGIN)]
    if not config.auto_login_creation or not missing:
        return rows
    made = automatic_logins(
        len(missing),
        config.auto_login_creation_prefix,
        author.moment,
        lambda drawn: unusable_logins(directory.sources, source, drawn),
    )
    logins = dict(zip(missing, made, strict=True))
    return [
        {**values, LOGIN: logins[number]} if number in logins else values
        for number, values in enumerate(rows)
    ]


def _insert(
    transaction: SourceTransaction, newcomers: Mapping[int, _Newcomer]
) -> dict[int, Added | Refused]:
    """Add those who are still not there, and say of each what became of it."""
    source = transaction.config.source_name
    present = transaction.find([one.login for one in newcomers.values()])
    unique = transaction.config.customer_user_email_uniq_check
    owners = transaction.owners([one.email for one in newcomers.values()]) if unique else {}
    results: dict[int, Added | Refused] = {}
    claimed: set[str] = set()
    for place, one in newcomers.items():
        address = fold(one.email) if unique else ""
        if transaction.spelling(one.login) in present:
            results[place] = duplicate_login(one.login, source)
        elif address and (address in owners or address in claimed):
            results[place] = duplicate_email(source)
        else:
            claimed.add(address)
    places = [place for place in newcomers if place not in results]
    refused = transaction.insert([newcomers[place].cells for place in places])
    results |= {places[index]: refusal for index, refusal in refused.items()}
    added = [newcomers[place] for place in places if place not in results]
    stored = transaction.written([one.login for one in added])
    for place in places:
        if place not in results:
            one = newcomers[place]
            fields = one.verdict.variables
            results[place] = Added(one.login, source, fields, version(stored[one.login].attributes))
    return results

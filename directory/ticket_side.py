"""What of a customer user stands in the ticket system's database, whichever source they come from?

Preferences, assignments to customers and dynamic fields. Where the source stands there, too, they
are written in one transaction with its row. Elsewhere they are committed just before the source's
transaction, when all in it is done but the COMMIT: a fault in between leaves them under a login
that nobody has, and repeating the call writes them again to the same effect, and then the row.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from directory.companions import Companions
from directory.customer_user_fields import definitions, write
from directory.database import Database
from directory.field_types import Definition
from directory.map_values import Place, Texts
from directory.renaming import Moved, move
from directory.source_transaction import SourceTransaction
from directory.transactions import transact

TURN = "customer users of the ticket system"


@dataclass(frozen=True, slots=True)
class Beside:
    """What was written to the ticket system's database.

    Attributes:
        moved: what moved, by new login.
        fields: the dynamic fields that were changed, by login.
    """

    moved: Mapping[str, Moved]
    fields: Mapping[str, Collection[str]]


def known_fields(tickets: Database | None, place: Place) -> Mapping[str, Definition]:
    """The definitions of the dynamic fields that a Map names, by name.

    Args:
        tickets: the ticket system's database.
        place: the Map.

    Raises:
        DatabaseFault: the database does not answer.
    """
    names = [entry.storage for entry in place.entries if entry.storage_type == "dynamic_field"]
    if tickets is None or not names:
        return {}
    return tickets.ask(partial(definitions, names=names), tickets.deadline())


def write_beside(
    transaction: SourceTransaction,
    companions: Companions,
    known: Mapping[str, Definition],
    fields: Mapping[str, Mapping[str, Texts]],
    renamed: Mapping[str, str] | None = None,
) -> Beside:
    """Move what hangs on logins, and write dynamic fields; the last thing in a transaction.

    Args:
        transaction: of the source's rows, which are written already.
        companions: with the ticket system's database.
        known: the definitions of the fields.
        fields: texts by dynamic field, by login as it is now.
        renamed: new logins by old ones.

    Raises:
        DatabaseFault: the ticket system's database does not answer; roll back.
        Refused: something cannot be kept under a new login; roll back.
    """
    renames = dict(renamed or {})
    given = {login: texts for login, texts in fields.items() if texts}
    if companions.tickets is None or not (renames or given):
        return Beside({}, {})

    def work(connection: Connection) -> Beside:
        author = transaction.author
        moved = {
            new: move(connection, companions, old, new, author) for old, new in renames.items()
        }
        return Beside(moved, write(connection, known, given) if given else {})

    if transaction.config.in_ticket_database:
        return work(transaction.connection)
    return transact(companions.tickets, work, turn=TURN, rows=len(renames) + len(given))

"""May these customer users be written? What only others can tell, asked before anything is locked.

Is a login free in all sources, and is there the customer that somebody is to belong to? A source
that does not answer could know the login, so nothing is written then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from directory.attributes import CUSTOMER_ID
from directory.companions import COMPANY_VALID, Companies
from directory.config import SqlSourceConfig
from directory.errors import SourceUnavailable
from directory.model import Absent, CustomerUser, Found
from directory.refusals import Refusal, Refused
from directory.source import CustomerUserSource
from directory.source_transaction import LOGIN, duplicate_login


def whose(
    sources: Iterable[CustomerUserSource], logins: Collection[str]
) -> Mapping[str, tuple[CustomerUserSource, CustomerUser]]:
    """The first source that knows each login, and whom it knows by it; nobody is missing.

    Raises:
        SourceUnavailable: a source that could know one of them does not answer.
    """
    found: dict[str, tuple[CustomerUserSource, CustomerUser]] = {}
    for source in sources:
        asked = [login for login in dict.fromkeys(logins) if login and login not in found]
        if not asked:
            break
        for login, answer in source.find(asked).items():
            if isinstance(answer, Found):
                found[login] = (source, answer.customer_user)
            elif not isinstance(answer, Absent):
                raise SourceUnavailable(source.config.slot, answer.reason)
    return found


def unusable_logins(
    sources: Sequence[CustomerUserSource], target: CustomerUserSource, logins: Collection[str]
) -> Mapping[str, Refused]:
    """Why customer users of a source cannot have these logins, by login.

    Args:
        sources: all of them; each compares logins in its own way.
        target: the one that is to be written to.
        logins: the new ones.

    Raises:
        SourceUnavailable: a source does not answer.
    """
    refused: dict[str, Refused] = {}
    for source in sources:
        asked = [login for login in dict.fromkeys(logins) if login not in refused]
        for login, answer in (source.find(asked) if asked else {}).items():
            name = source.config.source_name
            if isinstance(answer, Found):
                refused[login] = duplicate_login(login, name)
            elif not isinstance(answer, Absent):
                raise SourceUnavailable(source.config.slot, answer.reason)
            elif answer.reason and source is target:
                message = f"{name} cannot hold the login: {answer.reason}; take another one"
                refused[login] = Refused("refused_by_database", message, field=LOGIN, source=name)
    return refused


def unusable_customers(
    companies: Companies | None,
    config: SqlSourceConfig,
    customer_ids: Collection[str],
    valid_id: str,
) -> Mapping[str, Refused]:
    """Why a customer user of a source cannot belong to these customers, by customer id (D30).

    Args:
        companies: the tables of customers; None if there are none to ask.
        config: the source; only with ``customer_company_support`` and ``require_customer`` must
            the customer be there.
        customer_ids: ids of customers; an empty one is nobody's.
        valid_id: the id of what is valid.

    Raises:
        DatabaseFault: a table of customers does not answer.
    """
    if companies is None or not (config.customer_company_support and config.require_customer):
        return {}
    asked = [id_ for id_ in dict.fromkeys(customer_ids) if id_]
    known = companies.read(asked) if asked else {}
    refused: dict[str, Refused] = {}
    for id_ in asked:
        if id_ not in known:
            message = (
                f"there is no customer {id_}; add it first, or set require_customer = false for "
                f"{config.source_name}"
            )
            refused[id_] = _refused("unknown_customer", message, config)
        elif known[id_].get(COMPANY_VALID, valid_id) != valid_id:
            message = f"the customer {id_} is not valid; make it valid first, or name another one"
            refused[id_] = _refused("invalid_customer", message, config)
    return refused


def _refused(error: Refusal, message: str, config: SqlSourceConfig) -> Refused:
    return Refused(error, message, field=CUSTOMER_ID, source=config.source_name)

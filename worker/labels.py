"""Readable texts of references, for the lines that OTOBO shows in a ticket's history.

An agent is named by the ticket system, a customer user and a company by the directory. What
cannot be named, or cannot be named now, has no text in the line; the value itself is written
all the same.
"""

from collections.abc import Collection, Mapping

from directory.model import Found
from directory.watch import NO_OUTAGES
from mapping.model import Labels
from worker.services import Services

AGENT = "Agent"
CUSTOMER_USER = "CustomerUser"
CUSTOMER_COMPANY = "CustomerCompany"

_MAIL_STRING = "UserMailString"


def labels_for(
    references: Collection[tuple[str, str]],
    services: Services,
    outages: Mapping[str, str] = NO_OUTAGES,
) -> Labels:
    """The texts of references: (field type, key) -> text; unknown ones are missing.

    Args:
        references: field type and key.
        services: whom to ask.
        outages: who is not to be asked, as for ``Directory.find``.

    Raises:
        TicketDatabaseUnavailable: the ticket database does not answer.
    """
    labels = dict(services.tickets.labels(references))
    if logins := sorted(key for kind, key in references if kind == CUSTOMER_USER and key):
        answers = services.directory.find(logins, {_MAIL_STRING}, outages=outages)
        for login, answer in answers.items():
            if isinstance(answer, Found):
                text = answer.customer_user.attributes.get(_MAIL_STRING)
                if isinstance(text, str):
                    labels[CUSTOMER_USER, login] = text
    if ids := sorted(key for kind, key in references if kind == CUSTOMER_COMPANY and key):
        for customer_id, name in services.directory.company_names(ids, outages).items():
            labels[CUSTOMER_COMPANY, customer_id] = name
    return labels

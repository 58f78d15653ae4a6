"""Who writes an admin's change, and when? The worker's agent, at the ticket system's own time."""

from datetime import UTC, datetime

from directory.writing import Author
from worker.services import Services
from worker.tickets.history import stamp


def author(services: Services) -> Author:
    """The author of what is written now.

    Raises:
        TicketDatabaseMisfit: there is no such agent, or it must not be used.
        TicketDatabaseUnavailable: the ticket database does not answer.
    """
    moment = stamp(datetime.now(UTC), services.zone)
    return Author(services.tickets.worker_user_id(), moment)

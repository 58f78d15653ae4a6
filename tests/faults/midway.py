"""What do tickets show while work goes on? All that they showed before, or all that they must show.

    torn(system, tickets)   # tickets that show something else just now; must be empty

For tickets that nobody but the worker writes to: those that were preloaded and not changed since.
A ticket of which some fields are written and others are not is torn, and so is one whose fields
were emptied because its customer user could not be looked up.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select

from tests.faults.simulator import Simulator
from worker.tickets import schema


def torn(system: Simulator, tickets: Sequence[int]) -> list[int]:
    """The tickets that show neither the values from before nor those they must have at rest."""
    value, field = schema.dynamic_field_value.c, schema.dynamic_field.c
    # One statement sees one moment.
    statement = (
        select(value.object_id, field.name, value.value_text)
        .select_from(schema.dynamic_field_value.join(schema.dynamic_field))
        .where(value.object_id.in_(tickets))
    )
    shown: dict[int, list[tuple[str, str]]] = defaultdict(list)
    with system.engine.connect() as connection:
        for ticket_id, name, text in connection.execute(statement):
            shown[ticket_id].append((name, text))
    return [
        ticket_id
        for ticket_id in tickets
        if sorted(shown[ticket_id])
        not in [
            sorted((name, text) for name, text in values.items() if text)
            for values in (system.initial(ticket_id), system.expected(ticket_id))
        ]
    ]

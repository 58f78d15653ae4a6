"""What do tickets show while work goes on? All that they showed before, or all that they must show.

    torn(system, tickets)      # tickets that show something else just now; must be empty
    touched(system, tickets)   # tickets that do not show what they showed before

For tickets that nobody but the worker writes to: those that were preloaded and not changed since.
A ticket of which some fields are written and others are not is torn.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from tests.faults.simulator import Simulator
from worker.tickets import schema

Shown = Sequence[tuple[str, str]]


def torn(system: Simulator, tickets: Sequence[int]) -> list[int]:
    """The tickets that show neither the values from before nor those they must have at rest."""
    shown = _shown(system, tickets)
    return [
        ticket
        for ticket in tickets
        if shown[ticket] not in (_rows(system.initial(ticket)), _rows(system.expected(ticket)))
    ]


def touched(system: Simulator, tickets: Sequence[int]) -> list[int]:
    """The tickets that do not show the values from before."""
    shown = _shown(system, tickets)
    return [ticket for ticket in tickets if shown[ticket] != _rows(system.initial(ticket))]


def _shown(system: Simulator, tickets: Sequence[int]) -> Mapping[int, Shown]:
    """Names and values of each ticket's rows, sorted; one statement sees one moment."""
    value, field = schema.dynamic_field_value.c, schema.dynamic_field.c
    statement = (
        select(value.object_id, field.name, value.value_text)
        .select_from(schema.dynamic_field_value.join(schema.dynamic_field))
        .where(value.object_id.in_(tickets))
    )
    shown: dict[int, list[tuple[str, str]]] = defaultdict(list)
    with system.engine.connect() as connection:
        for ticket, name, text in connection.execute(statement):
            shown[ticket].append((name, text))
    return {ticket: sorted(shown[ticket]) for ticket in tickets}


def _rows(values: Mapping[str, str]) -> Shown:
    return sorted((name, text) for name, text in values.items() if text)

"""The report in a terminal, and for programs: tables, plain data, CSV."""

import csv
from typing import Any, TextIO

from worker import render
from worker.handlers.report import MEANING, Report, State
from worker.reporting.words import about, number, percent

QUEUES = 10
"""Queues that the table shows: those with the most tickets."""


def plain(found: Report) -> dict[str, Any]:
    """The report as plain data; an estimate has its bounds beside it."""
    fields = []
    for one in found.fields:
        states = {state.value: value._asdict() for state, value in one.states.items()}
        drift = one.drift._asdict()
        fields.append({"field": one.name, "filled": one.filled, "states": states, "drift": drift})
    groups = [
        {
            **one.group._asdict(),
            "field": one.field,
            "tickets": one.tickets,
            "filled": one.filled,
            "looked": one.looked,
            "states": {state.value: number for state, number in one.states.items()},
        }
        for one in found.groups
    ]
    return {
        "tickets": found.tickets,
        "looked": found.looked,
        "full": found.full,
        "fields": fields,
        "groups": groups,
        "unavailable": found.unavailable,
    }


def write_csv(found: Report, out: TextIO) -> None:
    """A line for each group and field; how many of its tickets were looked at, and their states."""
    lines = csv.writer(out, lineterminator="\n")
    states = list(State)
    head = ["queue", "month", "open", "field", "tickets", "filled", "looked"]
    lines.writerow([*head, *(state.value for state in states)])
    for one in found.groups:
        group = [one.group.queue, one.group.month, "open" if one.group.open else "closed"]
        numbers = [one.tickets, one.filled, one.looked]
        lines.writerow([*group, one.field, *numbers, *(one.states[state] for state in states)])


def tell(found: Report) -> None:
    """A table of what stands in each field, and one of the queues."""
    if not found.tickets:
        return
    looked = f"; the directory was asked about {number(found.looked)} of them"
    render.show(f"{number(found.tickets)} tickets{'' if found.full else looked}", "")
    rows = render.table("field", "tickets", "of which each")
    for one in found.fields:
        share = percent(one.filled, found.tickets)
        rows.add_row(render.plain(one.name), f"{number(one.filled)} ({share})", "is filled")
        for state in State:
            if one.states[state].high and one.states[state].number:
                rows.add_row("", about(one.states[state], found.tickets), MEANING[state])
    render.show(rows)
    if not found.fields:
        return
    tickets: dict[str, int] = {}
    filled: dict[str, int] = {}
    for group in found.groups:
        queue = group.group.queue
        tickets[queue] = tickets.get(queue, 0) + group.tickets
        filled[queue] = filled.get(queue, 0) + group.filled
    if len(tickets) > 1:
        largest = sorted(tickets, key=lambda queue: (-tickets[queue], queue))
        rows = render.table("queue", "tickets", "fields filled")
        for queue in largest[:QUEUES]:
            all_ = tickets[queue] // len(found.fields)
            rows.add_row(render.plain(queue), number(all_), percent(filled[queue], tickets[queue]))
        if len(largest) > QUEUES:
            rows.add_row(f"… {len(largest) - QUEUES} more; --csv shows all", "", "")
        render.show("", rows)

"""How does a pass write, if not as for events? What somebody who asks for a resync may choose."""

from dataclasses import dataclass

from worker.tickets.store import ALL_TRACES, Traces


@dataclass(frozen=True, slots=True)
class Manner:
    """How a pass writes.

    Attributes:
        overruled: the directory's values are written also where the frontend's would stay.
        only_empty: a field that holds a value stays as it is.
        traces: what is left in a ticket beside its values.
    """

    overruled: bool = False
    only_empty: bool = False
    traces: Traces = ALL_TRACES


AS_FOR_EVENTS = Manner()

"""How large is each fault? The short form runs with all tests, the long one by ``make faults``.

Both run the same code with other numbers; ``pytest --faults long`` takes the long ones. A test
asks for the fixture ``form`` and reads the numbers of its fault, e.g. ``form.killed_workers``.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class KilledWorkers:
    """Fault 1: SIGKILL to worker processes, over all events."""

    kills: int
    events: int


@dataclass(frozen=True, slots=True)
class LostRedis:
    """Fault 2: SIGKILL and restart of Redis while events come in, and one FLUSHALL.

    Attributes:
        tries: the first time Redis stays away until a worker has tried to reach it so often.
    """

    kills: int
    events: int
    tries: int


@dataclass(frozen=True, slots=True)
class SilentDirectory:
    """Fault 3: slapd is in trouble for half of the events."""

    events: int


@dataclass(frozen=True, slots=True)
class RestartedDatabase:
    """Fault 4: restarts, cut connections, deadlocks and lock timeouts; ``times`` of each."""

    times: int
    events: int


@dataclass(frozen=True, slots=True)
class Disorder:
    """Fault 5: customer changes, shuffled and duplicated, and screens that write meanwhile.

    Attributes:
        changes: customer changes in all.
        tickets: among which they are spread.
        actors: agents of the ticket system that work at the same time.
    """

    changes: int
    tickets: int
    actors: int


@dataclass(frozen=True, slots=True)
class StoppedWorkers:
    """Fault 6: SIGTERM under load, as often as ``stops``."""

    stops: int
    events: int


@dataclass(frozen=True, slots=True)
class ClearOutcomes:
    """Fault 7: what cannot be written, read or found; tickets that are concerned each time."""

    tickets: int


@dataclass(frozen=True, slots=True)
class Form:
    """The numbers of all faults.

    Attributes:
        timeout: seconds after which a test is given up, on a machine that does much else.
    """

    name: Literal["short", "long"]
    timeout: float
    killed_workers: KilledWorkers
    lost_redis: LostRedis
    silent_directory: SilentDirectory
    restarted_database: RestartedDatabase
    disorder: Disorder
    stopped_workers: StoppedWorkers
    clear_outcomes: ClearOutcomes


SHORT = Form(
    name="short",
    timeout=600,
    killed_workers=KilledWorkers(kills=6, events=3_000),
    lost_redis=LostRedis(kills=2, events=1_000, tries=2),
    silent_directory=SilentDirectory(events=300),
    restarted_database=RestartedDatabase(times=3, events=1_000),
    disorder=Disorder(changes=2_000, tickets=400, actors=4),
    stopped_workers=StoppedWorkers(stops=3, events=1_500),
    clear_outcomes=ClearOutcomes(tickets=20),
)

LONG = Form(
    name="long",
    timeout=6 * 3600,
    killed_workers=KilledWorkers(kills=100, events=100_000),
    lost_redis=LostRedis(kills=50, events=25_000, tries=8),
    silent_directory=SilentDirectory(events=10_000),
    restarted_database=RestartedDatabase(times=50, events=25_000),
    disorder=Disorder(changes=50_000, tickets=5_000, actors=4),
    stopped_workers=StoppedWorkers(stops=20, events=20_000),
    clear_outcomes=ClearOutcomes(tickets=500),
)

FORMS = {form.name: form for form in (SHORT, LONG)}

"""Does a job wait for a source that does not answer? While most tickets need it, and for a while.

A directory that is started again is away for a minute, in which a job could come by a hundred
thousand tickets and list them all for another run. So it looks at the same part again until the
source answers. One that is away for good must not hold a job up for ever, and who asked for a few
tickets is told at once.
"""

from collections.abc import Collection, Mapping

from worker import guard_words
from worker.jobs import TICKETS, Job, tickets
from worker.outcomes import Kind
from worker.settings import ResyncSettings

AGAIN_SECONDS = 5
"""After so long the same part is looked at again."""

_SILENT = (Kind.WAITING, Kind.STALE)


def awaited(counts: Mapping[str, int], left: int, settings: ResyncSettings) -> tuple[str, ...]:
    """The names of the sources that are to be waited for; none if the job is to go on.

    Args:
        counts: what came of a part, see ``worker.tally``.
        left: how many tickets of the job are not done with, those of the part included.
        settings: say how many tickets are looked up together.
    """
    silent = sum(counts.get(f"{TICKETS}{kind}", 0) for kind in _SILENT)
    if not silent or 2 * silent < tickets(counts) or left <= settings.chunk:
        return ()
    named = (key.removeprefix(f"source/{kind}/") for kind in _SILENT for key in counts)
    return tuple(sorted({name for name in named if "/" not in name}))


def answered(counts: Mapping[str, int], silent: Collection[str]) -> bool:
    """Whether one of the sources that did not answer has answered for a ticket of a part."""
    return any(
        what == "source" and name in silent and kind not in _SILENT
        for what, kind, name in (key.split("/", 2) for key in counts if key.count("/") > 1)
    )


def words(job: Job, settings: ResyncSettings) -> str:
    """Why a job rests, for people; empty while it waits for no source."""
    if not job.awaited or job.silent_since is None:
        return ""
    until = guard_words.moment(job.silent_since + settings.wait_for_source)
    return f"it waits for {' and '.join(job.awaited)} to answer, until {until}"

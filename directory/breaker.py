"""Is a source worth asking at this moment? A circuit for each says so, from how it answered last.

A circuit is *closed* while its source answers. Some failures in a row *open* it: nobody asks any
more, and a source that hangs costs nobody its timeout. An open circuit is probed now and then, by
one process at a time, which makes it *half-open*; a probe that is answered closes it. What comes
right after that is on trial: until a real question was answered one failure opens it again, and the
pauses between probes go on growing. So what a probe cannot see costs no more than the probes do.

Pure: transitions take the time and give the next circuit. Who keeps them, and shares them with
others, is ``worker.source_states``. The readers of ``directory.companions`` have circuits as well.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

SLOW_SECONDS = 1.0
"""A question that failed after so long counts twice: it held up a whole batch."""

OVERDUE_SECONDS = 60.0
"""When nobody has probed for so long after a probe was due, questions are let through as probes."""


class Observation(NamedTuple):
    """How a source answered when it was asked.

    Attributes:
        reason: why not, free of secrets and attribute values; empty if it did.
        seconds: how long that took.
    """

    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When circuits open, and how long they rest.

    Attributes:
        failures: so many in a row open a circuit.
        window: seconds after which a failure is no longer in a row with the next.
        longest_pause: most seconds between two probes.
    """

    failures: int = 3
    window: float = 60.0
    longest_pause: float = 15.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """The circuit of one source. Times are seconds since 1970.

    Attributes:
        since: when the source began to answer, or stopped to.
        reason: why it does not answer; empty if it does.
        failures: how many in a row, slow ones twice; 0 while it answers.
        failed_at: when the last of them was.
        open: nobody is to ask.
        trials: how many probes were made since a real question was answered last.
        probe_at: when the next probe is due; of no meaning while it answers.
        probing_until: a process probes, and has until then.
        closed_at: when the circuit was closed last.
    """

    since: float = 0.0
    reason: str = ""
    failures: int = 0
    failed_at: float = 0.0
    open: bool = False
    trials: int = 0
    probe_at: float = 0.0
    probing_until: float = 0.0
    closed_at: float = 0.0

    @property
    def up(self) -> bool:
        """Whether the source answered when it was asked last."""
        return self.failures == 0

    def answered(self, now: float) -> "Circuit":
        """A question was answered; the same circuit if that is nothing new."""
        if self.up:
            return replace(self, trials=0) if self.trials else self
        return Circuit(since=now, closed_at=now if self.open else self.closed_at)

    def failed(self, seen: Observation, now: float, limits: Limits) -> "Circuit":
        """A question was not answered; the same circuit where that tells nothing new.

        Whoever asked before the circuit was closed tells of the outage that is over.
        """
        if self.open or now - seen.seconds < self.closed_at:
            return self
        weight = 2 if seen.seconds >= SLOW_SECONDS else 1
        in_row = self.failures if abs(now - self.failed_at) <= limits.window else 0
        opens = in_row + weight >= limits.failures or self.trials > 0
        return replace(
            self,
            since=now if self.up else self.since,
            reason=seen.reason,
            failures=in_row + weight,
            failed_at=now,
            open=opens,
            probe_at=now + _pause(self.trials, limits) if opens or self.up else self.probe_at,
        )

    def lets_through(self, now: float) -> bool:
        """Whether the source may be asked."""
        return not self.open or now > max(self.probe_at, self.probing_until) + OVERDUE_SECONDS

    def is_probed(self, now: float) -> bool:
        """Whether a process is probing."""
        return not self.up and now < self.probing_until

    def probe(self, now: float, seconds: float, limits: Limits) -> "Circuit":
        """Begin to probe, for so many seconds at most; the same circuit if that is not to be.

        Times that are further away than they can be come from a clock that is wrong.
        """
        waits = now < self.probe_at <= now + limits.longest_pause
        if self.up or waits or now < self.probing_until <= now + seconds:
            return self
        return replace(self, probing_until=now + seconds)

    def probed(self, seen: Observation, now: float, limits: Limits) -> "Circuit":
        """A probe came to its end; the same circuit if the source has answered meanwhile."""
        if self.up:
            return self
        if not seen.reason:
            trials = self.trials + self.open
            return Circuit(since=now, trials=trials, closed_at=now if self.open else self.closed_at)
        # Nobody's login was asked for, so it is not the fault of one.
        return replace(
            self,
            reason=seen.reason,
            failures=max(self.failures, limits.failures),
            failed_at=now,
            open=True,
            trials=self.trials + 1,
            probe_at=now + _pause(self.trials + 1, limits),
            probing_until=0.0,
        )


def _pause(trials: int, limits: Limits) -> float:
    """Seconds before the next probe: none before the first, then 1, 2, 4, 8 and so on."""
    return min(limits.longest_pause, 2.0 ** min(trials - 1, 30)) if trials else 0.0

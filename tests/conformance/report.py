"""What is printed of a run: a line for each case that fails, and the sums."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TextIO

from tests.conformance.conduct import End, Verdict

SEVERITY = (End.AGREES, End.DEVIATES, End.FAILS)
"""From the best end to the worst."""


def report(verdicts: Mapping[str, Sequence[Verdict]], out: TextIO) -> int:
    """Print what came of the cases over each database; returns the exit status.

    The last line counts each case once: one that fails over any database fails.
    """
    worst: dict[str, End] = {}
    for database, over in verdicts.items():
        for verdict in over:
            case = f"{verdict.case.id} ({database})"
            out.writelines(f"{case}: {problem}\n" for problem in verdict.problems)
            ends = [verdict.end, worst.get(verdict.case.id, verdict.end)]
            worst[verdict.case.id] = max(ends, key=SEVERITY.index)
    if len(verdicts) > 1:
        for database, over in verdicts.items():
            sums = _sums(Counter(verdict.end for verdict in over))
            out.write(f"tickets in {database}: {sums}\n")
    ends_of_all = Counter(worst.values())
    out.write(f"{_sums(ends_of_all)}\n")
    return 1 if ends_of_all[End.FAILS] else 0


def _sums(ends: Mapping[End, int]) -> str:
    return (
        f"{sum(ends.values())} cases: {ends[End.AGREES]} agree, "
        f"{ends[End.DEVIATES]} deviate as listed, {ends[End.FAILS]} fail"
    )

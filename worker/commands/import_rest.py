"""An import was cut off: what became of its other rows, and how are they imported?"""

from collections.abc import Mapping, Sequence
from typing import Any


def told(lines: Sequence[int], unknown: int, asked: Mapping[str, Any]) -> str:
    """What is said of the rows of which nothing was heard.

    Args:
        lines: where they begin; there is one at least.
        unknown: so many of them, the first, may be written.
        asked: what was asked for with each portion: ``update``, ``dry_run``,
            ``generate_passwords``.
    """
    dry_run, passwords = asked["dry_run"], asked["generate_passwords"]
    sure = lines[unknown:]
    parts = []
    if unknown:
        parts.append(f"whether anything of {_named(lines[:unknown])} is written is not known")
    if sure:
        parts.append(f"nothing of {_named(sure)} {'was checked' if dry_run else 'is written'}")
    advice = f"to go on, give the same command with --from-line {lines[0]}"
    if passwords and not dry_run:
        advice += ", and another file for --generate-passwords"
    if unknown:
        advice += f"; whoever is in by then is {'unchanged' if asked['update'] else 'refused'}"
    if unknown and passwords:
        advice += ", and needs another password (fieldfare customer-user set-password)"
    return f"{', and '.join(parts)}; {advice}"


def _named(lines: Sequence[int]) -> str:
    return f"lines {lines[0]} to {lines[-1]}" if len(lines) > 1 else f"line {lines[0]}"

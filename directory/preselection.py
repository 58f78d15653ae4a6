"""What is a server asked, that may answer too much but never too little?

A simpler condition than the whole one: what is left out of it is decided here, of what the server
gives. A database takes lists of texts and spans of times; an LDAP server takes values alone.
"""

from directory.search import ANYBODY, And, Between, Condition, Fits, Not, OneOf, Or, joined

MOST_COMPARISONS = 200
"""Comparisons of one preselection: SQLite takes 1,000 at the most, slapd 500."""

MOST_LISTED = 10_000
"""Texts of one list that goes to a database; SQLite takes 32,766 parameters."""


def preselection(  # noqa: PLR0911 - one for each kind of condition
    condition: Condition, most: int = MOST_COMPARISONS, *, in_table: bool = False
) -> Condition:
    """A simpler condition that nobody escapes of whom the whole one holds.

    What is negated is left out, since a server that says too much would then say too little, and
    so is what is too long for a server. ``ANYBODY`` if nothing is left.

    Args:
        condition: the whole one.
        most: comparisons that the server takes.
        in_table: the server is a database.
    """
    match condition:
        case And(parts):
            kept: list[Condition] = []
            for part in parts:
                simpler = preselection(part, most, in_table=in_table)
                cost = comparisons(simpler, in_table=in_table)
                if simpler != ANYBODY and cost <= most:
                    kept.append(simpler)
                    most -= cost
            return joined(And, kept) or ANYBODY
        case Or(parts):
            if sum(comparisons(part, in_table=in_table) for part in parts) > most:
                return ANYBODY
            alternatives = [preselection(part, most, in_table=in_table) for part in parts]
            return ANYBODY if ANYBODY in alternatives else joined(Or, alternatives) or condition
        case Not():
            return ANYBODY
        case Between():
            return condition if in_table else ANYBODY
        case OneOf(_, texts):
            return condition if len(texts) <= (MOST_LISTED if in_table else most) else ANYBODY
        case Fits(fields, pattern):
            too_much = pattern.everything or len(fields) > most
            return ANYBODY if too_much else condition


def comparisons(condition: Condition, *, in_table: bool = False) -> int:
    """How many values a server would have to compare; of a list a database says them at once."""
    match condition:
        case And(parts) | Or(parts):
            return sum(comparisons(part, in_table=in_table) for part in parts)
        case Not(part):
            return comparisons(part, in_table=in_table)
        case Fits(fields, _):
            return len(fields)
        case OneOf(_, texts):
            return 1 if in_table else len(texts)
        case Between():
            return 1

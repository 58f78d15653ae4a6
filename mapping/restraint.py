"""Which changes of a plan are left out, because less may be written than the directory says?

An answer that is out of date takes nothing away: a customer user who had no value for a field when
their source last answered may have one by now, and so may the ticket. And a resync can be asked
to fill what is empty, and to leave everything else.
"""

from collections.abc import Collection

from mapping.model import Decision, Plan, Reason


def without_losses(plan: Plan) -> Plan:
    """A plan from an answer that is out of date, without the changes that would empty a field.

    Neither does a rule's default replace a value that stands there. Such a field keeps what it
    holds until the source is asked again.
    """
    filled = {change.field_name for change in plan.changes if change.delete_ids}
    kept = {
        one.field
        for one in plan.decisions
        if one.decision is Decision.CLEAR
        or (one.decision is Decision.WRITE and one.reason is Reason.DEFAULT and one.field in filled)
    }
    return _keeping(plan, kept, Reason.STALE)


def only_empty(plan: Plan) -> Plan:
    """A plan without the changes of fields that hold a value. A row with an empty text is none."""
    kept = {
        one.field
        for one in plan.decisions
        if one.decision in {Decision.WRITE, Decision.CLEAR} and one.old_text
    }
    return _keeping(plan, kept, Reason.NOT_EMPTY)


def _keeping(plan: Plan, kept: Collection[str], reason: Reason) -> Plan:
    """A plan that leaves some of the fields that it would change."""
    if not kept:
        return plan
    return plan._replace(
        decisions=tuple(
            one._replace(decision=Decision.KEEP, reason=reason) if one.field in kept else one
            for one in plan.decisions
        ),
        changes=tuple(change for change in plan.changes if change.field_name not in kept),
    )

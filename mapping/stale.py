"""What may be written from an answer that is out of date? Values, but nothing that takes one away.

A customer user who had no value for a field when their source last answered may have one by now,
and so may the ticket. Such a field keeps what it holds until the source is asked again.
"""

from mapping.model import Decision, Plan, Reason


def without_losses(plan: Plan) -> Plan:
    """A plan from an answer that is out of date, without the changes that would empty a field.

    Neither does a rule's default replace a value that stands there.
    """
    filled = {change.field_name for change in plan.changes if change.delete_ids}
    kept = {
        one.field
        for one in plan.decisions
        if one.decision is Decision.CLEAR
        or (one.decision is Decision.WRITE and one.reason is Reason.DEFAULT and one.field in filled)
    }
    if not kept:
        return plan
    return plan._replace(
        decisions=tuple(
            one._replace(decision=Decision.KEEP, reason=Reason.STALE) if one.field in kept else one
            for one in plan.decisions
        ),
        changes=tuple(change for change in plan.changes if change.field_name not in kept),
    )

"""What must be written into a ticket's fields, and why? A plan, made from what is given alone.

For each rule, in code point order of the field names: can the field be a target, does somebody
else own its value (``precedence``), what would the rule put there (``values``, ``fields``), and is
that different from what stands there? One faulty field never stops the others (deviation D23).
A plan that was applied makes the next plan of the same ticket empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mapping import fields as kinds
from mapping import precedence as fronts
from mapping.errors import NotText, TransformFailed
from mapping.fields import MAX_TEXT, Canonical
from mapping.model import (
    Attributes,
    Change,
    Decision,
    DynamicField,
    EventHint,
    FieldDecision,
    Labels,
    Plan,
    Reason,
    TicketState,
)
from mapping.precedence import Moment, Precedence
from mapping.rules import Rule, Ruleset
from mapping.values import SECRETS, Several, is_text, one_text, texts_of

NO_LABELS: Labels = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything that the decisions on one ticket depend on."""

    ticket: TicketState
    attributes: Attributes | None
    ruleset: Ruleset
    fields: Mapping[str, DynamicField]
    precedence: Precedence
    hints: Sequence[EventHint]
    several: Several
    labels: Labels


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a rule would put into a field.

    Attributes:
        value: the canonical value.
        reason: where it comes from, or why there is none.
        fault: set if the value must not be written: refuse it, or keep the field.
        warning: what was done to the value, or what is wrong with it.
    """

    value: Canonical
    reason: Reason
    fault: Decision | None = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class _Decided:
    """One field's decision, and what follows from it.

    Attributes:
        watched: ids of the rows that were looked at; None if the field cannot be a target.
        references: the labels that the two texts need.
    """

    decision: FieldDecision
    watched: tuple[int, ...] | None = None
    change: Change | None = None
    references: tuple[tuple[str, str], ...] = ()


def plan(  # noqa: PLR0913, PLR0917 - everything that a plan depends on, and nothing hidden
    ticket: TicketState,
    attributes: Attributes | None,
    ruleset: Ruleset,
    fields: Mapping[str, DynamicField],
    precedence: Precedence,
    hints: Sequence[EventHint],
    labels: Labels = NO_LABELS,
    *,
    several: Several = "first",
) -> Plan:
    """Decide on every mapped field of a ticket. No input raises.

    Args:
        ticket: the ticket as it was read.
        attributes: those of its customer user; None if the directory knows none (absent), or the
            ticket has none. Never to be called when the directory was unavailable (design 1.1).
        ruleset: the rules.
        fields: the definitions of the mapped fields, by name.
        precedence: the precedence settings.
        hints: what each of the ticket's events told; none for a resync or the sweep.
        labels: readable texts of references; ``Plan.references`` says which a plan lacks.
        several: how several texts of one attribute become one: ``first`` for LDAP sources (D7),
            ``join`` for SQL sources, where only a customer user's dynamic field has several (D22).
            Variables named ``DynamicField_…`` are always joined; a rule's own ``first`` or
            ``join`` transform decides before all of this.
    """
    case = _Case(ticket, attributes, ruleset, fields, precedence, hints, several, labels)
    decided = _decide_all(case)
    return Plan(
        ticket_id=ticket.id,
        customer_user=ticket.customer_user,
        history_id=max((line.id for line in ticket.history), default=0),
        decisions=tuple(item.decision for item in decided),
        changes=tuple(item.change for item in decided if item.change is not None),
        watched=MappingProxyType(
            {
                fields[item.decision.field].id: item.watched
                for item in decided
                if item.watched is not None
            }
        ),
        references=frozenset(key for item in decided for key in item.references),
    )


def _decide_all(case: _Case) -> list[_Decided]:
    now = fronts.moment(case.ticket, case.hints, case.precedence)
    return [_decide(case, rule, now) for _, rule in sorted(case.ruleset.rules.items())]


def _decide(case: _Case, rule: Rule, now: Moment) -> _Decided:
    field = case.fields.get(rule.to)
    if not SECRETS.isdisjoint(rule.variables):
        secret = "a password's hash is never written"  # noqa: S105 - says why, is none
        return _Decided(_decision(rule, Decision.REFUSE, Reason.SECRET, secret))
    if (refusal := kinds.refusal(field)) or field is None:
        reason, warning = refusal or (Reason.NO_SUCH_FIELD, "")
        return _Decided(_decision(rule, Decision.REFUSE, reason, warning))
    rows = case.ticket.rows.get(rule.to, ())
    wanted = _wanted(case, rule, field)
    keep_edits = rule.on_manual_edit == "keep"
    owner = fronts.kept(rule.to, now, case.precedence, keep_edits=keep_edits)
    if owner is not None:
        decision, reason = Decision.KEEP, owner
    elif wanted.fault is not None:
        decision, reason = wanted.fault, wanted.reason
    elif kinds.holds(field, rows, wanted.value):
        decision, reason = Decision.UNCHANGED, wanted.reason
    else:
        decision, reason = Decision.WRITE if wanted.value else Decision.CLEAR, wanted.reason
    current = kinds.read(field, rows)
    old_text = kinds.readable(field, current, case.labels)
    new_text = kinds.readable(field, wanted.value, case.labels)
    shown = _decision(rule, decision, reason, wanted.warning, old_text, new_text)
    watched = tuple(row.id for row in rows if row.id is not None)
    if decision not in {Decision.WRITE, Decision.CLEAR}:
        return _Decided(shown, watched)
    insert = kinds.rows_for(field, wanted.value, existing=bool(rows))
    change = Change(field.id, field.name, watched, insert, old_text, new_text)
    keys = kinds.references(field, current) + kinds.references(field, wanted.value)
    return _Decided(shown, watched, change, keys)


def _wanted(  # noqa: PLR0911 - one return for each way in which it can end
    case: _Case, rule: Rule, field: DynamicField
) -> _Wanted:
    if case.attributes is None:
        named = bool(case.ticket.customer_user)
        return _Wanted((), Reason.UNKNOWN_CUSTOMER_USER if named else Reason.NO_CUSTOMER_USER)
    try:
        texts = texts_of(rule, case.attributes, case.several)
    except NotText as error:
        return _Wanted((), Reason.NOT_TEXT, Decision.REFUSE, str(error))
    except TransformFailed as error:
        return _Wanted((), Reason.TRANSFORM_FAILED, Decision.REFUSE, str(error))
    reason = Reason.FOUND if texts else Reason.EMPTY
    if not texts and rule.default:
        texts, reason = (rule.default,), Reason.DEFAULT
    if not kinds.is_list(field):
        texts = one_text(rule, texts, case.several)
    if not all(is_text(text) for text in texts):
        warning = "a NUL byte or half a character is not text"
        return _Wanted((), Reason.NOT_TEXT, Decision.REFUSE, warning)
    warning = ""
    if kinds.is_overlong(field, texts):
        if case.ruleset.overlong == "keep":
            return _Wanted((), Reason.OVERLONG, Decision.KEEP, f"over {MAX_TEXT} characters")
        texts = tuple(text[:MAX_TEXT] for text in texts)
        warning = f"cut to {MAX_TEXT} characters"
    value = kinds.accept(field, texts)
    if value is None:
        warning = f"not a value for a field of the type {field.field_type}"
        return _Wanted((), Reason.INVALID_VALUE, Decision.REFUSE, warning)
    return _Wanted(value, reason, warning=warning)


def _decision(  # noqa: PLR0913, PLR0917 - the fields of a FieldDecision
    rule: Rule,
    decision: Decision,
    reason: Reason,
    warning: str,
    old_text: str = "",
    new_text: str = "",
) -> FieldDecision:
    return FieldDecision(
        field=rule.to,
        decision=decision,
        reason=reason,
        variables=rule.variables,
        transforms=tuple(transform.name for transform in rule.transforms),
        warning=warning,
        old_text=old_text,
        new_text=new_text,
    )

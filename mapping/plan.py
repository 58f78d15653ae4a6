"""What must be written into a ticket's fields, and why? A plan, made from what is given alone.

For each rule, in code point order of the field names: can the field be a target, does somebody
else own its value (``precedence``), what would the rule put there (``values``, ``fields``), and is
that different from what stands there? One faulty field never stops the others (deviation D23).
A plan that was applied makes the next plan of the same ticket empty.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

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
    ValueRow,
)
from mapping.precedence import Precedence
from mapping.rules import Overlong, Rule, Ruleset
from mapping.values import SECRETS, Several, is_text, one_text, texts_of

NO_LABELS: Labels = MappingProxyType({})

# What nearly every field needs: in Python 3.11 getting a member of an Enum costs more than a call.
_FOUND, _WRITE, _UNCHANGED = Reason.FOUND, Decision.WRITE, Decision.UNCHANGED
_CHANGING = frozenset({Decision.WRITE, Decision.CLEAR})

_Wanted: TypeAlias = tuple[Canonical, Reason, Decision | None, str]
"""What a rule would put into a field: the canonical value; where it comes from, or why there is
none; set if it must not be written: refuse it, or keep the field; what was done to the value, or
what is wrong with it."""


@dataclass(frozen=True, slots=True)
class _Target:
    """A rule, and the field that it fills; the same for all tickets.

    Attributes:
        transforms: the names of the rule's transforms.
    """

    rule: Rule
    field: DynamicField
    transforms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planner:
    """What plans depend on and what does not change from ticket to ticket; from ``prepare``.

    Attributes:
        targets: for each rule, in code point order of the field names, what it fills; or the
            decision that it fills nothing.
        overlong: as in ``Ruleset``.
    """

    targets: tuple[_Target | FieldDecision, ...]
    precedence: Precedence
    overlong: Overlong

    def plan(
        self,
        ticket: TicketState,
        attributes: Attributes | None,
        hints: Sequence[EventHint],
        labels: Labels = NO_LABELS,
        *,
        several: Several = "first",
    ) -> Plan:
        """Decide on every mapped field of a ticket. No input raises.

        Args:
            ticket: the ticket as it was read.
            attributes: those of its customer user; None if the directory knows none (absent), or
                the ticket has none. Never to be called when the directory was unavailable (design
                1.1).
            hints: what each of the ticket's events told; none for a resync or the sweep.
            labels: readable texts of references; ``Plan.references`` says which a plan lacks.
            several: how several texts of one attribute become one: ``first`` for LDAP sources
                (D7), ``join`` for SQL sources, where only a customer user's dynamic field has
                several (D22). Variables named ``DynamicField_…`` are always joined; a rule's own
                ``first`` or ``join`` transform decides before all of this.
        """
        now = fronts.moment(ticket, hints, self.precedence)
        decisions: list[FieldDecision] = []
        changes: list[Change] = []
        watched: dict[int, tuple[int, ...]] = {}
        references: list[tuple[str, str]] = []
        for target in self.targets:
            if isinstance(target, FieldDecision):
                decisions.append(target)
                continue
            rule, field = target.rule, target.field
            rows = ticket.rows.get(rule.to, ())
            if attributes is None:
                wanted = _nothing(ticket)
            else:
                wanted = _wanted(rule, field, attributes, several, self.overlong)
            owner = None
            if not now.free:
                keep_edits = rule.on_manual_edit == "keep"
                owner = fronts.kept(rule.to, now, self.precedence, keep_edits=keep_edits)
            current = kinds.read(field, rows)
            decision, reason = _decide(field, rows, current, wanted, owner)
            value, _, _, warning = wanted
            old = kinds.readable(field, current, labels)
            new = old if value == current else kinds.readable(field, value, labels)
            decisions.append(
                FieldDecision(
                    rule.to, decision, reason, rule.variables, target.transforms, warning, old, new
                )
            )
            seen = tuple([row.id for row in rows if row.id is not None])
            watched[field.id] = seen
            if decision in _CHANGING:
                insert = kinds.rows_for(field, value, existing=bool(rows))
                changes.append(Change(field.id, field.name, seen, insert, old, new))
                references += kinds.references(field, current + value)
        return Plan(
            ticket_id=ticket.id,
            customer_user=ticket.customer_user,
            history_id=ticket.history[-1].id if ticket.history else 0,
            decisions=tuple(decisions),
            changes=tuple(changes),
            watched=MappingProxyType(watched),
            references=frozenset(references),
        )


def prepare(
    ruleset: Ruleset, fields: Mapping[str, DynamicField], precedence: Precedence
) -> Planner:
    """What the plans of a batch have in common, worked out once.

    Args:
        ruleset: the rules.
        fields: the definitions of the mapped fields, by name; they are read with each batch.
        precedence: the precedence settings.
    """
    rules = [rule for _, rule in sorted(ruleset.rules.items())]
    targets = tuple([_target(rule, fields.get(rule.to)) for rule in rules])
    return Planner(targets, precedence, ruleset.overlong)


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
    """One ticket's plan; see ``prepare`` and ``Planner.plan``."""
    planner = prepare(ruleset, fields, precedence)
    return planner.plan(ticket, attributes, hints, labels, several=several)


def _target(rule: Rule, field: DynamicField | None) -> _Target | FieldDecision:
    """What a rule fills, or the decision that it fills nothing."""
    transforms = tuple(transform.name for transform in rule.transforms)
    refusal = kinds.refusal(field)
    if not SECRETS.isdisjoint(rule.variables):
        refusal = Reason.SECRET, "a password's hash is never written"
    if refusal is None and field is not None:
        return _Target(rule, field, transforms)
    reason, warning = refusal or (Reason.NO_SUCH_FIELD, "")
    return FieldDecision(rule.to, Decision.REFUSE, reason, rule.variables, transforms, warning)


def _decide(
    field: DynamicField,
    rows: Sequence[ValueRow],
    current: Canonical,
    wanted: _Wanted,
    owner: Reason | None,
) -> tuple[Decision, Reason]:
    value, reason, fault, _ = wanted
    if owner is not None:
        return Decision.KEEP, owner
    if fault is not None:
        return fault, reason
    if kinds.is_settled(field, rows, current, value):
        return _UNCHANGED, reason
    return _WRITE if value else Decision.CLEAR, reason


def _nothing(ticket: TicketState) -> _Wanted:
    named = bool(ticket.customer_user)
    return (), Reason.UNKNOWN_CUSTOMER_USER if named else Reason.NO_CUSTOMER_USER, None, ""


def _wanted(
    rule: Rule, field: DynamicField, attributes: Attributes, several: Several, overlong: Overlong
) -> _Wanted:
    try:
        texts = texts_of(rule, attributes, several)
    except NotText as error:
        return (), Reason.NOT_TEXT, Decision.REFUSE, str(error)
    except TransformFailed as error:
        return (), Reason.TRANSFORM_FAILED, Decision.REFUSE, str(error)
    reason = _FOUND if texts else Reason.EMPTY
    if not texts and rule.default:
        texts, reason = (rule.default,), Reason.DEFAULT
    if len(texts) > 1 and not kinds.is_list(field):
        texts = one_text(rule, texts, several)
    for text in texts:
        if not is_text(text):
            warning = "a NUL byte or half a character is not text"
            return (), Reason.NOT_TEXT, Decision.REFUSE, warning
    warning = ""
    if kinds.is_overlong(field, texts):
        if overlong == "keep":
            return (), Reason.OVERLONG, Decision.KEEP, f"over {MAX_TEXT} characters"
        texts = tuple(text[:MAX_TEXT] for text in texts)
        warning = f"cut to {MAX_TEXT} characters"
    value = kinds.accept(field, texts)
    if value is None:
        warning = f"not a value for a field of the type {field.field_type}"
        return (), Reason.INVALID_VALUE, Decision.REFUSE, warning
    return value, reason, None, warning

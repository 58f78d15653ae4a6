"""Which rule fills which field? One rule for each field, from OTOBO's short form and a long form.

The short form is ``DynamicFieldFromCustomerUser::Mapping``: variable = field. If several variables
name one field, the last in code point order wins, even if it is empty (deviation D8). The long
form adds templates, transforms and a default, and lets one variable feed several fields.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from mapping import templates, transforms
from mapping.errors import MappingError
from mapping.templates import Template
from mapping.transforms import Transform

OnManualEdit: TypeAlias = Literal["overwrite", "keep"]
Overlong: TypeAlias = Literal["cut", "keep"]
Refresh: TypeAlias = Literal["open", "all", "never"]
"""Which tickets follow when the data of their customer user change."""

_KEYS = ("from", "to", "transform", "default", "on_manual_edit", "refresh")
_EXAMPLE = '{ from = "UserPhone", to = "CustomerPhone", transform = ["strip"] }'


@dataclass(frozen=True, slots=True)
class Rule:
    """What fills one dynamic field.

    Attributes:
        to: the dynamic field's name.
        variables: what is read: one variable, or those of the template.
        template: how several variables become one text; None for a single variable.
        transforms: applied in order, to the whole value.
        default: stands in for an empty value of a customer user who was found.
        on_manual_edit: whether an event that left the customer user as it was writes over what
            somebody typed since (deviation D16).
        refresh: which tickets' field follows the customer user.
    """

    to: str
    variables: tuple[str, ...]
    template: Template | None = None
    transforms: tuple[Transform, ...] = ()
    default: str = ""
    on_manual_edit: OnManualEdit = "overwrite"
    refresh: Refresh = "never"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All rules.

    Attributes:
        rules: by field name.
        overlong: whether a text over 3800 characters is cut, or its field kept (deviation D15).
    """

    rules: Mapping[str, Rule]
    overlong: Overlong = "cut"

    @property
    def fields(self) -> frozenset[str]:
        """The names of all dynamic fields that a rule fills."""
        return frozenset(self.rules)

    @property
    def variables(self) -> frozenset[str]:
        """All variables that any rule reads."""
        return frozenset(name for rule in self.rules.values() for name in rule.variables)

    def refreshed(self, *policies: Refresh) -> "Ruleset":
        """The part of the rules that has one of these policies."""
        kept = {to: rule for to, rule in self.rules.items() if rule.refresh in policies}
        return Ruleset(MappingProxyType(kept), self.overlong)


def build(
    short: Mapping[str, str],
    long: Sequence[Mapping[str, Any]] = (),
    *,
    overlong: Overlong = "cut",
    refresh: Refresh = "never",
) -> Ruleset:
    """The rules of the settings.

    Args:
        short: field names by variable.
        long: tables with ``from`` (a variable or a template) and ``to``, and optionally
            ``transform`` (one or a list), ``default``, ``on_manual_edit`` and ``refresh``.
        overlong: what becomes of a text over 3800 characters.
        refresh: which tickets follow the customer user, where a rule does not say it itself.

    Raises:
        MappingError: a rule is wrong, or two rules of which one is in the long form fill the
            same field; names both.
    """
    rules = {to: Rule(to, (variable,), refresh=refresh) for variable, to in sorted(short.items())}
    written = {to: f'{rule.variables[0]} = "{to}"' for to, rule in rules.items()}
    for table in long:
        rule, source = _long(table, refresh)
        shown = f'{{ from = "{source}", to = "{rule.to}" }}'
        if rule.to in rules:
            raise MappingError(
                f"two rules fill the field {rule.to}: {written[rule.to]} and {shown}; keep one, or "
                f"make them one template"
            )
        rules[rule.to] = rule
        written[rule.to] = shown
    return Ruleset(MappingProxyType(rules), overlong)


def _long(table: Mapping[str, Any], refresh: Refresh) -> tuple[Rule, str]:
    """A rule in the long form, and its ``from``."""
    if unknown := sorted(str(key) for key in set(table) - set(_KEYS)):
        raise MappingError(
            f"a rule has nothing named {', '.join(unknown)}; there are {', '.join(_KEYS)}"
        )
    source, to = table.get("from"), table.get("to")
    if not (isinstance(source, str) and source and isinstance(to, str) and to):
        raise MappingError(f"a rule needs a text in from and one in to; right: {_EXAMPLE}")
    default = table.get("default")
    if not (default is None or isinstance(default, str)):
        raise MappingError(f'the rule for {to} needs a text as default; right: default = "0"')
    on_manual_edit = table.get("on_manual_edit", "overwrite")
    if on_manual_edit not in {"overwrite", "keep"}:
        raise MappingError(f'the rule for {to}: on_manual_edit is "overwrite" or "keep"')
    followed = table.get("refresh", refresh)
    if followed not in {"open", "all", "never"}:
        raise MappingError(f'the rule for {to}: refresh is "open", "all" or "never"')
    template = templates.parse(source) if templates.is_template(source) else None
    rule = Rule(
        to=to,
        variables=template.variables if template else (source,),
        template=template,
        transforms=transforms.build_all(table.get("transform") or ()),
        default=default or "",
        on_manual_edit=on_manual_edit,
        refresh=followed,
    )
    return rule, source

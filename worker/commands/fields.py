"""How are values given on a command line? By an option for each field of OTOBO's own screens.

Any other variable of a Map is given by ``--set VARIABLE=TEXT``. An empty text empties a field.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import typer

from worker.commands.together import Command, option, together

Values: TypeAlias = dict[str, str | list[str]]
"""What shall stand there, by variable; several texts for a dynamic field that takes them."""

CUSTOMER_USER: Mapping[str, tuple[str, str]] = {
    "title": ("UserTitle", "Title or salutation."),
    "firstname": ("UserFirstname", "First name."),
    "lastname": ("UserLastname", "Last name."),
    "email": ("UserEmail", "Email address."),
    "customer-id": ("UserCustomerID", "Id of the customer that they belong to."),
    "phone": ("UserPhone", "Phone."),
    "fax": ("UserFax", "Fax."),
    "mobile": ("UserMobile", "Mobile phone."),
    "street": ("UserStreet", "Street."),
    "zip": ("UserZip", "Zip code."),
    "city": ("UserCity", "City."),
    "country": ("UserCountry", "Country."),
    "comment": ("UserComment", "Comment."),
    "valid": ("ValidID", "valid, invalid or invalid-temporarily."),
}
"""The fields of OTOBO's screen of customer users: variable and help by option."""

CUSTOMER: Mapping[str, tuple[str, str]] = {
    "name": ("CustomerCompanyName", "The customer's name."),
    "street": ("CustomerCompanyStreet", "Street."),
    "zip": ("CustomerCompanyZIP", "Zip code."),
    "city": ("CustomerCompanyCity", "City."),
    "country": ("CustomerCompanyCountry", "Country."),
    "url": ("CustomerCompanyURL", "Web site."),
    "comment": ("CustomerCompanyComment", "Comment."),
    "valid": ("ValidID", "valid, invalid or invalid-temporarily."),
}
"""The same of customers."""

_SET = "set_"


def with_fields(fields: Mapping[str, tuple[str, str]]) -> Callable[[Command], Command]:
    """Give a command the options of fields, and ``--set``; it takes them as ``values``.

    Args:
        fields: variable and help by option.
    """
    options = {option.replace("-", "_"): told for option, told in fields.items()}

    def gathered(own: Mapping[str, Any]) -> Values:
        named = {variable: own[name] for name, (variable, _) in options.items()}
        return _values(named, own[_SET] or ())

    return together("values", _options(options), gathered)


def _options(options: Mapping[str, tuple[str, str]]) -> Sequence[inspect.Parameter]:
    made = [
        option(
            name,
            Annotated[
                str | None,
                typer.Option(f"--{name.replace('_', '-')}", metavar="TEXT", help=told),
            ],
        )
        for name, (_, told) in options.items()
    ]
    annotation = Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="VARIABLE=TEXT",
            help="Any variable of the Map, e.g. UserRoom=12; repeatable. A dynamic field takes "
            "several texts, one --set for each.",
        ),
    ]
    return [*made, option(_SET, annotation)]


def _values(named: Mapping[str, str | None], settings: Sequence[str]) -> Values:
    values: Values = {variable: text for variable, text in named.items() if text is not None}
    told: dict[str, list[str]] = {}
    for one in settings:
        variable, equals, text = one.partition("=")
        if not (variable and equals):
            # What was typed may be a value, so it is not repeated.
            msg = "names no variable; right: --set UserRoom=12"
            raise typer.BadParameter(msg, param_hint="--set")
        if variable == "UserPassword":
            msg = (
                "a password on a command line can be read by everybody on this machine; use "
                "--password-stdin, or --generate-password"
            )
            raise typer.BadParameter(msg, param_hint="--set")
        if variable in values:
            msg = f"{variable} is given by an option of its own, too"
            raise typer.BadParameter(msg, param_hint="--set")
        told.setdefault(variable, []).append(text)
    return values | {name: texts if len(texts) > 1 else texts[0] for name, texts in told.items()}

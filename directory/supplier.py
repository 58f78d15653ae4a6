"""What must be known of a source to complete its answers? Read out of the settings once for all."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.model import Attributes, AttributeValue
from directory.names import FULL_NAME, Naming
from directory.sql import STAMPS


@dataclass(frozen=True, slots=True)
class Supplier:
    """A source as those see it who add to its answers.

    Attributes:
        slot: the source's slot.
        source_name: what stands in the key ``Source``.
        naming: how its customer users are named.
        supplied: the variables that it answers for, also by a NULL: they hide the company's.
        companies: whether the data of the customer (company) is added.
        fields: names of dynamic fields of the customer user, by variable.
        name_fields: those dynamic fields that UserFullname is made from.
        first_counts: of several values of an attribute the first stands for all (observed 32, D7).
    """

    slot: str
    source_name: str
    naming: Naming
    supplied: frozenset[str]
    companies: bool
    fields: Mapping[str, str]
    name_fields: frozenset[str]
    first_counts: bool

    @classmethod
    def of(cls, config: SourceConfig) -> "Supplier":
        """The supplier that a source with these settings is."""
        stamped = isinstance(config, SqlSourceConfig) and not config.foreign_db
        fields = {
            entry.variable: entry.storage
            for entry in config.map
            if entry.storage_type == "dynamic_field"
        }
        return cls(
            slot=config.slot,
            source_name=config.source_name,
            naming=Naming.of(config),
            supplied=frozenset(entry.variable for entry in config.map)
            | (frozenset(STAMPS) if stamped else frozenset()),
            companies=config.customer_company_support,
            fields=fields,
            name_fields=frozenset(fields.values()) & frozenset(config.name_fields),
            first_counts=isinstance(config, LdapSourceConfig),
        )

    def wanted_fields(self, variables: Collection[str] | None) -> Mapping[str, str]:
        """Names of the dynamic fields that the wanted keys need, by variable; None wants all."""
        if variables is None:
            return self.fields
        for_name = self.name_fields if FULL_NAME in variables else frozenset()
        return {
            variable: name
            for variable, name in self.fields.items()
            if variable in variables or name in for_name
        }

    def wants_companies(self, known: frozenset[str], variables: Collection[str] | None) -> bool:
        """Whether a customer (company) could show any of the wanted keys; None wants all.

        Args:
            known: the variables that the tables of customers supply.
            variables: the wanted keys.
        """
        if not self.companies:
            return False
        shown = known - self.supplied
        return bool(shown if variables is None else shown.intersection(variables))

    def single_value(self, value: AttributeValue | None) -> AttributeValue | None:
        """What stands for one value where only one can be used."""
        return value[0] if self.first_counts and isinstance(value, tuple) else value

    def single_values(self, values: Attributes) -> Attributes:
        """What stands for each one value where only one can be used."""
        if not self.first_counts:
            return values
        return {
            name: value[0] if isinstance(value, tuple) else value for name, value in values.items()
        }


def wanted_fields(
    suppliers: Iterable[Supplier], variables: Collection[str] | None
) -> frozenset[str]:
    """Names of the dynamic fields that the wanted keys need, whoever supplies them."""
    return frozenset(name for one in suppliers for name in one.wanted_fields(variables).values())

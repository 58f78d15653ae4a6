"""Which kinds of customer user source are there? Two of our own, and those that packages add.

A package adds one by an entry point in the group ``fieldfare.sources``. Its name is the ``kind`` in
the settings, its object a ``Kind``. Packages are looked through only as far as their metadata; the
code of one is imported when its kind stands in the settings.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar, get_args

from pydantic import (
    ConfigDict,
    Field,
    PlainValidator,
    SerializeAsAny,
    TypeAdapter,
    ValidationError,
)

from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig
from directory.errors import SourceKindUnusable, SourceMisconfigured

if TYPE_CHECKING:
    from directory.source import CustomerUserSource

GROUP = "fieldfare.sources"

BUILT_IN: Mapping[str, type[SourceConfig]] = {"sql": SqlSourceConfig, "ldap": LdapSourceConfig}
"""The settings of our own kinds; ``worker.bootstrap`` builds their sources."""

C = TypeVar("C", bound=SourceConfig)


@dataclass(frozen=True, slots=True)
class Kind(Generic[C]):
    """A kind of source that a package adds: what its entry point leads to.

    Attributes:
        config: the settings of one source, a subclass of ``SourceConfig``: its own options beside
            the common ones, and ``kind: Literal["json"] = "json"`` with the entry point's name.
            An option of the type ``SecretStr`` is shown nowhere.
        build: makes the source of such settings. It connects to nothing, and may raise
            ``SourceMisconfigured`` when the settings can never work.
    """

    config: type[C]
    build: "Callable[[C], CustomerUserSource]"


def names() -> Sequence[str]:
    """The kinds that settings can name here, those of packages with the package."""
    added = sorted({f'"{point.name}" (of {_package(point)})' for point in _added()})
    return (*(f'"{kind}"' for kind in BUILT_IN), *added)


def options_of(kind: str) -> type[SourceConfig]:
    """The settings that a source of a kind has.

    Raises:
        SourceKindUnusable: there is no such kind, or its package is of no use.
    """
    return BUILT_IN[kind] if kind in BUILT_IN else load(kind).config


def load(kind: str) -> Kind[Any]:
    """Import the kind that a package adds.

    Raises:
        SourceKindUnusable: there is no such kind, several packages add it, or the package that
            does cannot be used; names the packages and what to do.
    """
    points = [point for point in _added() if point.name == kind]
    if not points:
        raise SourceKindUnusable(
            kind,
            f"there is no such kind; there are {', '.join(names())}, and what packages add that "
            "are installed beside Fieldfare",
        )
    owners = sorted({_package(point) for point in points})
    if kind in BUILT_IN or len(points) > 1:
        owners += ["Fieldfare itself"] * (kind in BUILT_IN)
        whose = f"{' and '.join(owners)} each have a kind of this name"
        raise SourceKindUnusable(kind, f"{whose}; uninstall one of the packages")
    (point,) = points
    found = _imported(point)
    if not isinstance(found, Kind):
        raise _unfit(point, f"it is a {type(found).__name__}; right: KIND = Kind(config, build)")
    config: Any = found.config
    if not (isinstance(config, type) and issubclass(config, SourceConfig)):
        raise _unfit(point, "its config is not a subclass of directory.config.SourceConfig")
    if get_args(config.model_fields["kind"].annotation) != (kind,):
        right = f'right: kind: Literal["{kind}"] = "{kind}"'
        raise _unfit(point, f"{config.__name__} must declare its kind; {right}")
    return found


def build(config: SourceConfig) -> "CustomerUserSource":
    """A source of a kind that a package adds, whose faults stay its own.

    Raises:
        SourceMisconfigured: it can never work as it is configured, or cannot be built.
        SourceKindUnusable: its package is gone.
    """
    from directory.guarded import GuardedSource  # noqa: PLC0415 - settings are read without sources

    kind = load(config.kind)
    try:
        return GuardedSource(config, kind.build(config))
    except SourceMisconfigured:
        raise
    except Exception as error:
        problem = f"{_owner(config.kind)} could not build it: {type(error).__name__}"
        raise SourceMisconfigured(config.slot, problem) from error


class AddedSourceConfig(SourceConfig):
    """A customer user source of a kind that a package adds; it has options of its own."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(
        description="The kind's name.", json_schema_extra={"not": {"enum": list(BUILT_IN)}}
    )


def _validated(data: Any) -> SourceConfig:
    """Settings of a source by the model of its kind.

    Raises:
        ValidationError: they are wrong.
        SourceKindUnusable: the package that adds the kind is of no use.
    """
    kind = data.get("kind") if isinstance(data, Mapping) else getattr(data, "kind", None)
    if not any(point.name == kind for point in _added()):
        found: SourceConfig = _model_with().validate_python(data)
        return found
    model: Any = load(str(kind)).config
    try:
        config: SourceConfig = _model_with(model).validate_python(data)
        config.model_dump_json()  # the cache tells settings from each other by it
    except ValidationError:
        raise
    except Exception as error:
        problem = f"{_owner(str(kind))} could not check its options: {type(error).__name__}"
        raise SourceKindUnusable(str(kind), problem) from error
    return config


AnySourceConfig = Annotated[
    SerializeAsAny[SourceConfig],
    PlainValidator(
        _validated,
        json_schema_input_type=SqlSourceConfig | LdapSourceConfig | AddedSourceConfig,
    ),
]
"""The settings of a source of any kind; ``kind`` says which."""


@functools.cache
def _model_with(added: Any = None) -> TypeAdapter[Any]:
    """Our own kinds and one more; what is wrong in a source is said with its kind in the place."""
    kinds: Any = SqlSourceConfig | LdapSourceConfig
    if added is not None:
        kinds |= added
    return TypeAdapter(Annotated[kinds, Field(discriminator="kind")])


def _added() -> Sequence[EntryPoint]:
    return tuple(entry_points(group=GROUP))


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _owner(kind: str) -> str:
    """The package that adds a kind."""
    return next(_package(point) for point in _added() if point.name == kind)


def _imported(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:
        # What an import error says is safe to repeat; others may quote anything.
        told = f": {error}" if isinstance(error, ImportError | AttributeError) else ""
        problem = f"{point.value} of {_package(point)} cannot be imported"
        raise SourceKindUnusable(point.name, f"{problem}: {type(error).__name__}{told}") from error


def _unfit(point: EntryPoint, problem: str) -> SourceKindUnusable:
    whose = f"what {_package(point)} adds as {point.value} cannot be used"
    return SourceKindUnusable(point.name, f"{whose}: {problem}")

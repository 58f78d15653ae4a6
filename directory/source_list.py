"""Which sources are there, and which of them can be written to? OTOBO's ``CustomerSourceList``."""

from collections.abc import Iterable, Mapping

from directory.config import LdapSourceConfig, SourceConfig, SqlSourceConfig


def source_list(
    configs: Iterable[SourceConfig], *, read_only: bool | None = None
) -> Mapping[str, str]:
    """Names for people by the sources' own names, in the order given.

    Args:
        configs: the sources.
        read_only: False gives only those that can be written to. True gives only LDAP sources
            that are set read-only, and leaves read-only databases out, as OTOBO does (observed
            rule 58). None gives all.
    """
    return {
        config.source_name: config.name or f"No Name {config.slot}"
        for config in configs
        if read_only is None or _is_listed(config, read_only=read_only)
    }


def _is_listed(config: SourceConfig, *, read_only: bool) -> bool:
    if read_only:
        return config.read_only and isinstance(config, LdapSourceConfig)
    return isinstance(config, SqlSourceConfig) and not config.read_only

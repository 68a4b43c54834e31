"""Help in which an option that takes no value stands without one: typer 0.29 would write `--no-fetch <bool>`."""

from typing import Any

from typer.core import TyperCommand, TyperGroup


class _WithoutValues:
    """Beside a command or a group of typer's: its flags have no placeholder."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters, that of --help among them."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in found:
            if getattr(parameter, "is_flag", False) and parameter.metavar is None:
                parameter.metavar = ""
        return found


class Command(_WithoutValues, TyperCommand):
    """One command."""


class Group(_WithoutValues, TyperGroup):
    """All commands."""

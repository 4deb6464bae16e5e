"""A Typer command that does without pydantic where values are right already.

Typer checks every option's value by pydantic, whose import alone takes a third of the time of
filtering a small picture. An option that takes text needs no check, nor does a default of the
right type. Anything else, and every error message, is still Typer's own.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from typer import core


class QuickCommand(core.TyperCommand):
    """A command whose options are checked only where there is something to check."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words as Typer does, with the lazy check in place."""
        _put_checks(self.get_params(ctx))
        return super().parse_args(ctx, args)


class QuickGroup(core.TyperGroup):
    """The same for the options before the command's name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words as Typer does, with the lazy check in place."""
        _put_checks(self.get_params(ctx))
        return super().parse_args(ctx, args)


def _put_checks(parameters: Sequence[Any]) -> None:
    for parameter in parameters:
        # A private attribute: a Typer without it parses as ever, only slower.
        if getattr(parameter, "_runtime_param", ...) is None:
            parameter._runtime_param = _LazyCheck()


class _LazyCheck:
    """Stands where Typer keeps a parameter's check, and makes the real one when it is needed."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value that the command gets."""
        several = param.multiple or param.nargs == -1
        annotation = param.type_descriptor.annotation
        if value is None:
            return () if several else None
        if several and annotation == list[str] and isinstance(value, list | tuple):
            return list(value)
        if not several and isinstance(annotation, type) and type(value) is annotation:
            return value
        if get_origin(annotation) is Literal and value in get_args(annotation):
            return value
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)

"""How templates become Python: with less between a page and its text than Jinja needs for templates of all kinds.

Owns three short cuts, each of which gives the same text: calls go straight to what is called, a macro takes its
arguments without asking what may escape, and text without special characters is not copied. They hold because every
template of ours escapes, and nothing it calls asks for Jinja's own context.
"""

import re
from collections.abc import MutableMapping
from keyword import iskeyword
from types import CodeType
from typing import Any

from jinja2 import Environment, Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context, Macro
from jinja2.utils import missing
from markupsafe import Markup, escape

_special = re.compile("[&<>'\"]").search


def escaped(value: object) -> str:
    """What ``markupsafe.escape`` gives, as a plain text where there was nothing to escape."""
    kind = type(value)
    if kind is Markup:
        return value  # type: ignore[return-value]  # it is a text by its very type
    if kind is str and _special(value) is None:  # type: ignore[call-overload]  # a text, as asked just before
        return value  # type: ignore[return-value]  # as above
    return escape(value)


class PlainMacro(Macro):
    """A macro of an environment that always escapes."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._is_plain = not self.catch_kwargs and not self.catch_varargs and not self.explicit_caller
        self._takes = tuple(self.arguments)

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        """The text of the macro; arguments as Jinja takes them."""
        lacking = self._takes[len(args) :]
        if not self._is_plain or len(args) > len(self._takes):
            return super().__call__(*args, **kwargs)
        left = len(kwargs)
        given: list[Any] = [*args]
        for name in lacking:
            value = kwargs.get(name, missing)
            left -= value is not missing
            given.append(value)
        if self.caller:
            caller = kwargs.get("caller")
            left -= "caller" in kwargs
            given.append(self._environment.undefined("No caller defined", name="caller") if caller is None else caller)
        if left:
            return super().__call__(*args, **kwargs)  # which says what is wrong
        return str.__new__(Markup, self._func(*given))


class Writer(CodeGenerator):
    """Writes calls as calls."""

    def visit_Call(  # noqa: N802 - Jinja's name
        self, node: nodes.Call, frame: Frame, forward_caller: bool = False
    ) -> None:
        """The call, past Jinja's search for functions that want its context: there are none here."""
        if node.dyn_args or node.dyn_kwargs or any(iskeyword(each.key) for each in node.kwargs):
            super().visit_Call(node, frame, forward_caller=forward_caller)
            return
        self.visit(node.node, frame)
        self.write("(")
        for each in (*node.args, *node.kwargs):
            self.visit(each, frame)
            self.write(", ")
        self.write("caller=caller)" if forward_caller else ")")


class Compiled(Template):
    """A template with the short cuts in the place of what its code imports."""

    @classmethod
    def from_code(
        cls,
        environment: Environment,
        code: CodeType,
        globals: MutableMapping[str, Any],  # noqa: A002 - Jinja's name
        uptodate: Any = None,
    ) -> Template:
        """The template of this code."""
        made = super().from_code(environment, code, globals, uptodate)
        made.root_render_func.__globals__.update(escape=escaped, Macro=PlainMacro)
        return made

    def _get_default_module(self, ctx: Context | None = None) -> Any:
        # Every template knows the same globals, so that there is one module of each, whoever imports it.
        return super()._get_default_module()

"""The base of every value in the domain."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

_put = object.__setattr__


@cache
def _blank(model: type[BaseModel]) -> dict[str, Any]:
    """Every field in its order with its default; None where it has none."""
    return {
        name: None if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in model.model_fields.items()
    }


class Frozen(BaseModel):
    """An immutable value. Fields it does not know are an error: a typing mistake must not vanish silently.

    Where such a value stands in a fact and is read back, the reader passes ``extra="ignore"`` (``Process.read_event``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


class Recalled(BaseModel):
    """An immutable value read back from history.

    Fields it does not know are ignored, so that an older release can read what a newer one has written;
    new fields need defaults, so that a newer release can read what an older one has written.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def made(cls, **values: Any) -> Self:
        """A value put together from parts that have been checked: it is not checked again, which is slow.

        For what is made many times in each act and by us only. The parts must be of the very types of the fields (no
        member of an enumeration for a text), and every field without a default must be given.
        """
        return cls._put_together({**_blank(cls), **values}, set(values))

    def __copy__(self) -> Self:
        """As the base class does it, for values without extra fields and private attributes.

        Folding copies a state for every fact, and the base class asks five times how to copy before it does. Which
        fields were given is said by the same set: nobody can give an immutable value another one.
        """
        return self._put_together(self.__dict__.copy(), self.__pydantic_fields_set__)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As the base class does it, in one go: folding does little else."""
        if deep or not update:
            return super().model_copy(update=update, deep=deep)
        given = self.__pydantic_fields_set__
        if not given.issuperset(update):
            given = {*given, *update}
        return self._put_together({**self.__dict__, **update}, given)

    @classmethod
    def _put_together(cls, values: dict[str, Any], given: set[str]) -> Self:
        made = cls.__new__(cls)
        _put(made, "__dict__", values)
        _put(made, "__pydantic_extra__", None)
        _put(made, "__pydantic_fields_set__", given)
        _put(made, "__pydantic_private__", None)
        return made

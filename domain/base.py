"""The base of every value in the domain."""

from typing import Self

from pydantic import BaseModel, ConfigDict

_put = object.__setattr__


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

    def __copy__(self) -> Self:
        """As the base class does it, for values without extra fields and private attributes.

        Folding copies a state for every fact, and the base class asks five times how to copy before it does.
        """
        made = type(self).__new__(type(self))
        _put(made, "__dict__", self.__dict__.copy())
        _put(made, "__pydantic_extra__", None)
        _put(made, "__pydantic_fields_set__", self.__pydantic_fields_set__.copy())
        _put(made, "__pydantic_private__", None)
        return made

"""The base of every value in the domain."""

from pydantic import BaseModel, ConfigDict


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

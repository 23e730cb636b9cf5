"""Values read back are copied by our own hands: the library's copy must not differ."""

from typing import Any

import pytest
from pydantic import BaseModel

from domain.base import Recalled


class Clock(Recalled):
    name: str
    pauses: tuple[str, ...] = ()
    stopped: bool = False


@pytest.mark.parametrize(
    "update", [None, {}, {"stopped": True}, {"name": "b", "pauses": ("a",)}, {"pauses": None}], ids=str
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_copy_is_that_of_the_base_class(update: dict[str, Any] | None, deep: bool) -> None:
    clock = Clock(name="a", stopped=False)

    copied, wanted = (make(clock, update=update, deep=deep) for make in (Clock.model_copy, BaseModel.model_copy))

    assert copied == wanted
    assert copied is not clock
    assert list(copied.__dict__.items()) == list(wanted.__dict__.items())
    assert copied.model_fields_set == wanted.model_fields_set
    assert copied.model_dump(exclude_unset=True, warnings=False) == wanted.model_dump(
        exclude_unset=True, warnings=False
    )


def test_what_is_copied_stays_as_it_was() -> None:
    clock = Clock(name="a")

    clock.model_copy(update={"name": "b", "stopped": True})

    assert (clock.name, clock.stopped, clock.model_fields_set) == ("a", False, {"name"})

"""What Temporal's history tells of a value: written by one process, read by another."""

from typing import Any

from temporalio.converter import DataConverter

from runtime.plugin import bihuan_plugin
from tests.keys import KEYS


def converter() -> DataConverter:
    """The converter of a process that has just begun."""
    made = bihuan_plugin(KEYS, compresses=True).data_converter
    assert isinstance(made, DataConverter)
    return made


def as_history_tells(value: Any) -> Any:
    """``value`` after it was written into a history and read out of it elsewhere."""
    writes, reads = converter().payload_converter, converter().payload_converter
    return reads.from_payloads(writes.to_payloads([value]), [type(value)])[0]

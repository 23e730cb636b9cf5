"""A workbook made to harm ends as a refusal, with the process that was asked still well."""

import io
import resource
import zipfile
from pathlib import Path

import pytest

from console.importing.readers import read_rows
from domain.errors import Refused
from ledger.tables import read_sheets
from tests.workbooks import xlsx

_CELL = '<c r="A1" t="inlineStr"><is><t>x</t></is></c>'


def with_sheet(body: str) -> bytes:
    """A workbook whose only sheet has this XML between ``<sheetData>`` and its end."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx({"S": [["x"]]}))) as old, zipfile.ZipFile(made, "w", 8) as new:
        for info in old.infolist():
            text = old.read(info).decode()
            if info.filename.endswith("sheet1.xml"):
                head, _, rest = text.partition("<sheetData>")
                text = f"{head}<sheetData>{body}</sheetData>{rest.partition('</sheetData>')[2]}"
            new.writestr(info.filename, text)
    return made.getvalue()


def that_lies_about_its_size() -> bytes:
    """Four hundred megabytes of one cell, which the archive calls a thousand bytes."""
    body = _CELL.replace("x</t>", "x" * (400 * 2**20) + "</t>")
    data = bytearray(with_sheet(f'<row r="1">{body}</row>'))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = next(info.file_size for info in archive.infolist() if info.filename.endswith("sheet1.xml"))
    true, told = size.to_bytes(4, "little"), (1000).to_bytes(4, "little")
    assert data.count(true) >= 2
    return bytes(data.replace(true, told))


HOSTILE = {
    "a cell at the far end": f'<row r="1">{_CELL}</row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
    "a tall and wide sheet": f'<row r="1">{_CELL}</row><row r="1048576"><c r="GR1048576"><v>1</v></c></row>',
    "rows that go back": '<row r="9"><c r="A1048576"><v>1</v></c></row><row r="1"><c r="GR1"><v>1</v></c></row>',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_few_bytes_cannot_take_the_memory_of_billions_of_cells(body: str, tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(with_sheet(body))
    assert path.stat().st_size < 10_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(Refused) as of_registry:
        read_sheets(path)
    with pytest.raises(Refused) as of_import:
        list(read_rows(path))

    codes = {of_registry.value.code, of_import.value.code}
    assert codes <= {"file.unreadable", "import.too_many_columns"}
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000


def test_a_workbook_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(that_lies_about_its_size())
    for read in (read_sheets, lambda path: list(read_rows(path))):
        with pytest.raises(Refused) as refused:
            read(path)
        assert refused.value.code in ("file.unreadable", "import.cell_too_long", "import.file_too_large")


def test_a_formula_is_read_as_what_it_shows_and_never_reckoned(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    formula = '<c r="A2" t="str"><f>HYPERLINK("http://example.org","x")</f><v>=cmd|calc</v></c>'
    path.write_bytes(with_sheet(f'<row r="1">{_CELL}</row><row r="2">{formula}</row>'))
    assert read_sheets(path)[0].rows[1] == ("=cmd|calc",)


def test_an_outer_entity_of_a_workbook_is_never_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("CANARY")
    path = tmp_path / "list.xlsx"
    data = with_sheet('<row r="1"><c r="A1" t="inlineStr"><is><t>&amp;e;</t></is></c></row>')
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w") as new:
        for info in old.infolist():
            text = old.read(info).decode()
            if info.filename.endswith("sheet1.xml"):
                text = f'<!DOCTYPE w [<!ENTITY e SYSTEM "{secret.as_uri()}">]>{text.replace("&amp;e;", "&e;")}'
            new.writestr(info.filename, text)
    path.write_bytes(made.getvalue())
    try:
        shown = str(read_sheets(path))
    except Refused as refused:
        shown = str(refused)
    assert "CANARY" not in shown

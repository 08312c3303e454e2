import datetime
import re
import zipfile

import openpyxl
import pytest

from kerassent.errors import DataError
from kerassent.reading.values import Unreadable
from kerassent.reading.xlsx import XlsxTable

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@pytest.fixture
def write(tmp_path):
    """A function that writes a workbook: a list of rows for each sheet."""

    def write(*sheets, name="reviews.xlsx"):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for number, rows in enumerate(sheets, 1):
            sheet = book.create_sheet(f"Sheet{number}")
            for row in rows:
                sheet.append(row)
        path = tmp_path / name
        book.save(path)
        book.close()
        return path

    return write


def rewrite(path, replacements):
    """Replaces parts of an xlsx: `{member: function of its text}`."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    assert parts.keys() >= replacements.keys()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            if name in replacements:
                content = replacements[name](content.decode()).encode()
            archive.writestr(name, content)
    return path


def use_shared_strings(path, strings):
    """Puts shared strings (XML) into column A, as Excel itself writes them."""
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    part = (
        '<Override PartName="/xl/sharedStrings.xml" '
        f'ContentType="{types}.sharedStrings+xml"/></Types>'
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/sharedStrings.xml", strings)
    cells = "".join(
        f'<row r="{row}"><c r="A{row}" t="s"><v>{row - 1}</v></c></row>'
        for row in range(1, strings.count("<si>") + 1)
    )
    return rewrite(
        path,
        {
            "[Content_Types].xml": lambda xml: xml.replace("</Types>", part),
            **sheet_xml(cells),
        },
    )


def sheet_xml(rows):
    """A replacement that puts rows of XML into a sheet."""
    return {
        "xl/worksheets/sheet1.xml": lambda _: (
            f'<worksheet xmlns="{MAIN}"><dimension ref="A1"/>'
            f"<sheetData>{rows}</sheetData></worksheet>"
        )
    }


def read(path, text=0, label=1, **kwargs):
    with XlsxTable(path, **kwargs) as table:
        return table.columns, list(table.rows(text, label))


def test_rows_are_numbered_as_in_excel(write):
    columns, rows = read(write([["text", "label"], ["a", "pos"], ["b", "neg"]]))
    assert columns == ("text", "label")
    assert rows == [(2, "a", "pos"), (3, "b", "neg")]


def test_cells_keep_their_values(write):
    day = datetime.datetime(2024, 2, 29)
    _, rows = read(write([["text", "label"], [3.5, True], [day, 5]]))
    assert rows == [(2, 3.5, True), (3, day, 5)]


def test_blank_rows_above_the_header_are_skipped(write):
    path = write([[], [None, ""], ["text", "label"], ["a", "pos"]])
    assert read(path) == (("text", "label"), [(4, "a", "pos")])


def test_blank_rows_at_the_end_are_no_rows(write):
    path = write([["text", "label"], ["a", "pos"], [None], ["", ""], [None]])
    assert read(path)[1] == [(2, "a", "pos")]


def test_blank_rows_in_between_are_empty_rows(write):
    path = write([["text", "label"], ["a", "pos"], [None], ["b", "neg"]])
    assert read(path)[1] == [
        (2, "a", "pos"),
        (3, None, None),
        (4, "b", "neg"),
    ]


def test_row_with_another_cell_is_not_blank(write):
    path = write([["text", "label", "id"], ["a", "pos", 1], [None, None, 2]])
    assert read(path)[1] == [(2, "a", "pos"), (3, None, None)]


def test_sheet_is_found_by_name(write):
    path = write([["a", "b"]], [["text", "label"], ["x", "pos"]])
    assert read(path, sheet="Sheet2")[1] == [(2, "x", "pos")]


def test_missing_sheet_is_named_with_the_nearest(write):
    with pytest.raises(
        DataError,
        match=r"^reviews\.xlsx has no sheet 'sheet 2'\. Its sheets are "
        r"'Sheet1', 'Sheet2'\. Pass `sheet='Sheet2'`\?$",
    ):
        XlsxTable(write([["a"]], [["b"]]), sheet="sheet 2")


def test_several_sheets_need_a_name(write):
    with pytest.raises(
        DataError,
        match=r"^reviews\.xlsx has 2 sheets with cells: 'Sheet1', 'Sheet3'\. "
        r"Pass `sheet='Sheet1'` or another\.$",
    ):
        XlsxTable(write([["text"]], [], [["text"]]))


def test_hidden_sheets_are_left_alone_unless_named(write):
    path = write([["hidden"]], [["text"], ["a"]])
    book = openpyxl.load_workbook(path)
    book["Sheet1"].sheet_state = "hidden"
    book.active = 1
    book.save(path)
    assert read(path, label=None)[1] == [(2, "a", None)]
    assert read(path, label=None, sheet="Sheet1")[0] == ("hidden",)


def test_blank_workbook_has_no_rows(write):
    with pytest.raises(DataError, match="has no rows: all its sheets are bl"):
        XlsxTable(write([]))


def test_formula_without_a_stored_value_is_said(write):
    path = write(
        [["text", "label"], ["a", "pos"], ["=A2", "neg"], [None], ["b", "=B2"]]
    )
    rows = read(path)[1]
    assert rows[0] == (2, "a", "pos")
    assert rows[1][1].what == "a formula without a stored value"
    assert rows[1][2] == "neg"
    assert rows[2] == (4, None, None)
    assert rows[3][1] == "b"
    assert rows[3][2].what == "a formula without a stored value"


def test_formula_in_the_last_row_is_not_a_blank_row(write):
    rows = read(write([["text", "label"], ["a", "pos"], ["=A2"]]))[1]
    assert [row for row, _, _ in rows] == [2, 3]


def test_formula_with_a_stored_value_is_that_value(write):
    path = rewrite(
        write([["text", "label"]]),
        sheet_xml(
            '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c></row>'
            '<row r="2"><c r="A2" t="str"><f>B1</f><v>stored</v></c></row>'
            '<row r="3"><c r="A3" t="str"><f>B1</f><v></v></c></row>'
            '<row r="4"><c r="A4"><f>1+1</f><v>2</v></c></row>'
        ),
    )
    assert read(path, label=None)[1] == [
        (2, "stored", None),
        (3, None, None),
        (4, 2, None),
    ]


def test_formatted_blank_cells_are_empty_and_not_formulas(write):
    path = rewrite(
        write([["text"]]),
        sheet_xml(
            '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c></row>'
            '<row r="2"><c r="A2" s="0"/></row>'
            '<row r="3"><c r="A3" t="inlineStr"><is><t>b</t></is></c></row>'
            '<row r="4"><c r="A4" s="0"/></row>'
        ),
    )
    assert read(path, label=None)[1] == [(2, None, None), (3, "b", None)]


def test_error_value_is_said(write):
    rows = read(write([["text", "label"], ["#N/A", "pos"]]))[1]
    assert rows[0][1] == Unreadable(
        "the error value #N/A", "Correct {them} in the spreadsheet."
    )


def test_impossible_date_is_an_error_value(write):
    path = write([["text"], [datetime.date(2024, 2, 29)]])
    rewrite(
        path,
        {
            "xl/worksheets/sheet1.xml": lambda xml: re.sub(
                "<v>45351</v>", "<v>99999999</v>", xml
            )
        },
    )
    assert read(path, label=None)[1][0][1].what == "the error value #VALUE!"


def test_wrong_dimension_does_not_cut_the_sheet(write):
    cell = '<c r="{0}" t="inlineStr"><is><t>{0}</t></is></c>'
    path = rewrite(
        write([["text"]]),
        sheet_xml(
            "".join(
                f'<row r="{row}">{cell.format(f"A{row}")}'
                f"{cell.format(f'B{row}')}</row>"
                for row in (1, 2, 3)
            )
        ),
    )
    assert read(path) == (("A1", "B1"), [(2, "A2", "B2"), (3, "A3", "B3")])


def test_escaped_control_characters_are_decoded(write):
    texts = ["a_x000D_\nb", "_x005F_x000D_", "tab_x0009_", "_x0041_", "_x_"]
    path = rewrite(
        write([["text"]]),
        sheet_xml(
            "".join(
                f'<row r="{row}"><c r="A{row}" t="inlineStr">'
                f'<is><t xml:space="preserve">{text}</t></is></c></row>'
                for row, text in enumerate(["text", *texts], 1)
            )
        ),
    )
    assert [text for _, text, _ in read(path, label=None)[1]] == [
        "a\r\nb",
        "_x000D_",
        "tab\t",
        "_x0041_",
        "_x_",
    ]


def test_rich_text_is_its_characters(write):
    path = rewrite(
        write([["text"]]),
        sheet_xml(
            '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c></row>'
            '<row r="2"><c r="A2" t="inlineStr"><is><r><t>very </t></r>'
            "<r><rPr><b/></rPr><t>good</t></r></is></c></row>"
        ),
    )
    assert read(path, label=None)[1] == [(2, "very good", None)]


def test_row_beyond_excels_last_is_an_error(write):
    path = rewrite(
        write([["text"]]),
        sheet_xml(
            '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c></row>'
            '<row r="999999999"><c r="A999999999"><v>1</v></c></row>'
        ),
    )
    with pytest.raises(
        DataError,
        match=r"^reviews\.xlsx says it has a row beyond 1,048,576",
    ):
        read(path, label=None)


def test_defusedxml_is_what_openpyxl_reads_with():
    assert openpyxl.DEFUSEDXML


def test_shared_strings_are_read(write):
    path = use_shared_strings(
        write([["x"]]),
        f'<sst xmlns="{MAIN}"><si><t>text</t></si><si><t> a_x000D_\n</t></si>'
        "<si><r><t>very </t></r><r><t>good</t></r></si></sst>",
    )
    assert read(path, label=None) == (
        ("text",),
        [(2, " a\r\n", None), (3, "very good", None)],
    )


def test_missing_shared_string_is_an_error(write):
    path = use_shared_strings(
        write([["x"]]), f'<sst xmlns="{MAIN}"><!-- <si><si> --></sst>'
    )
    with pytest.raises(DataError, match="may be truncated or damaged .Index"):
        read(path, label=None)


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


def test_entity_bomb_in_the_shared_strings_is_refused(write):
    path = use_shared_strings(
        write([["x"]]),
        f'{BOMB}<sst xmlns="{MAIN}"><si><t>&b;</t></si></sst>',
    )
    with pytest.raises(DataError, match="declares XML entities, which no "):
        read(path, label=None)


@pytest.mark.parametrize(
    "member", ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"]
)
def test_entity_bomb_is_refused(write, member):
    def put(xml):
        declaration, _, rest = xml.rpartition("?>")
        return (declaration and declaration + "?>") + BOMB + rest

    path = rewrite(write([["text"], ["a"]]), {member: put})
    with pytest.raises(
        DataError, match=r"^reviews\.xlsx declares XML entities, which no "
    ):
        read(path, label=None)


def test_damaged_xml_is_an_error(write):
    path = rewrite(
        write([["text"], ["a"]]),
        {"xl/worksheets/sheet1.xml": lambda xml: xml[: len(xml) // 2]},
    )
    with pytest.raises(
        DataError,
        match=r"^reviews\.xlsx cannot be read as an xlsx file, it may be "
        "truncated or damaged",
    ):
        read(path, label=None)


def test_zip_of_something_else_is_an_error(tmp_path):
    path = tmp_path / "reviews.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no spreadsheet")
    with pytest.raises(DataError, match="cannot be read as an xlsx file"):
        XlsxTable(path)


def test_warnings_of_styles_are_not_shown(write):
    path = rewrite(
        write([["text"], ["a"]]),
        {
            "xl/styles.xml": lambda xml: re.sub(
                "<cellStyles.*cellStyles>", "", xml
            )
        },
    )
    assert read(path, label=None)[1] == [(2, "a", None)]

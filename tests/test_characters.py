import pathlib
import subprocess
import sys

import pytest

from kerassent.characters import (
    DELETED,
    EXPANDED,
    ISOLATED,
    LETTER,
    MARK,
    SPACE,
    character_table,
)


def look_up(table, code_point):
    entry = int(table.blocks[table.block_of[code_point >> 8], code_point & 255])
    return (entry >> 3) + code_point, entry & 7


@pytest.mark.parametrize(
    "code_point, becomes, kind",
    [
        (ord("A"), ord("a"), LETTER),
        (ord("z"), ord("z"), LETTER),
        (0x7F, 0x7F, DELETED),
        (0x85, 0x85, DELETED),
        (0xA0, 0xA0, SPACE),
        (ord("$"), ord("$"), ISOLATED),
        (0xC9, ord("e"), LETTER),
        (0x0301, 0x0301, DELETED),
        (0x1D165, 0x1D165, MARK),
        (0x4F60, 0x4F60, ISOLATED),
        (0xF900, 0x8C48, ISOLATED),
        (0x0378, 0x0378, LETTER),
        (0xE000, 0xE000, DELETED),
    ],
)
def test_an_uncased_model_sees(code_point, becomes, kind):
    table = character_table(lowercase=True, strip_accents=True)
    assert look_up(table, code_point) == (becomes, kind)


def test_a_hangul_syllable_becomes_its_letters():
    table = character_table(lowercase=True, strip_accents=True)
    index, kind = look_up(table, ord("각"))
    first, last = table.expansion_splits[index : index + 2]
    assert kind == EXPANDED
    assert (table.expansions[first:last] >> 3).tolist() == [
        0x1100,
        0x1161,
        0x11A8,
    ]


def test_a_cased_model_keeps_case_and_accents():
    table = character_table(lowercase=False, strip_accents=False)
    assert look_up(table, ord("É")) == (ord("É"), LETTER)
    assert look_up(table, 0x0301) == (0x0301, LETTER)
    assert len(table.expansions) == len(table.marks) == 0


@pytest.mark.slow
def test_the_file_is_what_the_tool_makes_of_the_reference(
    repository: pathlib.Path, tmp_path
):
    made = tmp_path / "characters.txt"
    subprocess.run(
        [sys.executable, repository / "tools/make_characters.py", made],
        check=True,
    )
    packaged = repository / "kerassent" / "characters.txt"
    assert made.read_text("ascii") == packaged.read_text("ascii")

import pytest

from kerassent import precision
from kerassent.precision import resolve_precision


@pytest.mark.parametrize(
    "flags, expected",
    [
        ("fpu avx512f avx512_bf16 sse", "bfloat16"),
        ("fpu amx_bf16", "bfloat16"),
        ("fpu avx2 avx512f", "float32"),
        ("", "float32"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_has_it(
    flags, expected, tmp_path, monkeypatch
):
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t: none\n")
    monkeypatch.setattr(precision, "_CPU_INFO", info)
    assert resolve_precision("auto") == expected


def test_auto_is_float32_where_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "none")
    assert resolve_precision("auto") == "float32"


def test_a_choice_stays_and_another_is_refused():
    assert resolve_precision("float16") == "float16"
    with pytest.raises(ValueError, match="'auto', 'float32'.*'half'"):
        resolve_precision("half")

"""Each row of what TensorFlow Serving does has a test, or a reason not to."""

import ast
import functools
import pathlib
import tomllib

import pytest

HERE = pathlib.Path(__file__).parent
SECTIONS = tomllib.loads(
    (HERE / "tensorflow_serving_rows.toml").read_text("utf-8")
)
ROWS = {
    f"{section}: {row}": value
    for section, rows in SECTIONS.items()
    for row, value in rows.items()
}


@functools.cache
def cases_of(file):
    """Returns the ids of each test function's cases, by its name."""
    tree = ast.parse((HERE / f"test_{file}.py").read_text("utf-8"))
    return {
        function.name: {
            node.value.value
            for decorator in function.decorator_list
            for node in ast.walk(decorator)
            if isinstance(node, ast.keyword)
            and node.arg == "id"
            and isinstance(node.value, ast.Constant)
        }
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        and function.name.startswith("test_")
    }


@pytest.mark.parametrize("row", ROWS)
def test_row_has_a_test_or_a_reason(row):
    value = ROWS[row]
    if isinstance(value, dict):
        assert list(value) == ["left_out"]
        assert value["left_out"]
        return
    for name in [value] if isinstance(value, str) else value:
        file, _, test = name.partition("::")
        function, bracket, case = test.partition("[")
        assert function in cases_of(file)
        if bracket:
            assert case.removesuffix("]") in cases_of(file)[function]


@pytest.mark.parametrize(
    "file", ["contract_rest", "contract_grpc", "contract_examples"]
)
def test_case_of_a_refusal_is_a_row(file):
    named = " ".join(str(value) for value in ROWS.values())
    for function in cases_of(file):
        if function.endswith("_is_refused"):
            assert f"{file}::{function}" in named

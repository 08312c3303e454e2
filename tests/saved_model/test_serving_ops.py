import pytest

from kerassent.saved_model.serving_ops import serving_ops, versions_listed


def having(op):
    return [v for v, record in serving_ops().items() if op in record.attributes]


def test_versions_are_in_order():
    assert list(serving_ops()) == [
        "2.16",
        "2.17",
        "2.18",
        "2.19",
        "2.20",
        "2.21",
    ]


# Each as the sources say: TensorFlow's release notes, Text's BUILD files.
@pytest.mark.parametrize(
    ("op", "versions"),
    [
        ("MatMul", "2.16 to 2.21"),
        ("NoOp", "2.16 to 2.21"),
        ("FastWordpieceTokenizeWithOffsets", "2.16 to 2.21"),
        ("TFText>RoundRobinTrim", "2.20, 2.21"),
        ("CaseFoldUTF8", "2.16 to 2.19"),
        ("DecodeWebP", "2.20, 2.21"),
        ("DecodeJxl", "2.21"),
        ("XlaLaunch", ""),
        ("CudnnRNN", ""),
    ],
)
def test_ops_are_in_the_versions_that_have_them(op, versions):
    assert versions_listed(having(op)) == versions


def test_attributes_come_and_go():
    found = [
        record.attributes["CustomAggregator"]
        for record in serving_ops().values()
    ]
    assert found[0] - found[1] == {"initial_num_bins"}
    assert found[1] - found[0] == {"num_bins"}
    assert found[1:] == [found[1]] * 5


def test_values_come_and_go():
    assert [
        (v, ("Range", "Tidx", "DT_HALF") in record.refused_values)
        for v, record in serving_ops().items()
        if v < "2.20"
    ] == [("2.16", True), ("2.17", True), ("2.18", False), ("2.19", False)]
    form = ("NormalizeUTF8", "normalization_form", "NFKC")
    assert [
        form in record.refused_values for record in serving_ops().values()
    ] == [False, False, False, False, True, True]


def test_neighbours_become_a_range():
    assert versions_listed([]) == ""
    assert versions_listed(["2.16"]) == "2.16"
    assert versions_listed(["2.16", "2.17", "2.19"]) == "2.16, 2.17, 2.19"
    assert (
        versions_listed(["2.16", "2.18", "2.19", "2.20", "2.21"])
        == "2.16, 2.18 to 2.21"
    )

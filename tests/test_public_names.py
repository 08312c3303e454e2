import kerassent


def test_every_public_name_loads():
    assert sorted(kerassent.__all__) == [
        "AsyncClient",
        "Calibration",
        "Client",
        "Comparison",
        "Evaluation",
        "Explanation",
        "LRCurve",
        "LRFinder",
        "LayerDecayAdamW",
        "OneCycle",
        "Prediction",
        "Reviews",
        "SGDR",
        "SentimentClassifier",
        "Triangular",
        "TriangularOnPlateau",
        "WarmupDecay",
        "calibrate",
        "compare",
        "errors",
        "evaluate",
        "explain",
        "export",
        "find_lr",
        "list_presets",
        "load_reviews",
        "make_dataset",
        "predict",
        "score_dataset",
        "score_file",
        "serve",
        "train",
        "write_report",
    ]
    for name in kerassent.__all__:
        assert getattr(kerassent, name) is not None


def test_no_module_hides_a_public_function():
    """`kerassent.export` must stay the function once all is imported."""
    for name in (
        *("calibrate", "compare", "evaluate", "explain", "export", "find_lr"),
        *("predict", "serve", "train", "write_report"),
    ):
        assert callable(getattr(kerassent, name))
        assert type(getattr(kerassent, name)).__name__ == "function"

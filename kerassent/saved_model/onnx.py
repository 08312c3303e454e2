"""The classifier for ONNX runtimes: token ids in, tokenization outside."""

import importlib.util
import json
import pathlib
from typing import Any, Final

import numpy as np

from kerassent import contract
from kerassent.errors import ExportError, listed
from kerassent.saved_model.export_info import write_info
from kerassent.saved_model.publish import new_directory
from kerassent.word_pieces import MAX_CHARS_PER_WORD

MODEL_FILE: Final = "model.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
README_FILE: Final = "README.md"

# How far the graph's probabilities may be from the classifier's.
_TOLERANCE = 1e-5

_README: Final = """\
# {names}

`{model_file}` takes `token_ids` and `padding_mask`, int64
`(batch_size, length)`, of any batch size and any length up to {longest}. It
gives `logits` and `probabilities`, float32 `(batch_size, {num_classes})`. What
made it is in `{info_file}`. With `pip install onnxruntime tokenizers`, in this
directory:

```python
import json
import numpy as np, onnxruntime, tokenizers

tokenizer = tokenizers.Tokenizer.from_file({tokenizer_file!r})
model = onnxruntime.InferenceSession({model_file!r})
metadata = model.get_modelmeta().custom_metadata_map
class_names = json.loads(metadata["class_names"])

texts = ["A wonderful film.", "Never again."]
encoded = tokenizer.encode_batch(texts)
tokens = {{
    "token_ids": np.array([each.ids for each in encoded]),
    "padding_mask": np.array([each.attention_mask for each in encoded]),
}}
probabilities = model.run(["probabilities"], tokens)[0]
labels = [class_names[row.argmax()] for row in probabilities]
```

The graph is the classifier. The tokens are those that it was trained with,
but:

{differences}
"""


def write_onnx(
    classifier: Any,
    path: pathlib.Path,
    info: dict[str, Any],
) -> None:
    """Writes a directory with an ONNX graph and all that asking it takes.

    The graph is run by ONNX Runtime and compared with the classifier before
    the directory gets its name.

    Args:
        classifier: A `SentimentClassifier` with its preprocessor.
        path: The directory to be; an empty one may be there.
        info: What made it, as `export_info` returns it.

    Raises:
        ExportError: A package is missing, something is there, the classifier
            can't be written as ONNX, or the graph does not reproduce it.
    """
    missing = [
        name
        for name in ("onnx", "onnxruntime")
        if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ExportError(
            f"`format='onnx'` needs {listed(missing)}, which "
            f"{'is' if len(missing) == 1 else 'are'} not installed: "
            "`pip install 'kerassent[onnx]'`."
        )
    preprocessor = classifier.preprocessor
    from kerassent.saved_model.onnx_graph import make_model

    model = make_model(classifier)
    with new_directory(path) as staging:
        (staging / MODEL_FILE).write_bytes(model.SerializeToString())
        write_info(staging, info)
        (staging / TOKENIZER_FILE).write_text(
            json.dumps(_tokenizer(preprocessor), ensure_ascii=False, indent=1),
            encoding="utf-8",
        )
        preprocessor.tokenizer.save_assets(str(staging))
        (staging / README_FILE).write_text(
            _README.format(
                names=", ".join(classifier.class_names),
                num_classes=len(classifier.class_names),
                longest=classifier.backbone.max_sequence_length,
                model_file=MODEL_FILE,
                info_file=contract.EXPORT_INFO,
                tokenizer_file=TOKENIZER_FILE,
                differences="\n".join(
                    f"- {each}" for each in _differences(preprocessor)
                ),
            ),
            encoding="utf-8",
        )
        _check_reproduces(classifier, staging / MODEL_FILE)


def _tokenizer(preprocessor: Any) -> dict[str, Any]:
    """Returns the tokenizer in the form of Hugging Face's `tokenizers`."""
    tokenizer = preprocessor.tokenizer
    pieces = tokenizer.get_vocabulary()
    start, end = "[CLS]", "[SEP]"
    return {
        "version": "1.0",
        "truncation": {
            "direction": "Left" if preprocessor.truncate == "tail" else "Right",
            "max_length": preprocessor.sequence_length,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": {
            "strategy": "BatchLongest",
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": tokenizer.pad_token_id,
            "pad_type_id": 0,
            "pad_token": pieces[tokenizer.pad_token_id],
        },
        # None of them: `[SEP]` and the like in a text are text.
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": tokenizer.strip_accents,
            "lowercase": tokenizer.lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "BertProcessing",
            "sep": [end, tokenizer.sep_token_id],
            "cls": [start, tokenizer.cls_token_id],
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": MAX_CHARS_PER_WORD,
            "vocab": {piece: index for index, piece in enumerate(pieces)},
        },
    }


def _differences(preprocessor: Any) -> list[str]:
    """Returns what a user of the files has to know, a sentence each."""
    found = [
        "`tokenizers` takes strings, not bytes. What is not UTF-8 was left out "
        'in training: `raw.decode("utf-8", "replace")` comes to the same.'
    ]
    if preprocessor.truncate == "head_tail":
        found.append(
            f"Of a text of more than {preprocessor.sequence_length} tokens it "
            "sees the head; training kept 'head_tail', some tokens of the head "
            f"and the rest of the tail: see `{contract.EXPORT_INFO}`."
        )
    if preprocessor.clean_html:
        found.append(
            "It does not clean HTML, training did: pass text without tags and "
            "entities."
        )
    return found


def _check_reproduces(classifier: Any, path: pathlib.Path) -> None:
    import onnx
    import onnxruntime

    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    texts = ["", "A wonderful film.", "a film " * 300, "Não gostei — 0/10 …"]
    expected = classifier.predict_proba(texts)
    for rows in ([0], [1], [0, 1, 2, 3]):
        tokens = classifier.preprocessor([texts[row] for row in rows])
        [received] = session.run(
            [contract.PROBABILITIES],
            {name: np.array(each, np.int64) for name, each in tokens.items()},
        )
        difference = float(np.abs(received - expected[rows]).max())
        if not difference <= _TOLERANCE:
            raise ExportError(
                "The ONNX graph does not reproduce the classifier: its "
                f"probabilities differ by {difference:.2g}, at most "
                f"{_TOLERANCE} is allowed. Nothing was published."
            )

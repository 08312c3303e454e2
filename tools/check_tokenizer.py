"""Compares the tokenizer with its reference on real reviews.

Run it when the tokenizer, TensorFlow or the reference changes:

    python tools/check_tokenizer.py FILE... [--text Reviews] [--preset NAME]

Each review's ids are compared with those that Hugging Face's `tokenizers`
gives with the same vocabulary, uncased and cased. The first differing reviews
are shown; the last line is a JSON object with how many there are.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence

import tensorflow as tf
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

import kerassent as ks
from kerassent.presets import DEFAULT_PRESET, find_preset
from kerassent.tokenizer import BertTokenizer

BATCH = 2000


def main() -> int:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--text", default="Reviews", help="the texts' column")
    parser.add_argument("--preset", default=DEFAULT_PRESET)
    options = parser.parse_args()
    directory = str(find_preset(options.preset))
    vocabulary = BertTokenizer.from_preset(directory).get_vocabulary()
    texts: list[str] = []
    for file in options.files:
        # A file with errors in its labels has texts all the same.
        texts += ks.load_reviews(file, text=options.text, drop_empty=True).texts
    figures: dict[str, object] = {"reviews": len(texts)}
    for name, lowercase in (("uncased", True), ("cased", False)):
        rows = list(differing(vocabulary, lowercase, texts))
        for row in rows[:3]:
            print(f"{name}: {texts[row]!a:.2000}", file=sys.stderr)
        figures[f"differing_{name}"] = len(rows)
    figures["tokenizers"] = tokenizers.__version__
    print(json.dumps(figures))
    return int(any(figures[f"differing_{m}"] for m in ("uncased", "cased")))


def differing(
    vocabulary: Sequence[str], lowercase: bool, texts: Sequence[str]
) -> Iterable[int]:
    """Yields the rows whose ids are not those of the reference."""
    ours = BertTokenizer(vocabulary, lowercase=lowercase)
    theirs = reference(vocabulary, lowercase)
    for start in range(0, len(texts), BATCH):
        batch = list(texts[start : start + BATCH])
        found = ours(tf.constant(batch)).to_list()
        expected = theirs.encode_batch(batch, add_special_tokens=False)
        for row, (a, b) in enumerate(zip(found, expected, strict=True)):
            if a != b.ids:
                yield start + row


def reference(
    vocabulary: Sequence[str], lowercase: bool
) -> tokenizers.Tokenizer:
    """Returns Hugging Face's BERT tokenizer."""
    found = tokenizers.Tokenizer(
        models.WordPiece(
            {token: i for i, token in enumerate(vocabulary)},
            unk_token="[UNK]",
            max_input_chars_per_word=100,
        )
    )
    found.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return found


if __name__ == "__main__":
    sys.exit(main())

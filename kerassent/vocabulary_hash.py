"""The SHA-256 that tells the same vocabulary from others."""

import hashlib
import json
from typing import Any


def hash_vocabulary(preprocessor: Any) -> str:
    """Returns the SHA-256 of a vocabulary and of how text is made ready for it.

    Args:
        preprocessor: Its tokenizer has the vocabulary.
    """
    tokenizer = preprocessor.tokenizer
    made_by = {
        "tokenizer": type(tokenizer).__name__,
        "lowercase": tokenizer.lowercase,
        "strip_accents": tokenizer.strip_accents,
        "vocabulary": tokenizer.get_vocabulary(),
    }
    content = json.dumps(made_by, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()

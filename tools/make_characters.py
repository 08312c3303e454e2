"""Makes kerassent/characters.txt: what BERT does with each code point.

Run it when the pinned version of the reference changes, and read the diff:

    python tools/make_characters.py kerassent/characters.txt

It asks Hugging Face's `tokenizers` what its normalizer and pre-tokenizer do
with each of the 1,112,064 code points, since the Unicode tables that they were
built with are the ones pretrained weights were trained with, and they are not
those of any one Unicode version. The last line it prints is a JSON object: how
many code points each section names.
"""

import argparse
import json
import pathlib
import unicodedata
from collections.abc import Callable, Iterator, Sequence

import tokenizers
from tokenizers import normalizers, pre_tokenizers

REFERENCE = "0.23.3"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)

# Nothing is done to it, and it separates.
MARK = "."

HEADER = f"""\
# What BERT's normalizer and pre-tokenizer do with each code point, measured on
# tokenizers {REFERENCE} by tools/make_characters.py, which also says why. Do
# not edit. What no line names stays as it is. Code points are hexadecimal, the
# rest is decimal.
"""


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    output = parser.parse_args().output
    if tokenizers.__version__ != REFERENCE:
        parser.error(
            f"tokenizers {REFERENCE} is the reference. Found: "
            f"{tokenizers.__version__}"
        )
    sections = measure()
    output.write_text(
        HEADER + "".join(written(*item) for item in sections.items()),
        encoding="ascii",
        newline="\n",
    )
    print(json.dumps({name: len(each) for name, each in sections.items()}))


def measure() -> dict[str, dict[int, tuple[int, ...]]]:
    """Returns each section's code points and what they become, if anything."""
    cleaned = outcomes(bert_normalizer(clean_text=True).normalize_str)
    spaced = outcomes(bert_normalizer(handle_chinese_chars=True).normalize_str)
    stripped = outcomes(bert_normalizer(strip_accents=True).normalize_str)
    decomposed = outcomes(normalizers.NFD().normalize_str)
    lowered = outcomes(normalizers.Lowercase().normalize_str)
    pieces = {c: num_pieces(c) for c in CODE_POINTS}
    return {
        "deleted": {c: () for c, text in cleaned.items() if text == ""},
        "space": {
            c: ()
            for c, text in cleaned.items()
            if text == " " or (text == chr(c) and pieces[c] == 2)
        },
        "ideograph": {
            c: () for c, text in spaced.items() if text == f" {chr(c)} "
        },
        "punctuation": {c: () for c, found in pieces.items() if found == 3},
        "nonspacing": {
            c: ()
            for c, text in stripped.items()
            if text == "" and decomposed[c] == chr(c)
        },
        "combining class": combining_classes(),
        "decomposition": {
            c: tuple(map(ord, text))
            for c, text in decomposed.items()
            if text != chr(c) and c not in HANGUL
        },
        "lowercase": {
            c: tuple(map(ord, text))
            for c, text in lowered.items()
            if text != chr(c)
        },
    }


def bert_normalizer(
    clean_text: bool = False,
    handle_chinese_chars: bool = False,
    strip_accents: bool = False,
) -> normalizers.BertNormalizer:
    """Returns the reference with nothing on but what is named."""
    return normalizers.BertNormalizer(
        clean_text=clean_text,
        handle_chinese_chars=handle_chinese_chars,
        strip_accents=strip_accents,
        lowercase=False,
    )


def outcomes(normalize: Callable[[str], str]) -> dict[int, str]:
    """Returns what each code point becomes."""
    found = {}
    for start in range(0, len(CODE_POINTS), 4096):
        block = CODE_POINTS[start : start + 4096]
        text = normalize("".join(MARK + chr(c) for c in block))
        parts = text.split(MARK)[1:]
        if len(parts) != len(block):  # the mark is among them
            parts = [normalize(MARK + chr(c))[1:] for c in block]
        found.update(zip(block, parts, strict=True))
    return found


def num_pieces(code_point: int) -> int:
    """Returns into how many pieces the pre-tokenizer splits aXb."""
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    return len(split(f"a{chr(code_point)}b"))


def combining_classes() -> dict[int, tuple[int, ...]]:
    """Returns the canonical combining classes that are not 0.

    NFD sorts neighbours by class, so a code point's class is between those
    that it changes places with and those that it does not.
    """
    nfd = normalizers.NFD().normalize_str
    least, most = "\u0334", "\u0345"  # of the classes 1 and 240

    def combines(char: str) -> bool:
        return nfd(char) == char and (
            swaps(nfd, char, least) or swaps(nfd, most, char)
        )

    found = [c for c in CODE_POINTS if combines(chr(c))]
    samples = {unicodedata.combining(chr(c)): chr(c) for c in reversed(found)}
    classes = {}
    for code_point in found:
        char = chr(code_point)
        [kind] = (
            kind
            for kind, sample in samples.items()
            if not swaps(nfd, char, sample) and not swaps(nfd, sample, char)
        )
        classes[code_point] = (kind,)
    return classes


def swaps(nfd: Callable[[str], str], first: str, second: str) -> bool:
    """Returns whether NFD exchanges the two."""
    return nfd(first + second) == second + first != first + second


def written(name: str, found: dict[int, tuple[int, ...]]) -> str:
    """Returns a section of the file."""
    lines = []
    for run in runs({c: value(name, c, become) for c, become in found.items()}):
        said = value(name, run[0], found[run[0]])
        lines.append(f"{span(run)} {said}".rstrip() + "\n")
    return f"\n[{name}]\n" + "".join(lines)


def value(name: str, code_point: int, become: tuple[int, ...]) -> str:
    """Returns what a line says of a code point."""
    if name == "combining class":
        return str(become[0])
    if len(become) == 1:
        return f"{become[0] - code_point:+}"
    return " ".join(f"{c:04X}" for c in become)


def runs(values: dict[int, str]) -> Iterator[Sequence[int]]:
    """Yields evenly spaced runs, by 1 or by 2, of the same value."""
    taken: set[int] = set()
    for first in sorted(values):
        if first in taken:
            continue
        for step in (1, 2):
            run = [first]
            while (
                (following := run[-1] + step) in values
                and following not in taken
                and values[following] == values[first]
            ):
                run.append(following)
            if len(run) > 1:
                break
        yield run
        taken.update(run)


def span(run: Sequence[int]) -> str:
    """Returns a run as it is written: first, last and a step of 2."""
    if len(run) == 1:
        return f"{run[0]:04X}"
    step = run[1] - run[0]
    return f"{run[0]:04X}..{run[-1]:04X}" + ("/2" if step == 2 else "")


if __name__ == "__main__":
    main()

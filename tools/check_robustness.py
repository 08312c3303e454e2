"""How often a model is right on reviews, and on the same ones spoilt.

Run it when a published model changes, with a run and the spreadsheet that it
was trained on, of which it takes the part that was held out (or with another
one), with the columns `Reviews` and `Sentiment`:

    python tools/check_robustness.py imdb/run train.xlsx [--reviews 1000]

Each row keeps the labels of the reviews that it spoils:

- `as they are`, and of these the short (up to 100 words) and the long ones
  (above 500, which are cut to fit);
- `typos`: in one word of ten two letters change places, or one is left out;
- `upper case`, `no punctuation`, `HTML` (paragraphs, bold words, a link,
  entities), `emoji` (one of no sentiment after each sentence);
- `first sentence` and `last sentence` alone;
- `very long`: the review, over and over, to 5,000 words;
- `sample`: kerassent's own short reviews, of many subjects;
- `negation`: pairs such as "The film is good." and "The film is not good."; a
  pair is right if both of them are.

The last line is a JSON object: how many, how many right, and Wilson's interval.
"""

import argparse
import itertools
import json
import pathlib
import random
import re
from collections.abc import Callable, Sequence

import kerassent as ks
from kerassent.calibration import held_out
from kerassent.label_figures import wilson_interval
from kerassent.packaged_sample import load_sample

EMOJI = "\N{CLAPPER BOARD}\N{POPCORN}\N{SPARKLES}\N{FILM FRAMES}"
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
LONG = 5000

ADJECTIVES = {
    "pos": ("good", "great", "funny", "clever", "moving", "worth watching"),
    "neg": ("bad", "terrible", "boring", "stupid", "too long", "predictable"),
}
# A sentence, and the one that says the contrary.
CLAIMS = (
    ("The film is {}.", "The film is not {}."),
    ("I found it {}.", "I did not find it {}."),
    ("It was {} from beginning to end.", "It was never {}."),
    ("The whole thing is {}.", "The whole thing isn't {} at all."),
)
STATEMENTS = (
    ("I enjoyed it.", "I did not enjoy it.", "pos"),
    ("I would watch it again.", "I would never watch it again.", "pos"),
    ("The plot works.", "The plot does not work.", "pos"),
    ("Everybody should see this.", "Nobody should see this.", "pos"),
    ("It bored me.", "It never bored me.", "neg"),
    ("I regret the money.", "I don't regret a penny.", "neg"),
    ("It disappoints.", "It does not disappoint.", "neg"),
    ("It is a waste of time.", "It is by no means a waste of time.", "neg"),
)

Labelled = list[tuple[str, str]]


def main() -> None:
    """Parses the command line and does it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("file")
    parser.add_argument("--reviews", type=int, default=1000)
    options = parser.parse_args()
    reviews = ks.load_reviews(options.file, text="Reviews", label="Sentiment")
    reviews = held_out(options.run, reviews)
    if len(reviews) > options.reviews:
        reviews = reviews.sample(options.reviews, seed=0)
    classifier = ks.SentimentClassifier.from_preset(str(options.run))
    rows: dict[str, dict[str, object]] = {}

    def row(name: str, right: Sequence[bool]) -> None:
        low, high = wilson_interval(sum(right), len(right))
        rows[name] = {
            "reviews": len(right),
            "right": sum(right),
            "interval": [low, high],
        }
        print(f"{name:20} {sum(right):5} of {len(right):5}", flush=True)

    plain = list(zip(reviews.texts, reviews.labels, strict=True))
    right = are_right(classifier, plain)
    row("as they are", right)
    num_words = [len(text.split()) for text, _ in plain]
    for name, least, most in (("short", 0, 100), ("long", 501, 10**6)):
        row(
            name,
            [
                is_right
                for is_right, num in zip(right, num_words, strict=True)
                if least <= num <= most
            ],
        )
    for name, spoil in SPOILT.items():
        # A review's accidents are its own, whichever others there are.
        spoilt = [(spoil(t, random.Random(t)), label) for t, label in plain]
        row(name, are_right(classifier, spoilt))
    sample = load_sample()
    row(
        "sample",
        are_right(
            classifier, list(zip(sample.texts, sample.labels, strict=True))
        ),
    )
    right = are_right(classifier, negations())
    row("negation, sentences", right)
    pairs = zip(right[::2], right[1::2], strict=True)
    row("negation, pairs", [all(pair) for pair in pairs])
    print(json.dumps(rows))


def are_right(
    classifier: ks.SentimentClassifier, labelled: Labelled
) -> list[bool]:
    """Returns of which texts the model says their label."""
    predictions = ks.predict(classifier, [text for text, _ in labelled])
    return [
        prediction.label == label
        for prediction, (_, label) in zip(predictions, labelled, strict=True)
    ]


def typos(text: str, chance: random.Random) -> str:
    """Spoils a word of ten, of those with more than three letters."""

    def word(match: re.Match[str]) -> str:
        letters = match.group()
        if chance.random() > 0.1:
            return letters
        i = chance.randrange(1, len(letters) - 1)
        swapped = letters[i + 1] + letters[i]
        middle = chance.choice((swapped, letters[i + 1]))
        return letters[:i] + middle + letters[i + 2 :]

    return re.sub(r"[A-Za-z]{4,}", word, text)


def html(text: str, chance: random.Random) -> str:
    """Makes a page's source of it."""
    words = [
        f"<b>{word}</b>" if chance.random() < 0.05 else word
        for word in text.replace("&", "&amp;").split(" ")
    ]
    body = " ".join(words).replace(". ", ".</p>\n<p>").replace("'", "&#39;")
    return (
        f'<div class="review"><p>{body}</p>'
        '<a href="https://example.org/?a=1&amp;b=2">More</a></div>'
    )


def emoji(text: str, chance: random.Random) -> str:
    """Puts one after each sentence."""
    return SENTENCE_END.sub(lambda _: f" {chance.choice(EMOJI)} ", text)


SPOILT: dict[str, Callable[[str, random.Random], str]] = {
    "typos": typos,
    "upper case": lambda text, _: text.upper(),
    "no punctuation": lambda text, _: re.sub(r"[^\w\s<>/]", "", text),
    "HTML": html,
    "emoji": emoji,
    "first sentence": lambda text, _: SENTENCE_END.split(text.strip())[0],
    "last sentence": lambda text, _: SENTENCE_END.split(text.strip())[-1],
    "very long": lambda text, _: " ".join(
        itertools.islice(itertools.cycle(text.split() or ["."]), LONG)
    ),
}


def negations() -> Labelled:
    """Returns each pair's two sentences, one after the other."""
    other = {"pos": "neg", "neg": "pos"}
    pairs = [
        (plain.format(adjective), negated.format(adjective), label)
        for label, adjectives in ADJECTIVES.items()
        for adjective in adjectives
        for plain, negated in CLAIMS
    ]
    return [
        each
        for plain, negated, label in (*pairs, *STATEMENTS)
        for each in ((plain, label), (negated, other[label]))
    ]


if __name__ == "__main__":
    main()

"""HTML in reviews: in the graph, and only where a data set needs it."""

import re
from collections.abc import Iterable
from typing import Any, Final

import tensorflow as tf

# From this share of texts with a tag on, a data set is cleaned.
SHARE_THAT_NEEDS_IT: Final = 0.01

# The elements of the HTML standard that hold or format text, and those it
# calls obsolete. "a < b and c > d" must stay what it is.
_ELEMENTS = (
    "a|abbr|acronym|address|article|aside|audio|b|bdi|bdo|big|blockquote|body|"
    "br|button|caption|center|cite|code|col|colgroup|data|dd|del|details|dfn|"
    "dir|div|dl|dt|em|figcaption|figure|font|footer|form|h[1-6]|head|header|"
    "hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|menu|meta|nav|"
    "noscript|ol|option|p|picture|pre|q|s|samp|section|select|small|source|"
    "span|strike|strong|sub|summary|sup|table|tbody|td|textarea|tfoot|th|"
    "thead|time|title|tr|tt|u|ul|var|video|wbr"
)

# A tag's attributes have a `=`, but for the few that stand alone.
_TAG = (
    rf"(?i)</?(?:{_ELEMENTS})"
    r"(?:[\t\n\r ]+[^<>=]*=[^<>]*|[\t\n\r ]+(?:hidden|controls|noshade))?"
    r"[\t\n\r ]*/?>"
)

# Pattern and what it becomes, in this order. `&amp;` is last, so that
# `&amp;lt;` is `&lt;`, as a browser shows it.
_RULES: Final = (
    (r"(?is)<(?:script|style)\b[^<>]*>.*?</(?:script|style)[\t\n\r ]*>", " "),
    (r"(?s)<!--.*?-->", " "),
    (r"(?i)<!doctype[^<>]*>", " "),
    (_TAG, " "),
    (r"&(?:nbsp|#160|#[xX][aA]0);", " "),
    (r"&(?:lt|#60);", "<"),
    (r"&(?:gt|#62);", ">"),
    (r"&(?:quot|ldquo|rdquo|#34|#822[01]);", '"'),
    (r"&(?:apos|lsquo|rsquo|#0?39|#821[67]);", "'"),
    (r"&(?:ndash|mdash|#821[12]);", "-"),
    (r"&(?:hellip|#8230);", "..."),
    (r"&(?:amp|#38);", "&"),
)

# What any rule finds, in one go.
ANY_RULE: Final = "|".join(f"(?:{pattern})" for pattern, _ in _RULES)


def clean_html(text: Any) -> Any:
    """Returns texts with spaces for tags and characters for entities.

    Tags of HTML's elements, comments, scripts and styles become a space;
    `&amp;`, `&lt;`, `&gt;`, `&quot;`, `&nbsp;` and the entities of quotes,
    dashes and the ellipsis what they stand for.

    Args:
        text: string tensor of any shape.
    """
    for pattern, becomes in _RULES:
        text = tf.strings.regex_replace(text, pattern, becomes)
    return text


def needs_clean_html(texts: Iterable[str]) -> bool:
    """Returns whether one text in a hundred or more has a tag.

    Args:
        texts: The texts, or a sample of them.
    """
    tag = re.compile(_TAG)
    found = [tag.search(text) is not None for text in texts]
    return bool(found) and sum(found) >= SHARE_THAT_NEEDS_IT * len(found)

import pytest
import tensorflow as tf

from kerassent.markup import clean_html, needs_clean_html


@pytest.mark.parametrize(
    "text, cleaned",
    [
        ("good<br />bad<BR>fine<br/>", "good bad fine "),
        ("<p class='x'>good</p>", " good "),
        ('<a href="http://x.y/?a=b">good</a\n>', " good "),
        ("<i>good</i> <b >bad</b>", " good   bad "),
        ("<h1>good</h1><h9>", " good <h9>"),
        ("good<!-- a <b>\n -->bad", "good bad"),
        ("<script type=x>if (a<b) {}\n</script>good", " good"),
        ("<!DOCTYPE html>good", " good"),
        ("a &lt;b&gt; &quot;c&quot; d&#39;e &amp;lt; f&nbsp;g",
         "a <b> \"c\" d'e &lt; f g"),
        ("wait&hellip; no &mdash; &ldquo;x&rdquo;", 'wait... no - "x"'),
    ],
)  # fmt: skip
def test_markup_becomes_text(text, cleaned):
    assert clean_html(tf.constant([text])).numpy()[0].decode() == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "I <3 this > that",
        "a <b and c> d",
        "x<y && y>z",
        "<spoiler> the butler",
        "AT&T; R&D & Q",
        "5 < 6 <= 7",
        "\u00e9\u4f60 <",
    ],
)
def test_what_is_no_markup_stays(text):
    assert clean_html(tf.constant([text])).numpy()[0].decode() == text


def test_any_bytes_have_an_answer():
    texts = tf.constant([b"\xff<br>\x00", b"", b"<" * 1000])
    assert clean_html(texts).numpy().tolist() == [
        b"\xff \x00",
        b"",
        b"<" * 1000,
    ]


def test_a_data_set_needs_it_from_one_text_in_a_hundred_on():
    assert needs_clean_html(["good"] * 99 + ["bad<br />"])
    assert not needs_clean_html(["good"] * 100 + ["bad<br />"])
    assert not needs_clean_html(["a <b and c> d"])
    assert not needs_clean_html([])

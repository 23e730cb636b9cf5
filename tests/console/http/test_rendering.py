"""Templates say things in the reader's language, and what they say is escaped."""

import pytest

from console.http.rendering import environment
from console.output import speaking


@pytest.mark.parametrize(("language", "said"), [("zh", "待办 &lt;1&gt;"), ("en", "To do &lt;1&gt;")])
def test_a_text_written_in_both_languages_is_said_in_the_readers(language: str, said: str) -> None:
    template = environment(language).from_string('{{ say("待办 <1>", "To do <1>") }}')

    with speaking(language):
        assert template.render() == said


def test_texts_that_are_known_only_then_are_said_as_well() -> None:
    template = environment("en").from_string('{{ say(*names) }} {{ say("有 %d 件" % n, "%d of them" % n) }}')

    with speaking("en"):
        assert template.render(names=("灯", "light"), n=3) == "light 3 of them"


def test_a_text_handed_to_a_macro_is_escaped_once() -> None:
    source = '{% macro m(x) %}<b>{{ x }}</b>{% endmacro %}{{ m(say("甲 & 乙", "a & b")) }}{{ say("1", "2") ~ x }}'

    with speaking("zh"):
        assert environment("zh").from_string(source).render(x="<") == "<b>甲 &amp; 乙</b>1&lt;"


def test_both_languages_have_templates_of_their_own() -> None:
    assert environment("zh") is not environment("en")
    assert environment("zh") is environment("zh")

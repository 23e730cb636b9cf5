"""Templates say things in the reader's language, and what they say is escaped."""

from enum import StrEnum
from types import SimpleNamespace

import pytest
from jinja2 import Environment, StrictUndefined
from jinja2.exceptions import UndefinedError
from markupsafe import Markup

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


class _Code(StrEnum):
    SHARP = "<&>"


_ALL_KINDS_OF_CALLS = """
{% macro field(name, label="标签", hint=none, attrs={}) %}
<i {{ attrs | xmlattr }}>{{ name }}|{{ label }}|{{ hint }}</i>{% endmacro %}
{% macro card(title) %}<b>{{ title }}{% if caller is defined %}{{ caller() }}{% endif %}</b>{% endmacro %}
{% macro row(x) %}{{ caller(x, "y") }}{% endmacro %}
{% macro any() %}{{ varargs | join("+") }}{{ kwargs.items() | list }}{% endmacro %}
{{ field("<a>") }}{{ field(text, "b", hint=safe) }}{{ field(label=number, name=none) }}
{{ field("n", attrs={"data-x": '"'}) }}
{{ card(text) }}{% call card(safe) %}{{ text }}{{ safe }}{% endcall %}
{% call(a, b) row(text) %}{{ a }}{{ b }}{% endcall %}
{{ any(1, text, z="<") }}{{ field(*pair) }}{{ field(**named) }}
{{ shout(text) }}{{ shout(word=safe) }}{{ thing.shout("&") }}
{% for each in pair %}{% set inner = shout(each) %}
{{ loop.index }}{{ inner }}{{ loop.cycle("o", "e") }}{{ field(each) }}{% endfor %}
{{ code }}{{ number }}{{ true }}{{ none }}{{ pair }}{{ text ~ safe }}{% set kept %}{{ text }}{% endset %}{{ kept }}
{% filter upper %}{{ shout(text) }}{% endfilter %}{% if card is callable %}{{ range(3) | list }}{% endif %}
"""


def test_the_short_cuts_of_our_templates_give_the_text_jinja_gives() -> None:
    values = {
        "text": "a<b>&'\"",
        "safe": Markup("<u>&amp;</u>"),
        "number": 7,
        "code": _Code.SHARP,
        "pair": ("<1>", Markup("<2>")),
        "named": {"name": "<n>", "hint": "&"},
        "shout": lambda word: f"{word}!",
        "thing": SimpleNamespace(shout=lambda word: Markup("<em>%s</em>") % word),
    }
    plain = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)

    assert environment("zh").from_string(_ALL_KINDS_OF_CALLS).render(values) == plain.from_string(
        _ALL_KINDS_OF_CALLS
    ).render(values)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("{% macro m(x) %}{% endmacro %}{{ m(1, 2) }}", TypeError),
        ("{% macro m(x) %}{% endmacro %}{{ m(1, y=2) }}", TypeError),
        ("{% macro m(x) %}{% endmacro %}{{ m(1, x=2) }}", TypeError),
        ("{% macro m(x) %}{{ x }}{% endmacro %}{{ m() }}", UndefinedError),
        ("{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", UndefinedError),
        ("{{ nothing() }}", UndefinedError),
        ("{{ thing.nothing() }}", UndefinedError),
    ],
)
def test_a_call_that_does_not_fit_is_still_a_mistake(source: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        environment("zh").from_string(source).render(thing=SimpleNamespace())

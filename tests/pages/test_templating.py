"""The template engine: names that are missing, and the same output as Jinja's own code makes."""

from __future__ import annotations

import pytest
from jinja2 import DictLoader, Environment, UndefinedError

from undercroft.templating.environment import Missing, Nothing, make_environment

SOURCES = {
    "base": "<{% block a %}A{% endblock %}|{% block b %}{{ x }}{% endblock %}>",
    "macros": "{% macro m(v, w=1) %}[{{ v }}{{ w }}{{ caller() if caller }}]{% endmacro %}",
    "part": "({{ x }}{{ loop_index }})",
    "plain": "a {{ x }} b {{ y.z }} {{ y['z'] }} {{ items[0] }} {{ items[1:] }} {{ '<&>' }} {{ x|upper|length }}",
    "loops": "{% for i in items %}{{ loop.index }}{{ i }}{% if loop.last %}!{% else %},{% endif %}{% else %}none{% endfor %}",
    "outer": "{% for i in items %}{% set outer = loop %}{% for j in items %}{{ outer.last }}{{ outer['last'] }}{{ loop.length }}{{ loop.nextitem or '-' }}{% endfor %}{% endfor %}",
    "nested": "{{ y.w.z }}{{ (y.w.z ~ x).upper() }}{% for k, v in tree[0].items() if k != 'c' %}{{ k }}{{ v }}{% endfor %}{{ tree[0].c[0]['n'] }}",
    "child": "{% extends 'base' %}{% block a %}{{ super() }}{{ x }}{% for i in items %}{{ i }}{% endfor %}{% endblock %}",
    "choice": "{% if y %}{% extends 'base' %}{% endif %}x {{ x }} y{% block b %}{{ x }} {{ x }}{% endblock %}",
    "calls": "{% from 'macros' import m %}{{ m(x) }}{% call m(1, 2) %}{{ x }}-{{ x }}{% endcall %}{{ later(x) }}",
    "sets": "{% set t %}{{ x }}&{{ x }}{% endset %}{{ t }}{% set u = x ~ '<' ~ x %}{{ u }}{% with v = 1 %}{{ v }}{% endwith %}",
    "includes": "{% for loop_index in [1, 2] %}{% include 'part' %}{% endfor %}{% include 'none' ignore missing %}",
    "filters": "{% filter upper %}a {{ x }} b{% endfilter %}{{ items|map('upper')|join('+') }}{{ items|first }}",
    "tests": "{{ x is defined }} {{ nope is defined }} {{ nope or 'none' }} {{ x in items }} {{ 1 if x else 2 }}",
    "raw": "{% raw %}{{ x }}{% endraw %}{{ safe }}{{ safe|escape }}{# no #} {%- autoescape false %} {{ x }}{% endautoescape %}",
    "recursive": "{% for i in tree recursive %}{{ i.n }}{% if i.c %}({{ loop(i.c) }}){% endif %}{% endfor %}",
}


class Deep:
    z = "<z>"

    @property
    def w(self):
        return Deep()


async def later(value):
    return f"later {value}"


NAMES = {
    "x": "<x>",
    "y": Deep(),
    "items": ["a", "<b>"],
    "later": later,
    "safe": "<i>",
    "tree": [{"n": 1, "c": [{"n": 2, "c": []}, {"n": 3, "c": []}]}],
}


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in {"macros", "part"}])
async def test_same_output_as_jinja(name):
    """Fewer steps, the same text."""
    usual = Environment(
        loader=DictLoader(SOURCES), autoescape=True, enable_async=True, trim_blocks=True, lstrip_blocks=True
    )
    ours = make_environment(DictLoader(SOURCES))

    assert await ours.get_template(name).render_async(NAMES) == await usual.get_template(name).render_async(NAMES)


@pytest.mark.parametrize(
    "text", ["{{ a }}", "{{ a.b }}", "{{ a + 1 }}", "{% for x in a %}{% endfor %}", "{{ x.nope }}", "{{ a() }}"]
)
async def test_missing_names_fail(text):
    """What is used and is not there is an error."""
    with pytest.raises(UndefinedError):
        await make_environment(DictLoader({})).from_string(text).render_async(x=Deep())


async def test_missing_names_can_be_asked_for():
    """Whether a name is there may be asked."""
    text = (
        "{{ a or 'none' }}{% if a %}x{% endif %}{{ a is defined }}{{ a|default('d') }}{% if not x.nope %}y{% endif %}"
    )

    assert await make_environment(DictLoader({})).from_string(text).render_async(x=Deep()) == "noneFalsedy"


def test_missing_names_are_named():
    """The error says what is missing, and of what."""
    with pytest.raises(UndefinedError, match=r"'a' is not defined\."):
        str(Missing(name="a"))
    with pytest.raises(UndefinedError, match=r"Deep object has no 'b'\."):
        str(Missing(obj=Deep(), name="b"))


def test_nothing_is_empty_all_the_way():
    """What may be absent prints as nothing, and so does what it is asked for."""
    assert (str(Nothing(name="a").b.c), bool(Nothing().b), list(Nothing())) == ("", False, [])

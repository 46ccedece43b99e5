"""Hypothesis strategies that several tests share."""

from typing import Any

from hypothesis import strategies as st

from sweepstake.search import Choice, Constant, Distribution, LogUniform, Normal, Uniform

__all__ = [
    "choices",
    "distributions",
    "finite_floats",
    "json_mappings",
    "json_values",
    "log_uniforms",
    "names",
    "normals",
    "texts",
    "uniforms",
]

#: Any Unicode text: what JSON can hold.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
#: Names of experiments, jobs, tags and hyperparameters.
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(
    lambda name: name not in {".", ".."}
)
finite_floats = st.floats(allow_nan=False, allow_infinity=False)

_keys = texts | texts.map("$".__add__) | st.sampled_from(["$number", "$$number", "$", ""])
_scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.sampled_from(["NaN", "Infinity"])

#: Values of every JSON kind, non-finite floats and `$` keys included.
json_values: st.SearchStrategy[Any] = st.recursive(
    _scalars,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(_keys, children, max_size=4),
    max_leaves=12,
)
#: What a user hands over as hyperparameters or results.
json_mappings: st.SearchStrategy[dict[str, Any]] = st.dictionaries(_keys, json_values, max_size=5)

_positive = st.floats(min_value=0.0, exclude_min=True, allow_infinity=False)


def _intervals(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[list[float]]:
    return st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted)


uniforms = _intervals(finite_floats).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: Uniform(*pair))
log_uniforms = _intervals(_positive).map(lambda pair: LogUniform(*pair))
normals = st.builds(Normal, mean=finite_floats, std=st.floats(min_value=0.0, allow_infinity=False))


@st.composite
def _choices(draw: st.DrawFn) -> Choice:
    values = draw(st.lists(json_values, min_size=1, max_size=5))
    weight = st.floats(min_value=0.0, max_value=1e9)
    weights = draw(st.none() | st.lists(weight, min_size=len(values), max_size=len(values)).filter(any))
    return Choice(values, weights)


choices = _choices()
#: Every distribution there is, with every argument it takes.
distributions: st.SearchStrategy[Distribution] = uniforms | log_uniforms | normals | choices | json_values.map(Constant)

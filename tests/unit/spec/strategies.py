"""Hypothesis strategies that make specs."""

from typing import Any

from hypothesis import strategies as st

from sweepstake.domain.settings import Direction
from sweepstake.spec import (
    Constraints,
    DataMount,
    DataSource,
    EnvVar,
    ExperimentSpec,
    ImageSource,
    MountMode,
    Priority,
    ResultSpec,
    RetrySpec,
    SpecVersion,
    SweepSpec,
    TaskContext,
    TaskResources,
    TaskSpec,
)
from tests.kit.strategies import json_values

__all__ = ["specs", "swept", "texts"]

#: Any text that a spec can hold, and those that YAML could take for something else.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    ["yes", "no", "null", "~", "", " ", "1e-4", "012", "0x1F", "1:30", "2024-01-01", "<<", "=", "- a", "a: b", "#",
     "{", "[", "'", '"', "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", "a #b", "a\nb", "\n", "a\r\nb", "\t", "\x7f",
     "\u2028", "\x85", "\ufeff", "\U0001f680", "---", "...", "?", ".nan", "-.inf", "+1", "1_000", "True", "a:", ":a",
     "a,b", "NaN"]
)  # fmt: skip
numbers = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**53)
durations = st.integers(0, 2**63 - 1)
segments = st.text(st.characters(codec="ascii", categories=["Ll", "Nd"]), min_size=1, max_size=6)
sizes = st.builds(
    "{}{}{}".format, st.integers(0, 10**6) | st.floats(0, 100).map("{:.3f}".format), st.sampled_from(["", " "]),
    st.sampled_from(["b", "K", "m", "g", "T", "KiB", "mib", "GIB", "TiB"]),
)  # fmt: skip


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return what may also be unset."""
    return st.none() | strategy


sources = st.sampled_from(["beaker", "weka", "secret", "volume"]).flatmap(
    lambda name: texts.map(lambda text: DataSource(**{name: text}))
) | segments.map(lambda name: DataSource(host_path=f"/{name}"))
variables = st.builds(
    lambda name, given: EnvVar(name, **given),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0="), min_size=1, max_size=12),
    st.just({}) | texts.map(lambda text: {"value": text}) | texts.map(lambda text: {"secret": text}),
)
mounts = st.lists(segments, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(
        *(
            st.builds(DataMount, sources, st.just(f"/{name}"), maybe(texts), maybe(st.sampled_from(MountMode)))
            for name in names
        )
    )
)
constraints = st.builds(
    lambda named, others: Constraints(**{**others, **named}),
    st.fixed_dictionaries(
        {}, optional={"cluster": st.lists(texts, max_size=2), "hostname": st.lists(texts, max_size=2)}
    ),
    st.dictionaries(segments.map("x{}".format), st.lists(texts, max_size=2), max_size=2),
)
sweeps = st.builds(
    SweepSpec,
    st.sampled_from(["RandomSearch", "Grid"]),
    st.dictionaries(segments, st.lists(json_values, min_size=1, max_size=3), min_size=1, max_size=3),
    maybe(segments),
    maybe(st.sampled_from(Direction)),
    maybe(st.integers(1, 2**53)),
    maybe(st.integers(1, 2**53)),
    maybe(st.integers(1, 2**53)),
)
contexts = st.builds(
    TaskContext,
    st.none(),
    maybe(st.sampled_from(Priority)),
    maybe(st.booleans()),
    maybe(durations),
    maybe(st.booleans()),
)
items = st.lists(texts | numbers, max_size=4)
tasks = st.builds(
    TaskSpec,
    image=texts.map(lambda text: ImageSource(docker=text)) | texts.map(lambda text: ImageSource(beaker=text)),
    context=contexts,
    result=maybe(st.builds(ResultSpec, texts)),
    constraints=maybe(constraints),
    command=maybe(items),
    arguments=maybe(items),
    env_vars=maybe(st.lists(variables, max_size=3, unique_by=lambda each: each.name)),
    datasets=maybe(mounts),
    resources=maybe(st.builds(TaskResources, maybe(st.floats(0, 1e9)), maybe(counts), maybe(sizes), maybe(sizes))),
    host_networking=st.booleans(),
    replicas=maybe(counts),
    leader_selection=st.booleans(),
    propagate_failure=maybe(st.booleans()),
    propagate_preemption=maybe(st.booleans()),
    synchronized_start_timeout=maybe(st.integers(1, 48 * 3600 * 10**9)),
    timeout=maybe(durations),
)


def named(given: list[TaskSpec]) -> list[TaskSpec]:
    """Return tasks of different names, but for the first, which has none."""
    return [task.with_name(f"task {i}") if i else task for i, task in enumerate(given)]


#: Specs that are in order as a whole, but for placeholders of a sweep in their texts.
specs = st.builds(
    ExperimentSpec,
    version=st.sampled_from(SpecVersion),
    description=maybe(texts),
    tasks=st.lists(tasks, max_size=2).map(named),
    budget=maybe(texts),
    retry=maybe(st.builds(RetrySpec, maybe(counts))),
    groups=maybe(st.lists(texts, max_size=2)),
    sweep=st.none(),
)
swept = st.builds(ExperimentSpec, tasks=st.just([]), sweep=sweeps)

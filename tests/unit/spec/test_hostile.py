"""Files that somebody made to do harm: nothing is built of them, and little time and memory is spent on them."""

import gc
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest
from attrs import frozen

from sweepstake.errors import SpecError
from sweepstake.spec import ExperimentSpec


def told(text: str, folder: Path) -> str:
    """Return what is told of a text that is no spec."""
    file = folder / "spec.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as refused:
        ExperimentSpec.from_file(file)
    return str(refused.value)


#: Reads files in a process of its own, and says of each how many faults it has, and what was spent on it.
MEASURE = """
import json, resource, sys, time
from sweepstake.errors import SpecError
from sweepstake.spec import ExperimentSpec

def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2 ** (20 if sys.platform == "darwin" else 10)

def loop():
    started = time.process_time()
    sum(i * i % 7 for i in range(4_000_000))
    return time.process_time() - started

ExperimentSpec.from_json({})
before = megabytes()
rows = []
for file in sys.argv[1:]:
    started = time.process_time()
    try:
        ExperimentSpec.from_file(file)
    except SpecError as error:
        told = str(error)
        spent = time.process_time() - started
        rows.append([len(error.faults), spent, megabytes() - before, told[:1000]])
pace = loop()
for row in rows:
    print(json.dumps([*row, row[1] / pace]))
"""


@frozen
class Spent:
    """What reading a file took.

    Attributes:
        faults: how many it has.
        seconds: of the processor.
        megabytes: of memory.
        told: how what is told begins.
        loops: how often the processor runs a loop of four million steps in that time, however slow it is just then.
    """

    faults: int
    seconds: float
    megabytes: float
    told: str
    loops: float


def spent_on(texts: list[str], folder: Path) -> list[Spent]:
    """Read texts as specs, one after the other in a process of their own."""
    files = [folder / f"{i}.yaml" for i, _ in enumerate(texts)]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, *files], capture_output=True, text=True, check=True, timeout=240
    )
    return [Spent(*json.loads(line)) for line in run.stdout.splitlines()]


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system [id]",
        "!!python/object/new:subprocess.Popen [[id]]",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/tuple [a]",
        "!!binary aGVsbG8=",
        "!!set {a}",
        "!<tag:yaml.org,2002:python/object/apply:os.getpid> []",
        "!anything {}",
        "!!str a",
    ],
)
@pytest.mark.parametrize(
    "place", ["description: {} ", "tasks: [{} ]", "tasks: [{{image: {} }}]", "sweep: {{parameters: {} }}"]
)
def test_no_tag_builds_an_object(tag: str, place: str, tmp_path: Path) -> None:
    """Tags are refused by name, wherever they stand."""
    assert "has the tag" in told(place.format(tag), tmp_path)


def test_a_key_with_a_tag_is_refused(tmp_path: Path) -> None:
    """Keys are texts."""
    assert "has the tag" in told("!!python/name:os.system : x", tmp_path)


def laughs(levels: int, width: int) -> str:
    """Return anchors each of which repeats the one before: a few lines that mean width to the power of levels."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines)


EXPLODING = {
    "billions in ten lines": laughs(10, 10),
    "a megabyte of them": laughs(900, 100),
    "a megabyte of anchors": "a: [" + ", ".join(f"&b{i} x" for i in range(100_000)) + "]",
    "a megabyte of aliases": "a: &a x\nb: [" + "*a, " * 250_000 + "]",
    "a long list many times": "a: &a [" + "x, " * 10_000 + "]\nb: [" + "*a, " * 1_000 + "]",
    "merges of merges": "a: &a {x: 1}\nb: {" + "<<: *a, " * 150_000 + "}",
    "merges": "a: &a {" + ", ".join(f"k{i}: v" for i in range(2000)) + "}\nb:\n" + "- {<<: *a}\n" * 1000,
}
DEEP = {
    "lists": "a: " + "[" * 100_000,
    "mappings": "{a: " * 100_000,
    "lists in blocks": "a:\n  " + "- " * 100_000,
    "keys": "? " * 100_000,
}


def test_anchors_that_explode_are_refused(tmp_path: Path) -> None:
    """Before what they mean is made."""
    for name, spent in zip(EXPLODING, spent_on([*EXPLODING.values()], tmp_path), strict=True):
        assert "anchors" in spent.told, name
        assert spent.seconds <= 10, name
        assert spent.megabytes <= 100, name


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    """Without a deep stack of our own."""
    for name, spent in zip(DEEP, spent_on([*DEEP.values()], tmp_path), strict=True):
        assert spent.faults == 1, name
        assert spent.seconds <= 10, name
        assert spent.megabytes <= 50, name


def test_a_file_that_does_not_end_is_refused() -> None:
    """It is not read further than a spec can be long."""
    file = Path("/dev/zero")
    if not file.exists():
        pytest.skip("this system has no /dev/zero")
    with pytest.raises(SpecError, match="is larger than 64 MiB"):
        ExperimentSpec.from_file(file)


FAULTY = [
    "- {name: t%d, image: {docker: a}, replicas: -1}\n",
    "- {name: t%d, image: {docker: a}, unknown%d: 1}\n",
    "- {name: t%d, image: {}}\n",
    "- {name: t, image: {docker: 'a%d'}}\n",
    "- {name: t%d, image: {docker: a}, datasets: [{mountPath: /a, source: {result: nobody}}]}\n",
    "- {name: t%d, image: {docker: a}, command: [~]}\n",
    "- x%d\n",
]


def test_ten_thousand_faults_are_told_at_once(tmp_path: Path) -> None:
    """Each of them, in little memory, and in the time of at most eight loops, of which it takes about two."""
    texts = ["tasks:\n" + "".join(line.replace("%d", str(i)) for i in range(1_001)) for line in FAULTY]
    texts.append("sweep: {parameters: {" + ", ".join(f"p{i}: {{}}" for i in range(1_000)) + "}}")
    texts.append("tasks:\n" + "".join(FAULTY[0].replace("%d", str(i)) for i in range(10_000)))
    spent = spent_on(texts, tmp_path)
    assert [each.faults // 1_000 for each in spent] == [1] * (len(texts) - 1) + [10]
    assert spent[-1].megabytes <= 100
    assert spent[-1].loops <= 8


def calls_for(tasks: int, faulty: bool, folder: Path) -> int:
    """Count the calls of functions that reading a spec of so many tasks takes."""
    file = folder / "spec.yaml"
    line = "- {name: t%d, image: {docker: a}, command: [python, 1], envVars: [{name: A, value: %s}], replicas: %d}\n"
    file.write_text("tasks:\n" + "".join(line % (i, "x", -i if faulty else i) for i in range(1, tasks + 1)))
    calls = 0

    def count(_frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        ExperimentSpec.from_file(file)
    except SpecError:
        assert faulty
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("faulty", [False, True])
def test_the_work_grows_with_the_file_and_no_faster(faulty: bool, tmp_path: Path) -> None:
    """Twice as many tasks take twice as many calls, and a task takes so few that thousands are read in a second."""
    calls_for(10, faulty, tmp_path)  # what is made once
    few, many = calls_for(100, faulty, tmp_path), calls_for(200, faulty, tmp_path)
    assert many <= 2.05 * few
    assert many <= 200 * 250


@pytest.mark.parametrize("text", ["version: v2", "version: v3"])
@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(enabled: bool, text: str, tmp_path: Path) -> None:
    """It rests while a file is read, and goes on afterwards if it was running."""
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    before = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with suppress(SpecError):
            ExperimentSpec.from_file(file)
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()

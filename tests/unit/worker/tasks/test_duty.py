"""A worker that runs what jobs carry: real tasks on this host, from a file; it renews no lease."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import attrs
import pytest

import sweepstake
from sweepstake import ManualSearch
from sweepstake.domain.status import Outcome
from sweepstake.domain.tasks.needs import WorkerLabel
from sweepstake.domain.tasks.specs import SpecDraft
from sweepstake.domain.vocabulary import QueueingChanges
from sweepstake.errors import StoreUnavailableError
from sweepstake.queue.call import Call
from sweepstake.queue.calls import ClaimJobs
from sweepstake.queue.queue import Queue, Sender
from sweepstake.queue.retrying import patient_queue
from sweepstake.values import JsonObject
from sweepstake.worker.attempt import Plan
from sweepstake.worker.leftovers.living import Living
from sweepstake.worker.pacing.agenda import Options, Summary
from sweepstake.worker.running import Worker
from sweepstake.worker.slots.book import GuardedBook
from sweepstake.worker.slots.locks import GpuLocks
from sweepstake.worker.slots.room import Slots
from sweepstake.worker.tasks import duty, fitness
from sweepstake.worker.tasks.duty import TaskDuty
from sweepstake.worker.tasks.fetched import Fetched
from sweepstake.worker.tasks.keeping import KeepOptions
from sweepstake.worker.tasks.preparing import Stock
from sweepstake.worker.tasks.run import TaskRun
from sweepstake.worker.tasks.secrets import Secrets
from sweepstake.worker.tasks.sources import Sources
from sweepstake.worker.tasks.work import Runner
from sweepstake.worker.terminal import Terminal
from sweepstake.worker.work import Launch, Preliminaries
from tests.kit.clocks import HandClock
from tests.kit.heartbeats import NoHeartbeats
from tests.kit.lab import document, draft, eventually

A = TypeVar("A")


@attrs.frozen
class _Noting:
    """Passes calls on, and notes their names once they were answered."""

    sender: Sender
    calls: list[str]

    @property
    def identity(self) -> str | None:
        return self.sender.identity

    def send(self, call: Call[A]) -> A:
        try:
            return self.sender.send(call)
        finally:
            self.calls.append(type(call).__name__)

    def close(self) -> None:
        self.sender.close()


@attrs.define
class _Doing:
    """Passes calls on, and does something before the first claim."""

    sender: Sender
    do: Callable[[], None] | None

    @property
    def identity(self) -> str | None:
        return self.sender.identity

    def send(self, call: Call[A]) -> A:
        if isinstance(call, ClaimJobs) and self.do is not None:
            do, self.do = self.do, None
            do()
        return self.sender.send(call)

    def close(self) -> None:
        self.sender.close()


@attrs.define
class _Away:
    """Passes calls on, but for so many seconds of a clock, from when something is so.

    Attributes:
        tried: what was asked meanwhile, and how many seconds after the first time.
        answered: what was asked before, and since.
    """

    sender: Sender
    clock: HandClock
    seconds: float
    begins: Callable[["_Away"], bool]
    tried: list[tuple[str, float]] = attrs.field(factory=list)
    answered: list[str] = attrs.field(factory=list)
    began: float | None = None

    @property
    def identity(self) -> str | None:
        return self.sender.identity

    def send(self, call: Call[A]) -> A:
        name, now = type(call).__name__, self.clock.monotonic()
        if self.began is None and self.begins(self):
            self.began = now
        if self.began is not None and now - self.began < self.seconds:
            self.tried.append((name, now - self.began))
            raise StoreUnavailableError("away")
        answer = self.sender.send(call)
        self.answered.append(name)
        return answer

    def close(self) -> None:
        self.sender.close()


@attrs.define
class Bench:
    """An experiment, and a worker of this host that runs its tasks.

    Attributes:
        exp: the experiment.
        folder: for files that tasks write.
        told: the lines for people.
        calls: what the worker asked of the queue.
    """

    exp: ManualSearch
    folder: Path
    told: list[str] = attrs.field(factory=list)
    calls: list[str] = attrs.field(factory=list)

    def put(self, *tasks: dict[str, Any], **spec: Any) -> None:
        """Store a spec; each task is a shell script in a folder of its own for all."""
        variables = [{"name": "FOLDER", "value": str(self.folder)}]
        made = []
        for i, task in enumerate(tasks):
            command = ["sh", "-euc", task.pop("script", "true")]
            made.append(
                {"image": {"docker": "tiny"}, "name": f"t{i}", "command": command, "envVars": variables, **task}
            )
        document = JsonObject.of({"version": "v2", "tasks": made, **spec})
        self.exp.session.queue.put_spec(self.exp.name, SpecDraft(text="", document=document))

    def add(self, *names: str, task: str = "t0", priority: int = 0, **hyperparameters: Any) -> None:
        """Add jobs of a task."""
        of = document(hyperparameters=hyperparameters) if hyperparameters else None
        drafts = [draft(name, of=of, task=task, priority=priority) for name in names]
        self.exp.session.queue.add_jobs(self.exp.name, drafts)

    def add_gang(self, gang: str, count: int) -> None:
        """Add the jobs of a gang of the first task, whose ids are its name and their ranks."""
        drafts = [draft(f"{gang}{rank}", task="t0", gang=gang, rank=rank) for rank in range(count)]
        self.exp.session.queue.add_jobs(self.exp.name, drafts)

    def then(self, file: str, do: Callable[[], None]) -> None:
        """Do something as soon as there is a file, beside the worker."""

        def wait() -> None:
            eventually((self.folder / file).exists)
            do()

        threading.Thread(target=wait, daemon=True).start()

    def lose(self, seconds: float, begins: Callable[[_Away], bool] = lambda _: True) -> _Away:
        """Let the store be away for so many seconds of a clock that only waits for it turn, from when that is so."""
        clock = HandClock()
        away = _Away(self.exp.session.queue.sender, clock, seconds, begins)
        session = attrs.evolve(self.exp.session, queue=patient_queue(away, clock, os.urandom, clock.sleep))
        assert self.exp.record is not None
        self.exp.attach(session, self.exp.record)
        return away

    def work(
        self,
        slots: Slots,
        labels: dict[str, str] | None = None,
        patience: float = 60.0,
        contained: Runner | None = None,
        own: bool = True,
        **options: Any,
    ) -> Summary:
        """Run tasks until there is none."""
        book = GuardedBook(slots, GpuLocks(self.folder), patience)
        stock = Stock(sources=Sources(), secrets=Secrets(self.folder / "none", {}))
        does = TaskDuty(
            book,
            [WorkerLabel(name=name, value=value) for name, value in (labels or {}).items()],
            stock,
            contained,
            {},
            Fetched(self.folder / "state"),
            KeepOptions(),
            self.told.append,
            Living(self.folder, self.folder),
            lambda _: own,
        )
        plan = Plan(allow_empty=True, grace=5.0, terminal=Terminal({}, several=True))
        session = attrs.evolve(self.exp.session, queue=Queue(_Noting(self.exp.session.queue.sender, self.calls)))
        assert self.exp.record is not None
        self.exp.attach(session, self.exp.record)
        return Worker(session, [self.exp], does, plan, Options(**options), NoHeartbeats(), self.told.append).run()

    def wrote(self, name: str) -> list[str]:
        """Return the lines of a file."""
        return (self.folder / name).read_text().splitlines()


@pytest.fixture
def bench(db: sweepstake.Database, tmp_path: Path) -> Bench:
    """An experiment without a spec."""
    return Bench(db.add_experiment(ManualSearch("exp", max_attempts=1)), tmp_path)


ONE = Slots(cpus=1.0)


def test_tasks_of_jobs_are_run(bench: Bench) -> None:
    """Each job's own."""
    bench.put({"script": "echo 1 > $FOLDER/a"}, {"script": "echo $SWEEPSTAKE_TASK $BEAKER_JOB_ID > $FOLDER/b"})
    bench.add("x")
    bench.add("y", task="t1")
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 2}
    assert (bench.wrote("a"), bench.wrote("b")) == (["1"], ["t1 y"])


def test_a_job_is_told_what_it_starts_from(bench: Bench) -> None:
    """The results of its parent, in a file, as hyperparameters are; what it says of them stands beside the others."""
    bench.put({"script": "cat $SWEEPSTAKE_START_PATH > $FOLDER/a; echo '{\"loss\": 1}' > $SWEEPSTAKE_RESULTS_PATH"})
    started = draft("x", of=document(results={"loss": 2, "weights": "a.pt"}), task="t0")
    bench.exp.session.queue.add_jobs(bench.exp.name, [started])
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 1}
    assert [json.loads(line) for line in bench.wrote("a")] == [{"loss": 2, "weights": "a.pt"}]
    assert bench.exp.get_job("x").results == {"loss": 1, "weights": "a.pt"}


def test_a_job_of_another_experiment_that_came_to_the_place_of_one_is_not_run(
    bench: Bench, db: sweepstake.Database
) -> None:
    """Its command may be anybody's, and it is not that of the experiment that was found; the job is given back."""
    bench.put({"script": "touch $FOLDER/old"})
    bench.add("x")
    found = bench.exp

    def replace() -> None:
        found.delete()
        bench.exp = db.add_experiment(ManualSearch("exp"))
        bench.put({"script": "touch $FOLDER/new"})
        bench.add("x")

    queue = Queue(_Doing(found.session.queue.sender, replace))
    assert found.record is not None
    found.attach(attrs.evolve(found.session, queue=queue), found.record)
    bench.work(ONE)
    assert "there is another of its name" in "".join(bench.told)
    assert not list(bench.folder.glob("old")) + list(bench.folder.glob("new"))
    assert bench.exp.get_job("x").status == "QUEUED"
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 1}
    assert bench.wrote("new") == []


def test_a_task_gets_no_secret_that_it_does_not_name(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a worker has as a variable is not in that of each task, where it would be printed into a log."""
    monkeypatch.setenv("SWEEPSTAKE_SECRET_TOKEN", "open sesame")
    bench.put({"script": "env > $FOLDER/a"})
    bench.add("x")
    bench.work(ONE)
    assert "open sesame" not in "".join(bench.wrote("a"))


def test_a_worker_without_end_looks_at_specs_until_its_store_is_back(bench: Bench) -> None:
    """As it asks for jobs; one that ends when there are none ends when the store is away for minutes."""
    bench.put({})
    bench.add("x")
    bench.lose(3600.0)
    assert dict(bench.work(ONE, idle=None, max_jobs=1).outcomes) == {Outcome.DONE: 1}
    bench.lose(3600.0)
    assert isinstance(bench.work(ONE).failure, StoreUnavailableError)


def test_an_end_does_not_wait_for_a_look_while_the_store_is_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is claimed with it is worth a look, but not one that is repeated: meanwhile the report is nowhere."""
    for each in ("_BETWEEN_LOOKS", "_REST"):
        monkeypatch.setattr(fitness, each, 0.0)
    bench.put({"script": "touch $FOLDER/ended"})
    bench.add("x", "y")
    away = bench.lose(300.0, lambda _: (bench.folder / "ended").exists())
    assert dict(bench.work(ONE, idle=None, max_jobs=2).outcomes) == {Outcome.DONE: 2}
    assert away.tried[:2] == [("GetExperiment", 0.0), ("FinishAttempts", 0.0)]


def test_a_job_goes_back_whose_task_is_not_known_because_the_store_is_away(bench: Bench) -> None:
    """It went away after it had given the job, and a worker without end runs it when it is back."""
    bench.put({})
    bench.add("x")
    bench.lose(300.0, lambda away: "ClaimJobs" in away.answered)
    assert dict(bench.work(ONE, idle=None, max_jobs=1).outcomes) == {Outcome.DONE: 1}
    assert [each.outcome for each in bench.exp.get_job("x").attempts()] == [Outcome.RELEASED, Outcome.DONE]


def not_called(run: TaskRun, launch: Launch, before: Preliminaries) -> NoReturn:
    """Stand for what starts containers."""
    raise AssertionError("no container is started")


def test_a_task_without_an_image_runs_on_the_host(bench: Bench) -> None:
    """As those of W&B's sweeps do, beside others in containers; but none that somebody else wrote."""
    bench.put({"image": {}, "script": "echo 1 > $FOLDER/a"})
    bench.add("x")
    assert bench.work(ONE, contained=not_called, own=False, idle=0.5).outcomes == {}
    (told,) = bench.told
    assert told.endswith("'t0': it has no image, and what others wrote runs on this host only with --no-container")
    assert dict(bench.work(ONE, contained=not_called).outcomes) == {Outcome.DONE: 1}
    assert bench.wrote("a") == ["1"]


def test_an_experiment_without_a_spec_is_passed_over(bench: Bench) -> None:
    """People are told once, and its jobs are left alone."""
    bench.exp.add_jobs([{}])
    assert bench.work(ONE, idle=0.5).outcomes == {}
    assert bench.told == ["exp has no spec, so this worker, which was given no command, passes it over"]
    assert [job.status for job in bench.exp.all_jobs()] == ["QUEUED"]


def test_what_this_machine_lacks_is_told_before_anything_is_claimed(bench: Bench) -> None:
    """A secret that is not here."""
    bench.put({"envVars": [{"name": "T", "secret": "hf"}]})
    bench.add("x")
    assert bench.work(ONE, idle=0.5).outcomes == {}
    (told,) = bench.told
    assert told.startswith("exp is passed over: task 't0': the secret 'hf' is not on this machine")
    assert [job.attempt for job in bench.exp.all_jobs()] == [0]


def test_all_that_this_machine_lacks_is_told_at_once(bench: Bench) -> None:
    """Each thing once, with the first task that names it; of very much only a part."""
    task = {"envVars": [{"name": "T", "secret": "hf"}, {"name": "U", "secret": "hf"}, {"name": "V", "secret": "aws"}]}
    weka = [{"mountPath": f"/{i}", "source": {"weka": f"bucket-{i}"}} for i in range(30)]
    bench.put(task, {**task, "datasets": weka})
    bench.work(ONE, idle=0.5)
    hints = [line.split("; ")[0].removeprefix("exp is passed over: ") for line in bench.told]
    assert hints[:3] == [
        "task 't0': the secret 'hf' is not on this machine",
        "task 't0': the secret 'aws' is not on this machine",
        "task 't1': the bucket 'bucket-0' is unknown here",
    ]
    assert hints[20:] == ["exp is passed over for 12 reasons more"]


def test_as_many_run_side_by_side_as_there_are_slots(bench: Bench) -> None:
    """Four jobs that wait for each other end on four processors."""
    bench.put(
        {"script": 'touch $FOLDER/+$BEAKER_JOB_ID; until [ "$(ls $FOLDER | grep -c +)" = 4 ]; do sleep 0.02; done'}
    )
    bench.add(*"abcd")
    assert dict(bench.work(Slots(cpus=4.0)).outcomes) == {Outcome.DONE: 4}


def test_all_that_there_is_room_for_is_claimed_in_one_call(bench: Bench) -> None:
    """Four jobs on four processors, which wait for each other, so that none ends before all have begun."""
    bench.put(
        {"script": 'touch $FOLDER/+$BEAKER_JOB_ID; until [ "$(ls $FOLDER | grep -c +)" = 4 ]; do sleep 0.02; done'}
    )
    bench.add(*"abcd")
    assert dict(bench.work(Slots(cpus=4.0)).outcomes) == {Outcome.DONE: 4}
    before = bench.calls[: bench.calls.index("FinishAttempts")]
    assert [call for call in before if call.startswith("Claim")] == ["ClaimJobs"]


def test_an_end_and_the_next_claim_are_one_call(bench: Bench) -> None:
    """Three jobs one after another: nothing is asked between them."""
    bench.put({})
    bench.add(*"abc")
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 3}
    asked = [call for call in bench.calls if call.startswith(("Claim", "Finish"))]
    assert asked == ["ClaimJobs", *["FinishAttempts"] * 3]


def test_no_more_run_than_there_are_slots(bench: Bench) -> None:
    """Each takes half a processor of one, and never are there three; each has a GPU to itself."""
    bench.put(
        {
            "script": "mkdir $FOLDER/gpu$CUDA_VISIBLE_DEVICES; sleep 0.05; rmdir $FOLDER/gpu$CUDA_VISIBLE_DEVICES",
            "resources": {"cpuCount": 0.25, "gpuCount": 1},
        }
    )
    bench.add(*"abcdefgh")
    assert dict(bench.work(Slots(cpus=1.0, gpus=("0", "1"))).outcomes) == {Outcome.DONE: 8}


#: Of small jobs there are so many that, each taking a tenth of a second, they outlast any patience but a long one.
MANY = 40


def overlapping(slots: int, seconds: int) -> str:
    """Return the script of a small job, of which so many run side by side: never are two of their slots free at once.

    It lasts until all that run beside it have begun after it, or the last of all has, or so many seconds are over.
    """
    return f"""echo $BEAKER_JOB_ID >> $FOLDER/order; i=0
        had=$(grep -nx $BEAKER_JOB_ID $FOLDER/order | cut -d: -f1); last=$((had + {slots - 1}))
        if [ $last -gt {MANY} ]; then last={MANY}; fi
        sleep 0.1
        until [ "$(wc -l < $FOLDER/order)" -ge $last ] || [ $i = {seconds}0 ]; do sleep 0.1; i=$((i+1)); done"""


@pytest.mark.parametrize("patience, seconds, overtaken", [(0.2, 3, False), (600.0, 100, True)])
def test_a_large_job_is_not_overtaken_for_ever(bench: Bench, patience: float, seconds: int, overtaken: bool) -> None:
    """Two processors, of which never both are free by themselves: room must be kept for it."""
    large = {"script": "echo large >> $FOLDER/order", "resources": {"cpuCount": 2}}
    bench.put({"script": overlapping(2, seconds)}, large)
    bench.add("s0", "s1")
    bench.add("large", task="t1")
    bench.add(*(f"s{i}" for i in range(2, MANY)))
    assert dict(bench.work(Slots(cpus=2.0), patience=patience).outcomes) == {Outcome.DONE: MANY + 1}
    assert (bench.wrote("order").index("large") == MANY) == overtaken


@pytest.mark.parametrize("patience, seconds, overtaken", [(0.2, 1, False), (600.0, 100, True)])
def test_a_gang_is_not_overtaken_for_ever(bench: Bench, patience: float, seconds: int, overtaken: bool) -> None:
    """Two jobs of two processors each, of four: room is kept for one after the other, until both are there."""
    bench.put({"replicas": 2, "resources": {"cpuCount": 2}}, {"script": overlapping(4, seconds)})
    bench.add("s0", "s1", "s2", "s3", task="t1")
    bench.add_gang("g", 2)
    bench.add(*(f"s{i}" for i in range(4, MANY)), task="t1")
    assert dict(bench.work(Slots(cpus=4.0), patience=patience).outcomes) == {Outcome.DONE: MANY + 2}
    # When they had room is what counts: one of them may sleep for a second more before it looks for the other.
    began = {job.job_id: job.record.started_at or 0.0 for job in bench.exp.all_jobs()}
    together = max(began.pop("g0"), began.pop("g1"))
    assert (sum(each < together for each in began.values()) == MANY) == overtaken


def test_jobs_that_need_more_are_left(bench: Bench) -> None:
    """For a worker that has more; where the label is right, others run."""
    bench.put(
        {"resources": {"gpuCount": 1}},
        {"constraints": {"cluster": ["ai2/jupiter"]}, "script": "echo > $FOLDER/there"},
    )
    bench.add("x")
    bench.add("y", task="t1")
    assert dict(bench.work(ONE, {"cluster": "ai2/jupiter"}, idle=0.2).outcomes) == {Outcome.DONE: 1}
    assert {job.job_id: job.status for job in bench.exp.all_jobs()} == {"x": "QUEUED", "y": "DONE"}


def test_a_sweep_fills_placeholders(bench: Bench) -> None:
    """And a spec without one leaves braces alone."""
    bench.put({"script": "echo {lr} ${FOLDER}  > $FOLDER/x"}, sweep={"search": "manual"})
    bench.add("x", lr=0.5)
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 1}
    assert bench.wrote("x") == [f"0.5 {bench.folder}"]


def test_what_jobs_leave_is_kept_before_their_end_is_reported(bench: Bench) -> None:
    """Files and output, also of a job that crashes; then nothing of it is left on this machine."""
    bench.put({"script": "echo 1 > /r/x; echo said; exit $SWEEPSTAKE_HP_CODE", "result": {"path": "/r"}})
    bench.add("good", code=0)
    bench.add("bad", code=1)
    bench.work(ONE)
    for name in ("good", "bad"):
        job = bench.exp.get_job(name)
        assert [(each.path, each.size) for each in job.files().files] == [("x", 2)]
        assert job.log() == "said\n"
    assert [path for path in (bench.folder / "state").rglob("*") if path.is_file()] == []
    assert bench.calls.index("KeepFiles") < bench.calls.index("FinishAttempts")


def test_a_job_that_leaves_nothing_costs_no_call(bench: Bench) -> None:
    """Only whether anything could be kept is asked, once."""
    bench.put({})
    bench.add("a", "b")
    bench.work(ONE)
    assert {"PutContent", "KeepFiles", "AppendLog"}.isdisjoint(bench.calls)
    assert bench.calls.count("AskFiles") == 1


def test_a_timeout_of_a_task_is_kept(bench: Bench) -> None:
    """It is in nanoseconds."""
    bench.put({"script": "exec sleep 100", "timeout": "200ms"})
    bench.add("x")
    began = time.monotonic()
    assert dict(bench.work(ONE).outcomes) == {Outcome.CRASHED: 1}
    assert time.monotonic() - began < 50


def test_hyperparameters_reach_a_script_by_a_file(bench: Bench) -> None:
    """Also without a sweep."""
    bench.put({"script": "cp $SWEEPSTAKE_HYPERPARAMETERS_PATH $FOLDER/h; echo $SWEEPSTAKE_HP_LR > $FOLDER/v"})
    bench.add("x", lr=0.5, n=[1, 2])
    bench.work(ONE)
    assert json.loads((bench.folder / "h").read_text()) == {"lr": 0.5, "n": [1, 2]}
    assert bench.wrote("v") == ["0.5"]


def test_replicas_begin_together(bench: Bench) -> None:
    """Each is told its rank, their number, and the host of the first; more than may crash before the worker stops."""
    script = """echo $BEAKER_REPLICA_RANK $BEAKER_REPLICA_COUNT $BEAKER_LEADER_REPLICA_HOSTNAME >> $FOLDER/told
        echo $SWEEPSTAKE_REPLICA_RANK $SWEEPSTAKE_REPLICA_COUNT $SWEEPSTAKE_LEADER_HOSTNAME >> $FOLDER/ours
        until [ "$(wc -l < $FOLDER/told)" = 5 ]; do sleep 0.02; done"""
    bench.put({"script": script, "replicas": 5})
    bench.add_gang("g", 5)
    began = time.monotonic()
    assert dict(bench.work(Slots(cpus=5.0), crashes=3).outcomes) == {Outcome.DONE: 5}
    assert sorted(bench.wrote("told")) == [f"{rank} 5 {socket.gethostname()}" for rank in range(5)]
    assert sorted(bench.wrote("ours")) == sorted(bench.wrote("told"))
    assert time.monotonic() - began < 60


def test_the_host_of_the_leader_is_what_its_labels_say(bench: Bench) -> None:
    """By it, and not by a name that others cannot reach, the leader is found."""
    bench.put({"script": "echo $BEAKER_NODE_HOSTNAME $BEAKER_LEADER_REPLICA_HOSTNAME >> $FOLDER/told", "replicas": 2})
    bench.add_gang("g", 2)
    bench.work(Slots(cpus=2.0), {"hostname": "node-1.net"})
    assert bench.wrote("told") == ["node-1.net node-1.net"] * 2


def test_half_a_gang_does_not_begin(bench: Bench) -> None:
    """On a machine with room for one of two; when its time is over, all of it is crashed, and its room is free."""
    bench.put({"script": "touch $FOLDER/begun", "replicas": 2, "synchronizedStartTimeout": "1s"}, {})
    bench.add_gang("g", 2)
    bench.add("single", task="t1", priority=-1)
    assert Outcome.DONE in bench.work(ONE, idle=0.5).outcomes
    assert {job.job_id: job.status for job in bench.exp.all_jobs()} == {
        "g0": "CRASHED",
        "g1": "CRASHED",
        "single": "DONE",
    }
    assert not (bench.folder / "begun").exists()
    (attempt,) = bench.exp.get_job("g0").attempts()
    assert (attempt.outcome, attempt.reason) == (Outcome.CRASHED, "the gang was not complete within 1 s")


LASTING = "trap 'touch $FOLDER/saved; exit 1' TERM; touch $FOLDER/$BEAKER_JOB_ID; while :; do sleep 0.05; done"


def test_a_preemptible_job_gives_way(bench: Bench) -> None:
    """To one that is more urgent and lacks room: it may save what it has, and is queued again."""
    bench.put(
        {"script": f"if [ -e $FOLDER/saved ]; then exit 0; fi; {LASTING}", "context": {"preemptible": True}},
        {"script": "echo 1 > $FOLDER/urgent"},
    )
    bench.add("low")
    bench.then("low", lambda: bench.add("urgent", task="t1", priority=1))
    summary = bench.work(ONE)
    assert dict(summary.outcomes) == {Outcome.PREEMPTED: 1, Outcome.DONE: 2}
    first, second = bench.exp.get_job("low").attempts()
    assert (first.outcome, first.reason) == (Outcome.PREEMPTED, "it gave way to a more urgent job that lacked room")
    urgent = bench.exp.get_job("urgent").record
    assert urgent.started_at is not None
    assert urgent.started_at < second.started_at
    assert "job low: gives way to job urgent, which is more urgent" in bench.told


def test_nobody_gives_way_to_whom_another_worker_makes_room(bench: Bench) -> None:
    """One job that waits costs the work of one worker's jobs, not of two."""
    script = "touch $FOLDER/low; until [ -e $FOLDER/go ]; do sleep 0.02; done"
    bench.put({"script": script, "context": {"preemptible": True}}, {})
    bench.add("low")
    queue, name = bench.exp.session.queue, bench.exp.name

    def meet() -> None:
        queue.add_jobs(name, [draft("urgent", task="t1", priority=1, not_before=4e9)])
        assert queue.make_room(name, "urgent", "another")
        queue.set_queueing(name, "urgent", QueueingChanges(not_before=None))
        eventually(lambda: "MakeRoom" in bench.calls)
        (bench.folder / "go").touch()

    bench.then("low", meet)
    assert dict(bench.work(ONE).outcomes) == {Outcome.DONE: 2}


def test_an_end_tells_who_waits_for_more_than_is_free(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An urgent job that this end lets begin, and that lacks room: the claim in the same call hears of it."""
    monkeypatch.setattr(duty, "_BETWEEN_LOOKS", 3600.0)  # no look comes between, however long the end takes
    bench.told = bench.calls  # in one list, in their order
    bench.put(
        {"script": f"if [ -e $FOLDER/saved ]; then exit 0; fi; {LASTING}", "context": {"preemptible": True}},
        {"script": "until [ -e $FOLDER/go ]; do sleep 0.02; done"},
        {"resources": {"cpuCount": 2}},
    )
    bench.add("low")
    bench.add("short", task="t1")
    urgent = draft("urgent", task="t2", priority=1, depends_on=("short",))
    bench.exp.session.queue.add_jobs(bench.exp.name, [urgent])

    def go() -> None:
        eventually(lambda: bench.calls.count("ClaimJobs") > 1)  # the worker is full, and has looked whether one waits
        (bench.folder / "go").touch()

    bench.then("low", go)
    assert dict(bench.work(Slots(cpus=2.0)).outcomes) == {Outcome.PREEMPTED: 1, Outcome.DONE: 3}
    told = bench.calls.index("job low: gives way to job urgent, which is more urgent")
    asked = [call for call in bench.calls[:told] if call.startswith(("Claim", "Finish"))]
    assert (asked[-1], asked.count("FinishAttempts")) == ("FinishAttempts", 1)


def test_a_gang_begins_with_the_claim_of_an_end(bench: Bench) -> None:
    """Of three replicas two have no room until others have ended; all begin, and count as one that crashes."""
    bench.put(
        {
            "replicas": 3,
            "synchronizedStartTimeout": "1m",
            "script": 'touch $FOLDER/+$BEAKER_JOB_ID; until [ "$(ls $FOLDER | grep -c +)" = 3 ]; do sleep 0.02; done; '
            "exit 3",
        },
        {"script": "true"},
    )
    bench.add("a", "b", task="t1", priority=1)
    bench.add_gang("g", 3)
    summary = bench.work(Slots(cpus=3.0), crashes=2)
    assert (dict(summary.outcomes), summary.tripped) == ({Outcome.DONE: 2, Outcome.CRASHED: 3}, "")


def test_as_many_give_way_as_it_takes(bench: Bench) -> None:
    """The least urgent and youngest; the others go on, and so do those that give way to nobody."""
    script = "touch $FOLDER/$BEAKER_JOB_ID; until [ -e $FOLDER/urgent ]; do sleep 0.05; done"
    bench.put(
        {"script": script, "context": {"priority": "preemptible"}},
        {"script": script},
        {"script": "touch $FOLDER/urgent", "resources": {"cpuCount": 2}},
    )
    bench.add("a", priority=-20)
    bench.add("b", "c", priority=-30)
    bench.add("fixed", task="t1", priority=-40)

    def add() -> None:
        eventually(lambda: all((bench.folder / name).exists() for name in "abc"))
        bench.add("urgent", task="t2")

    bench.then("fixed", add)
    assert dict(bench.work(Slots(cpus=4.0)).outcomes) == {Outcome.PREEMPTED: 2, Outcome.DONE: 5}
    assert {job.job_id: len(list(job.attempts())) for job in bench.exp.all_jobs()} == {
        "a": 1,
        "b": 2,
        "c": 2,
        "fixed": 1,
        "urgent": 1,
    }


@pytest.mark.parametrize(
    "urgent, context",
    [
        ({"resources": {"cpuCount": 2}}, {"preemptible": True}),
        ({}, {"preemptible": False}),
        ({}, {"preemptible": True, "minRuntime": "1h"}),
    ],
    ids=["in vain", "not preemptible", "too young"],
)
def test_nobody_gives_way_in_vain(bench: Bench, urgent: dict[str, Any], context: dict[str, Any]) -> None:
    """Nor whose task does not allow it, or not yet: the urgent job waits, or is left to others."""
    script = "touch $FOLDER/$BEAKER_JOB_ID; until [ -e $FOLDER/enough ]; do sleep 0.05; done"
    bench.put({"script": script, "context": context}, {**urgent})
    bench.add("low")

    def add() -> None:
        bench.add("urgent", task="t1", priority=1)
        eventually(lambda: bench.calls.count("ClaimJobs") > 3 or not context["preemptible"])
        (bench.folder / "enough").touch()

    bench.then("low", add)
    bench.work(ONE, idle=0.5)
    assert [attempt.outcome for attempt in bench.exp.get_job("low").attempts()] == [Outcome.DONE]

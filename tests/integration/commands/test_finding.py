"""Jobs named by a part of their ids on the command line, and words that the shell completes."""

import json
import os
import subprocess
import sys

import pytest

from sweepstake import Database, Experiment, ManualSearch, NewJob
from sweepstake.cli.naming import find_id
from sweepstake.domain.query.queries import JobQuery
from sweepstake.errors import InvalidInputError
from tests.kit.shell import Command


@pytest.fixture
def exp(db: Database) -> Experiment:
    """Jobs whose ids have beginnings and ends in common."""
    exp = db.add_experiment(ManualSearch("vision"))
    for job_id in ("resnet-18-first", "resnet-50-first", "vgg-16-second", "second", "abc", "abcdef", "abcdefgh"):
        exp.add_job({"x": 1}, job_id=job_id)
    return exp


@pytest.mark.parametrize(
    "text, meant",
    [
        ("vgg-16", "vgg-16-second"),
        ("50-first", "resnet-50-first"),
        ("resnet-1", "resnet-18-first"),
        ("second", "second"),
        ("abc", "abc"),
        ("abcdef", "abcdef"),
        ("abcdefg", "abcdefgh"),
    ],
)
def test_a_part_that_only_one_id_has_is_enough(exp: Experiment, sw: Command, text: str, meant: str) -> None:
    """A beginning or an end of six characters; an exact id always comes first."""
    assert sw("show", "vision", text).out.startswith(f"id: {meant}\n")


def test_of_several_matches_nothing_is_done(exp: Experiment, sw: Command) -> None:
    """All are listed, and no job is touched, also not those that were clear."""
    err = sw("prune", "vision", "vgg-16-second", "resnet", code=1).err
    assert "resnet-18-first, resnet-50-first" in err
    assert exp.counts().pruned == 0


@pytest.mark.parametrize("text", ["vgg-1", "nosuchjob", "16-seco"])
def test_what_no_id_begins_or_ends_with_is_not_found(exp: Experiment, sw: Command, text: str) -> None:
    """Five characters are too few, and the middle of an id is no part."""
    assert "There is no job" in sw("show", "vision", text, code=1).err


def test_writes_show_whole_ids(exp: Experiment, sw: Command) -> None:
    """Whoever named a job by its end sees which it was."""
    assert sw("prune", "vision", "16-second").out == "1 job of vision pruned: vgg-16-second.\n"
    assert sw("retry", "vision", "16-second").out == "1 job of vision queued again: vgg-16-second.\n"
    assert sw("edit", "vision", "16-second", "--priority", "3").out == "1 job of vision changed: vgg-16-second.\n"
    assert sw("rm", "vision", "16-second", "--force").out == "Removed vgg-16-second.\n"
    sw("push", "vision", "-p", "x", "1", "--id", "child", "--depends-on", "resnet-50")
    assert "depends on: resnet-50-first" in sw("show", "vision", "child").out


def test_a_listing_by_part_of_an_id_finds_it_in_every_store(db: Database, exp: Experiment) -> None:
    """Characters that patterns of databases know are plain text."""
    exp.add_job({}, job_id="100%_done")
    exp.add_job({}, job_id="模型-größe-ß")
    queue = exp.session.queue
    for part, ids in (("100%_", ["100%_done"]), ("%", []), ("größe-ß", ["模型-größe-ß"]), ("模型", ["模型-größe-ß"])):
        assert [job.id for job in queue.list_jobs("vision", JobQuery(part=part)).items] == ids


@pytest.mark.parametrize(
    "words, incomplete, offered",
    [
        ("sweepstake show vi", "vi", {"vision"}),
        ("sweepstake show vision resnet-5", "resnet-5", {"resnet-50-first"}),
        ("sweepstake show vision cond", "cond", {"vgg-16-second", "second"}),
        ("sweepstake retry vision abc vgg", "vgg", {"vgg-16-second"}),
        ("sweepstake why nosuch a", "a", set()),
        ("sweepstake bes", "bes", {"best"}),
    ],
)
def test_the_shell_completes_names_and_ids(
    exp: Experiment, url: str, words: str, incomplete: str, offered: set[str]
) -> None:
    """Experiments, and then their jobs; an error of the store offers nothing and says nothing."""
    assert set(_completed(url, "zsh_complete", words, len(words.split()) - 1).splitlines()[1::3]) == offered


def test_the_shell_completes_nothing_that_it_would_read_as_more_than_a_word(db: Database, url: str) -> None:
    """Bash puts what is offered into the line as it is; what somebody else calls a thing must not become a command."""
    hostile = [
        "x;touch${IFS}P;",
        "$(touch P)",
        "`touch P`",
        "a b",
        "*",
        "x|y",
        "~root",
        "-rf",
        "=ls",
        "'",
        "a\\",
        "{a,b}",
    ]
    plain = {"vision", "été/ü", "ada@x/mnist", "lr=0.1,a:b%c+d"}
    for name in (*hostile, *plain):
        db.add_experiment(ManualSearch(name))
    exp = db.get_experiment("vision")
    exp.add_jobs(NewJob({"x": 1}, job_id=job_id) for job_id in (*hostile, *plain))
    for words, word in (("sweepstake show ", 2), ("sweepstake show vision ", 3)):
        lines = _completed(url, "bash_complete", words, word).splitlines()
        assert {line.removeprefix("plain,") for line in lines} == plain


def _completed(url: str, shell: str, words: str, word: int) -> str:
    """Return what the command tells a shell that completes a word."""
    environment = {
        **os.environ,
        "SWEEPSTAKE_URL": url,
        "_SWEEPSTAKE_COMPLETE": shell,
        "COMP_WORDS": words,
        "COMP_CWORD": str(word),
    }
    command = [sys.executable, "-c", "from sweepstake.cli import main; main()"]
    ran = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert ran.stderr == ""
    return ran.stdout


def test_tokens_are_named_by_a_part_of_their_ids(db: Database, url: str, sw: Command) -> None:
    """As jobs are; of two that a part could mean both are listed, and none is revoked."""
    for _ in range(2):
        sw("user", "add", f"{_}@example.org")
    ids = sorted(each["id"] for each in json.loads(sw("token", "list", "--format", "json").out))
    assert ids[0] in _completed(url, "bash_complete", f"sweepstake token revoke {ids[0][:6]}", 3)
    assert sw("token", "revoke", "-f", ids[0][-8:]).out == f"Revoked {ids[0]}.\n"
    assert "0@example.org" in _completed(url, "bash_complete", "sweepstake user remove 0@", 3)


def test_a_part_that_several_ids_have_means_none() -> None:
    """Both are listed; an exact one comes first, and what means nothing is left to whoever looks it up."""
    with pytest.raises(InvalidInputError, match="abcdef1, abcdef2"):
        find_id("entry", "abcdef", ["abcdef1", "abcdef2"])
    assert find_id("entry", "abcdef", ["abcdef", "abcdef2"]) == "abcdef"
    assert find_id("entry", "abcde", ["abcdef"]) == "abcde"
    assert find_id("entry", "bcdefg", ["abcdefg"]) == "abcdefg"

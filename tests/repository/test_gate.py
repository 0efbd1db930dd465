"""What the action and the reusable workflow run: .ci/gate and .ci/comment, and that both files name the same inputs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_paddle_mt.reporters import markdown
from tests.builders import sweep, verdict
from tests.repository.test_docs import ROOT

ACTION = (ROOT / ".github/actions/gate/action.yml").read_text()
WORKFLOW = (ROOT / ".github/workflows/gate.yml").read_text()

#: Stands for pip and pytest: writes its arguments down, one a line, and fails where it should.
STUB = """#!/bin/sh
printf '%s\\n' "$(basename "$0")" "$@" --- >> called
test ! -e "$(basename "$0")-fails"
"""


class Checkout:
    """A folder with a .venv whose pip and pytest only write down how they were called."""

    def __init__(self, path: Path):
        self.path = path
        (path / ".venv/bin").mkdir(parents=True)
        for name in ("pip", "pytest", "python"):
            (path / ".venv/bin" / name).write_text(STUB)
            (path / ".venv/bin" / name).chmod(0o755)
        self.variables = {"OUT": "out", "PYTEST_PADDLE_BASELINES": "baselines", "GITHUB_OUTPUT": "outputs"}

    def run(self, *arguments: str, fails: bool = False, said: str = "", **variables: str) -> str:
        environ = {**os.environ, **self.variables, **variables}
        done = subprocess.run(
            [ROOT / ".ci/gate", *arguments], cwd=self.path, env=environ, input=said, capture_output=True, text=True
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout

    def calls(self) -> list[list[str]]:
        return [call.strip().splitlines() for call in (self.path / "called").read_text().split("---\n")[:-1]]


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


REPORTS = ["--paddle-json=out/results.json", "--paddle-html=out/report.html", "--paddle-markdown=out/comment.md"]


def test_a_run_that_records_nothing_gates_once_with_every_report(checkout):
    checkout.run("run", TESTS="tests/a.py 'tests/b c.py'", OPTIONS='--paddle-slo="p99<20ms"\n$(id)', MAY_RECORD="false")
    assert checkout.calls() == [["pytest", "tests/a.py", "tests/b c.py", "--paddle-slo=p99<20ms", "$(id)", *REPORTS]]


def test_a_run_that_records_takes_new_baselines_first_and_accepts_another_run(checkout):
    checkout.run("run", TESTS="t", OPTIONS="", MAY_RECORD="true", ACCEPT_DRIFT="false")
    first, second = checkout.calls()
    assert first == ["pytest", "t", *REPORTS, "--paddle-baseline-update-new-only"]
    assert second == [
        "pytest",
        "t",
        "--paddle-baseline-update",
        "--paddle-json=out/accepted.json",
        "--paddle-github=off",
    ]


def test_what_did_not_pass_is_not_recorded_and_fails_the_step(checkout):
    (checkout.path / "pytest-fails").touch()
    checkout.run("run", TESTS="t", OPTIONS="", MAY_RECORD="true", ACCEPT_DRIFT="false", fails=True)
    assert len(checkout.calls()) == 1


def test_drift_is_recorded_where_somebody_asked_for_it(checkout):
    checkout.run("run", TESTS="t", OPTIONS="", MAY_RECORD="true", ACCEPT_DRIFT="true")
    assert checkout.calls() == [["pytest", "t", *REPORTS, "--paddle-baseline-update"]]


def test_paddle_is_installed_on_its_own_and_the_plugin_together_with_the_project(checkout):
    paddle = "--pre paddlepaddle-gpu>=3.4.0.dev0 --index-url https://example.org/cu129/"
    checkout.run("install", PADDLE=paddle, REQUIREMENTS="-r requirements.txt", PLUGIN="")
    assert checkout.calls() == [
        ["pip", "install", *paddle.split()],
        ["pip", "install", "-r", "requirements.txt", f"{ROOT}[report]"],
    ]


def test_a_plugin_from_elsewhere_takes_the_place_of_this_one(checkout):
    checkout.run("install", PADDLE="", REQUIREMENTS="", PLUGIN="-e .[cpu,report]")
    assert checkout.calls() == [["pip", "install", "-e", ".[cpu,report]"]]


def test_a_quote_that_is_not_closed_is_named(checkout):
    assert "a quote is not closed in: tests/it's" in checkout.run("run", TESTS="tests/it's", OPTIONS="", fails=True)


@pytest.mark.parametrize(
    ("event", "ref", "record", "store", "planned"),
    [
        ("push", "refs/heads/main", "record/x", "baselines", ["true", "record/x"]),
        ("schedule", "refs/heads/main", "record/x", "baselines", ["true", "record/x"]),
        ("workflow_dispatch", "refs/heads/main", "record/x", "s3://bucket/x", ["true", ""]),
        ("push", "refs/heads/main", "", "baselines", ["false", ""]),
        ("push", "refs/heads/topic", "record/x", "baselines", ["false", ""]),
        ("push", "refs/tags/main", "record/x", "baselines", ["false", ""]),
        ("pull_request", "refs/heads/main", "record/x", "baselines", ["false", ""]),
        ("pull_request_target", "refs/heads/main", "record/x", "baselines", ["false", ""]),
    ],
)
def test_only_the_default_branch_records(checkout, event, ref, record, store, planned):
    known = {"NAME": "scaling", "DEFAULT_BRANCH": "", "RECORD": record, "PYTEST_PADDLE_BASELINES": store}
    checkout.run("plan", GITHUB_EVENT_NAME=event, GITHUB_REF=ref, **known)
    assert re.findall("=(.*)", (checkout.path / "outputs").read_text()) == planned


def test_a_name_that_could_be_a_path_is_refused(checkout):
    assert "the name '../x' must be letters" in checkout.run("plan", NAME="../x", fails=True)


def test_what_was_proposed_is_shown_with_the_link_that_opens_the_pull_request(checkout):
    server = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r", "GITHUB_REF_NAME": "main"}
    checkout.run("proposed", "record/x", said="pushed\n", GITHUB_STEP_SUMMARY="summary", **server)
    assert (checkout.path / "summary").read_text() == (
        "    pushed\n\n[Look at the branch and open a pull request](https://github.com/o/r/compare/main...record/x?expand=1)\n"
    )


def test_a_wrong_call_prints_what_there_is(checkout):
    done = subprocess.run([ROOT / ".ci/gate", "go"], cwd=checkout.path, capture_output=True, text=True)
    assert done.returncode == 2
    assert ".ci/gate install" in done.stderr


def inputs(text: str, indent: int) -> dict[str, str]:
    """The inputs that a file declares, each with the text below its name."""
    declared = re.search(rf"^ {{{indent}}}inputs:.*\n((?: {{{indent + 2}}}.*\n|\n)+)", text, re.MULTILINE)[1]
    parts = re.split(rf"^ {{{indent + 2}}}([a-z-]+):\n", declared, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def default(declared: str) -> str:
    found = re.search(r"default: *(.*)", declared)
    return "" if found is None else found[1].strip('"')


def test_the_workflow_takes_what_the_action_takes_hands_it_over_and_has_the_same_defaults():
    action, workflow = inputs(ACTION, 0), inputs(WORKFLOW, 4)
    shared = set(action) - {"plugin"}
    assert set(workflow) - shared == {"runs-on", "timeout-minutes"}
    for name in shared:
        assert f"          {name}: ${{{{ inputs.{name} }}}}\n" in WORKFLOW
        if name not in ("record", "accept-drift"):  # a job cannot push, the workflow can; and one has no booleans
            assert default(action[name]) == default(workflow[name]), name


def test_every_step_of_the_action_is_a_script_that_is_there():
    run = re.findall(r"run: (.*)", ACTION)
    assert run
    for command in run:
        script = re.fullmatch(r"""'"\$GITHUB_ACTION_PATH/\.\./\.\./\.\./(\.ci/\w+)" \w+(?: "\$\w+")?'""", command)
        assert (ROOT / script[1]).is_file()


#: Answers as ``gh api`` does, with the comments in a file, and writes down what it was asked to write.
GH = """#!/usr/bin/env bash
test ! -e gh-fails || exit 1
case " $* " in
  *" --paginate "*) for last; do true; done; jq -r "$last" comments.json ;;
  *) printf '%s ' "${@%@*}" >> asked; for last; do true; done; cp "${last#*@}" body ;;
esac
"""


@pytest.fixture
def post(tmp_path, monkeypatch):
    """Runs .ci/comment; returns what it asked GitHub to write."""
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH)
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", str(gh.parent), prepend=os.pathsep)

    def run(comments, one, name="scaling") -> tuple[str, str]:
        (tmp_path / "comments.json").write_text(json.dumps(comments))
        if one is not None:
            (tmp_path / "comment.md").write_text(markdown.page([one], 65_000))
        (tmp_path / "asked").write_text("")
        environ = {**os.environ, "GITHUB_REPOSITORY": "o/r", "NUMBER": "7"}
        said = subprocess.run(
            [ROOT / ".ci/comment", "comment.md", name], cwd=tmp_path, env=environ, check=True, capture_output=True
        ).stdout.decode()
        return (tmp_path / "asked").read_text().strip(), said

    return run


def comment(number: int, body: str, by: str = "github-actions[bot]") -> dict[str, object]:
    return {"id": number, "user": {"login": by}, "body": body}


PASSED, FAILED = sweep(), sweep(verdicts=(verdict("fail"),))
MARK = "<!-- pytest-paddle-mt: scaling -->"
NEW = "api --silent repos/o/r/issues/7/comments -F body="
OTHERS = [
    comment(1, "hello"),
    comment(2, f"{MARK} of somebody", by="mallory"),
    comment(4, "<!-- pytest-paddle-mt: scaling-gpu -->\nof another gate"),
]
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="gh brings a jq of its own; this machine has none")


@needs_jq
@pytest.mark.parametrize(
    ("comments", "one", "asked"),
    [
        (OTHERS, PASSED, ""),
        (OTHERS, FAILED, NEW),
        (
            [*OTHERS, comment(3, f"{MARK}\nold"), comment(5, f"{MARK}\nolder")],
            PASSED,
            "api --silent --method PATCH repos/o/r/issues/comments/3 -F body=",
        ),
    ],
)
def test_a_comment_is_made_once_there_is_something_to_act_on_and_then_kept_up_to_date(post, comments, one, asked):
    assert post(comments, one)[0] == asked


@needs_jq
def test_a_comment_begins_with_the_mark_of_its_gate_and_has_the_whole_page(post, tmp_path):
    post([], FAILED)
    assert (tmp_path / "body").read_text() == f"{MARK}\n" + (tmp_path / "comment.md").read_text()


def test_a_comment_that_cannot_be_written_fails_no_gate(post, tmp_path):
    (tmp_path / "gh-fails").touch()
    assert "::warning title=paddle-mt::the comment could not be written" in post([], FAILED)[1]


def test_where_nothing_was_measured_no_comment_is_made(post):
    asked, said = post([], None)
    assert (asked, said) == ("", "comment: there is no comment.md: nothing was measured\n")

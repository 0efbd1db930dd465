"""The workflows of this repository, those that the documents give to copy, and the scripts that they call.

Only what zizmor does not report: ``.ci/checks`` runs it on all of these workflows.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_paddle_mt.baselines import digests, schema
from pytest_paddle_mt.baselines.file_names import file_name
from pytest_paddle_mt.plugin.options import OPTIONS
from tests.builders import MACHINE, baseline
from tests.repository.test_docs import PAGES, ROOT, blocks, relative


class Workflow(NamedTuple):
    """A workflow and where it is."""

    where: str
    text: str


WORKFLOWS = [Workflow(relative(path), path.read_text()) for path in sorted(ROOT.glob(".github/workflows/*.yml"))]
ACTIONS = [Workflow(relative(path), path.read_text()) for path in sorted(ROOT.glob(".github/actions/*/action.yml"))]
TO_COPY = [
    Workflow(f"{relative(page)}, workflow {number}", block)
    for page in PAGES
    for number, block in enumerate(blocks(page, "yaml"), 1)
    if "jobs:" in block or "steps:" in block
]
EVERY = pytest.mark.parametrize("workflow", [*WORKFLOWS, *TO_COPY], ids=lambda workflow: workflow.where)


def commands(text: str) -> str:
    """Everything that a shell is given to run, as text."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        start = re.match(r"( *)(?:- )?run: *(.*)", line)
        if start is None:
            continue
        found.append(start[2])
        for following in lines[number + 1 :]:
            if following.strip() and len(following) - len(following.lstrip()) <= len(start[1]):
                break
            found.append(following)
    return "\n".join(found)


def jobs(text: str) -> list[str]:
    """The text of each job."""
    return re.split(r"^  (?=[a-z][\w-]*:$)", text.partition("\njobs:\n")[2], flags=re.MULTILINE)[1:]


def test_there_are_workflows_to_look_at():
    assert {"tests.yml", "baselines.yml", "gpu-gate.yml"} <= {Path(workflow.where).name for workflow in WORKFLOWS}
    assert TO_COPY


def test_an_action_is_pinned_to_the_same_commit_everywhere():
    pins = {}
    for workflow in [*WORKFLOWS, *ACTIONS, *TO_COPY]:
        for action, commit in re.findall(r"uses: *([^@\s]+)@(\S+)", workflow.text):
            pins.setdefault(action, set()).add(commit)
    assert {action: commits for action, commits in pins.items() if len(commits) > 1} == {}


@EVERY
def test_no_job_may_write_anything_but_contents_and_comments(workflow):
    assert set(re.findall(r"^ +([a-z-]+): write\b", workflow.text, re.MULTILINE)) <= {"contents", "pull-requests"}


@EVERY
def test_who_may_write_installs_and_measures_nothing(workflow):
    for job in jobs(workflow.text):
        if re.search(r"\n    uses: \S+/\.github/workflows/gate\.yml@", job):
            continue  # it asks for what the jobs of that workflow share out among themselves
        if ": write" in job:
            assert re.findall(r"\bpip\b|\bpytest\b|setup-python|self-hosted|actions/gate|inputs.runs-on", job) == []
        if "contents: write" in job:
            assert "github.event_name != 'pull_request'" in job


@EVERY
def test_no_workflow_uses_a_secret(workflow):
    assert re.findall(r"\bsecrets\b", re.sub(r"(^|\s)#.*", "", workflow.text)) == []


@EVERY
def test_no_job_runs_for_ever(workflow):
    assert [job for job in jobs(workflow.text) if not re.search(r"\n    (timeout-minutes|uses): ", job)] == []


@EVERY
def test_options_in_a_workflow_exist(workflow):
    written = set(re.findall(r"(?<![\w-])--paddle-[a-z0-9-]*[a-z0-9]", workflow.text))
    assert written <= {option.name for option in OPTIONS}
    variables = set(re.findall(r"\bPYTEST_PADDLE_[A-Z0-9_]+", workflow.text))
    assert variables <= {option.variable for option in OPTIONS}


def test_hosted_runners_install_by_the_commands_of_the_readme():
    run = commands((ROOT / ".github/workflows/tests.yml").read_text())
    assert "grep '^python3 -m venv' README.md" in run
    assert not re.search(r"pip install", run)


def test_a_gpu_is_not_lent_to_a_fork_without_approval():
    gate = jobs((ROOT / ".github/workflows/gpu-gate.yml").read_text())[0]
    assert "runs-on: [self-hosted" in gate
    assert "vars.GPU_RUNNERS == 'true'" in gate
    assert "head.repo.full_name == github.repository || vars.GPU_FORKS == 'true'" in gate
    assert re.search(r"head\.repo\.full_name != github\.repository\s+&& 'gpu-forks' \|\| 'gpu'", gate)
    assert re.search(r"concurrency:\n +group: gpu-card-\$\{\{ matrix.card \}\}\n +cancel-in-progress: false", gate)


# The scripts, with a repository and a server of their own.

BRANCH = "record/baselines"
#: Where the baselines are that CI compares with.
STORE = "baselines/ci"


class Repository:
    """A server, and a checkout of it as a runner has one."""

    def __init__(self, path: Path):
        self.server, self._path = path / "server.git", path
        self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.server), cwd=path)
        first = self.checkout("first")
        self.git("checkout", "--quiet", "-B", "main", cwd=first)
        shutil.copytree(ROOT / ".ci", first / ".ci")
        package = ROOT / "pytest_paddle_mt"
        for module in [*package.glob("*.py"), *package.glob("baselines/*.py"), *package.glob("machine/*.py")]:
            copy = first / module.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(module, copy)
        (first / "baselines").mkdir()
        (first / "baselines/README.md").write_text("About baselines.\n")
        self.commit(first, "main")

    def git(self, *arguments: str, cwd: Path) -> str:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", *who, *arguments], cwd=cwd, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def checkout(self, name: str, branch: str | None = None) -> Path:
        """A fresh checkout without history, as actions/checkout makes one."""
        which = [] if branch is None else ["--branch", branch, "--depth=1"]
        self.git("clone", "--quiet", *which, f"file://{self.server}", name, cwd=self._path)
        return self._path / name

    def commit(self, checkout: Path, branch: str):
        """Commit everything, and push it."""
        self.git("add", "-A", cwd=checkout)
        self.git("commit", "--quiet", "-m", "A commit", cwd=checkout)
        self.git("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}", cwd=checkout)

    def baselines(self, branch: str) -> dict[str, str]:
        """The baselines on a branch of the server, by name."""
        names = self.git("ls-tree", "-r", "--name-only", branch, f"{STORE}/", cwd=self.server).splitlines()
        return {
            name[len(STORE) + 1 :]: self.git("show", f"{branch}:{name}", cwd=self.server)
            for name in names
            if name.endswith(".json")
        }


def script(checkout: Path, *arguments: str, fails: bool = False) -> str:
    """What .ci/baselines prints."""
    environ = {**os.environ, "PYTEST_PADDLE_BASELINES": STORE}
    done = subprocess.run([".ci/baselines", *arguments], cwd=checkout, env=environ, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def document(name: str, count: int) -> tuple[str, str]:
    """The path and text of a baseline of ``count`` runs, for a name such as ``epyc-2c/test_one.json``."""
    machine, test = name.removesuffix(".json").split("/")
    model, cores = machine.removesuffix("c").rsplit("-", 1)
    facts = {**MACHINE, "cpu_model": model, "instruction_set": None, "usable_cores": int(cores)}
    known = dataclasses.replace(baseline(*[40.0] * count), test=test, machine=facts)
    return f"{machine}/{file_name(test, known.engine)}", schema.to_text(digests.sealed(known))


def record(checkout: Path, name: str, runs: int, below: str = STORE) -> Path:
    """What the plugin does under --paddle-baseline-update."""
    path, text = document(name, runs)
    file = checkout / below / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def runs(baselines: dict[str, str]) -> dict[str, int]:
    """How many runs each has, by its machine and test."""
    found = [(name.partition("/")[0], json.loads(text)) for name, text in baselines.items()]
    return {f"{machine}/{one['test']}.json": len(one["runs"]) for machine, one in found}


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


def record_and_propose(repository: Repository, run: str, **recorded: int) -> str:
    """A whole run of the workflow: the runner that measures, and the one that pushes."""
    measuring = repository.checkout(f"measuring-{run}", "main")
    script(measuring, "carry", BRANCH)
    for name, count in recorded.items():
        record(measuring, f"epyc-2c/{name}.json", count)
    script(measuring, "collect", "collected/a-job")
    pushing = repository.checkout(f"pushing-{run}", "main")
    if (measuring / "collected").exists():  # an artifact, and only then
        shutil.copytree(measuring / "collected", pushing / "collected")
    return script(pushing, "propose", BRANCH, "collected")


def test_recorded_baselines_get_onto_the_branch_and_not_onto_main(repository):
    record_and_propose(repository, "1", test_one=1)
    assert runs(repository.baselines(BRANCH)) == {"epyc-2c/test_one.json": 1}
    assert repository.baselines("main") == {}


def test_a_run_goes_on_from_what_waits_to_be_merged(repository):
    record_and_propose(repository, "1", test_one=1, test_two=1)
    measuring = repository.checkout("measuring", "main")
    script(measuring, "carry", BRANCH)
    path, text = document("epyc-2c/test_one.json", 1)
    assert (measuring / STORE / path).read_text() == text
    record_and_propose(repository, "2", test_one=2)
    assert runs(repository.baselines(BRANCH)) == {"epyc-2c/test_one.json": 2, "epyc-2c/test_two.json": 1}


def test_the_branch_is_one_commit_on_top_of_main_however_often_it_is_recorded(repository):
    record_and_propose(repository, "1", test_one=1)
    later = repository.checkout("later", "main")
    (later / "code.py").write_text("pass\n")
    repository.commit(later, "main")
    record_and_propose(repository, "2", test_one=2)
    assert repository.git("rev-parse", f"{BRANCH}~1", cwd=repository.server) == repository.git(
        "rev-parse", "main", cwd=repository.server
    )


def test_of_two_jobs_that_recorded_the_same_test_the_first_is_kept_and_it_is_said(repository):
    """Two cards of one model: no file holds what both have added."""
    pushing = repository.checkout("pushing", "main")
    record(pushing, "h200-2c/test_one.json", 2, below="collected/card-0")
    record(pushing, "h200-2c/test_one.json", 3, below="collected/card-1")
    record(pushing, "l4-2c/test_one.json", 4, below="collected/card-1")
    said = script(pushing, "propose", BRANCH, "collected")
    assert re.search(r"h200-2c/test_one-\w+-native.json comes from two jobs; that of card-0 is kept, that of ", said)
    assert runs(repository.baselines(BRANCH)) == {"h200-2c/test_one.json": 2, "l4-2c/test_one.json": 4}


@pytest.mark.parametrize("name", ["baselines.yml", "gpu-gate.yml", "gate.yml"])
def test_what_jobs_collect_meets_in_a_folder_for_each_of_them(name):
    """However many artifacts there are: without merge-multiple one alone would have no folder, and several would."""
    (action,) = (action.text for action in ACTIONS)
    assert "TO: ${{ runner.temp }}/paddle-mt/recorded/${{ inputs.name }}\n" in action
    assert re.search(r"name: paddle-mt-baselines-\S.*\n +path: \S+ runner.temp \S+/paddle-mt/recorded\n", action)
    text = (ROOT / ".github/workflows" / name).read_text()
    assert re.search(r"pattern: paddle-mt-baselines-\S.*\n +path: recorded .*\n +merge-multiple: true\n", text)
    assert 'propose "$BRANCH" recorded' in text


def test_only_what_this_run_recorded_is_collected(repository):
    record_and_propose(repository, "1", test_one=1, test_two=1)
    measuring = repository.checkout("measuring", "main")
    script(measuring, "carry", BRANCH)
    record(measuring, "epyc-2c/test_two.json", 2)
    record(measuring, "xeon-4c/test_one.json", 1)
    (measuring / STORE / "README.md").write_text("Something else.\n")
    (measuring / STORE / "xeon-4c/.lock").write_text("")
    assert "2 recorded" in script(measuring, "collect", "collected")
    collected = {str(path.relative_to(measuring / "collected")) for path in measuring.glob("collected/**/*.*")}
    assert collected == {document(f"{name}.json", 1)[0] for name in ("epyc-2c/test_two", "xeon-4c/test_one")}


def test_without_a_recorded_baseline_nothing_is_pushed(repository):
    assert "nothing was recorded" in record_and_propose(repository, "1")
    assert repository.git("branch", "--list", BRANCH, cwd=repository.server) == ""


def test_the_same_baselines_again_are_not_pushed_again(repository):
    record_and_propose(repository, "1", test_one=1)
    before = repository.git("rev-parse", BRANCH, cwd=repository.server)
    pushing = repository.checkout("pushing", "main")
    record(pushing, "epyc-2c/test_one.json", 1, below="collected/a-job")
    assert "there already" in script(pushing, "propose", BRANCH, "collected")
    assert repository.git("rev-parse", BRANCH, cwd=repository.server) == before


@pytest.mark.fault(
    "baselines", "somebody else pushes to the record branch meanwhile", "nothing is overwritten; the step fails"
)
def test_somebody_elses_push_in_between_is_not_overwritten(repository, tmp_path):
    record_and_propose(repository, "1", test_one=1)
    pushing = repository.checkout("pushing", "main")
    record(pushing, "epyc-2c/test_one.json", 2, below="collected/a-job")
    # A git that lets somebody else push right before it pushes.
    real = shutil.which("git")
    other = repository.checkout("other", BRANCH)
    record(other, "epyc-2c/test_other.json", 1)
    repository.git("add", "-A", cwd=other)
    repository.git("commit", "--quiet", "-m", "Another", cwd=other)
    fake = tmp_path / "bin/git"
    fake.parent.mkdir()
    fake.write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" push "*) "{real}" -C "{other}" push --quiet origin "HEAD:refs/heads/{BRANCH}" ;; esac\n'
        f'exec "{real}" "$@"\n'
    )
    fake.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(fake.parent), prepend=":")
        script(pushing, "propose", BRANCH, "collected", fails=True)
    assert runs(repository.baselines(BRANCH)) == {"epyc-2c/test_one.json": 1, "epyc-2c/test_other.json": 1}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("epyc-2c/test_one.json", "<<<<<<< HEAD\n", "line 1 is a mark that a merge left"),
        ("epyc-2c/test_one.json", '"' + "x" * 8_000_000 + '"', "it has 8.0 MB, and a baseline has at most 8 MB"),
        ("epyc-2c/test_one.json", "{}", "it has no schema 1"),
        ("epyc-2c/test_one.json", '{"schema": 1, "schema": 1}', "'schema' stands twice in one object"),
        ("epyc-2c/test_one.json", document("epyc-2c/test_one.json", 1)[1], "by its content it should be epyc-2c/test"),
        (
            document("epyc-2c/test_one.json", 1)[0],
            document("epyc-2c/test_one.json", 1)[1].replace('"qps": 40.0', '"qps": 20.0'),
            "it was edited after it was recorded: runs[0]",
        ),
        ("epyc-2c/conftest.py", "{}", "no baseline"),
        ("README.json", "{}", "no baseline"),
        ("epyc-2c/deeper/test_one.json", "{}", "no baseline"),
        (".hidden/test_one.json", "{}", "no baseline"),
    ],
)
@pytest.mark.fault(
    "baselines", "a job hands over what is no baseline, or an edited one", "nothing is pushed, and the file is named"
)
def test_what_is_no_baseline_is_refused_by_name_and_not_pushed(repository, name, text, why):
    pushing = repository.checkout("pushing", "main")
    record(pushing, "epyc-2c/test_good.json", 1, below="collected/a-job")
    file = pushing / "collected/a-job" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    said = script(pushing, "propose", BRANCH, "collected", fails=True)
    assert name in said
    assert why in said
    assert repository.git("branch", "--list", BRANCH, cwd=repository.server) == ""


@pytest.mark.fault("baselines", "the record branch has a bad file", "it is left out, and later runs are recorded")
def test_a_bad_file_on_the_branch_does_not_stop_later_recordings(repository):
    record_and_propose(repository, "1", test_one=1, test_two=1, test_four=1)
    merged = repository.checkout("merged", "main")
    record(merged, "epyc-2c/test_two.json", 1)
    repository.commit(merged, "main")
    spoiled = repository.checkout("spoiled", BRANCH)
    for name in ("test_one", "test_two"):
        (spoiled / STORE / document(f"epyc-2c/{name}.json", 1)[0]).write_text("{}")
    repository.git("commit", "--quiet", "-am", "Spoil", cwd=spoiled)
    repository.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{BRANCH}", cwd=spoiled)
    measuring = repository.checkout("measuring", "main")
    said = script(measuring, "carry", BRANCH)
    assert len(re.findall("it has no schema 1", said)) == len(re.findall(" is left out", said)) == 2
    there = {str(path.relative_to(measuring / STORE)): path.read_text() for path in measuring.glob(f"{STORE}/*/*")}
    assert runs(there) == {"epyc-2c/test_two.json": 1, "epyc-2c/test_four.json": 1}
    record_and_propose(repository, "2", test_three=1)
    assert runs(repository.baselines(BRANCH)) == {
        f"epyc-2c/{name}.json": 1 for name in ("test_two", "test_three", "test_four")
    }


@pytest.mark.fault(
    "baselines", "a job hands over a link to another file as a baseline", "nothing is pushed, and the file is named"
)
def test_a_link_is_no_baseline(repository, tmp_path):
    path, content = document("epyc-2c/test_one.json", 1)  # but for the link, it would be accepted
    (tmp_path / "elsewhere.json").write_text(content)
    pushing = repository.checkout("pushing", "main")
    link = pushing / "collected/a-job" / path
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "elsewhere.json")
    said = script(pushing, "propose", BRANCH, "collected", fails=True)
    assert f"a-job/{path} is no baseline" in said
    assert repository.git("branch", "--list", BRANCH, cwd=repository.server) == ""


def test_the_token_is_shown_to_the_server_and_written_nowhere(repository, tmp_path):
    asked = tmp_path / "bin/git"
    asked.parent.mkdir()
    asked.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{tmp_path}/commands'\nexec {shutil.which('git')} \"$@\"\n")
    asked.chmod(0o755)
    pushing = repository.checkout("pushing", "main")
    record(pushing, "epyc-2c/test_one.json", 1, below="collected/a-job")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(asked.parent), prepend=":")
        patch.setenv("GH_TOKEN", "the-token")
        script(pushing, "propose", BRANCH, "collected")
    said = (tmp_path / "commands").read_text()
    assert "the-token" not in said + (pushing / ".git/config").read_text()
    helper = re.findall(r"credential\.helper=(!.*?; f) push", said)
    answer = subprocess.run(
        ["sh", "-c", helper[0][1:] + " get"], env={"GH_TOKEN": "the-token"}, capture_output=True, text=True, check=True
    ).stdout
    assert answer == "username=x-access-token\npassword=the-token\n"


def test_what_measures_and_what_carries_mean_the_same_baselines():
    for path in (".ci/run", ".github/workflows/baselines.yml", ".github/workflows/gpu-gate.yml"):
        said = re.findall(r"PYTEST_PADDLE_BASELINES[=:] *(\S+)", (ROOT / path).read_text())
        assert said == [STORE], path


def test_a_wrong_call_says_what_there_is(repository):
    said = script(repository.checkout("some", "main"), "push", fails=True)
    assert ".ci/baselines propose BRANCH DIR" in said

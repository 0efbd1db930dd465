"""Stored baselines as users meet them: recorded, compared, updated, and left alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pytest_paddle_mt.baselines.ledger import Ledger
from pytest_paddle_mt.machine import facts
from pytest_paddle_mt.machine.cores import available_cores
from pytest_paddle_mt.machine.facts import cpu_model, machine_facts, machine_key
from pytest_paddle_mt.machine.versions import measured_versions
from pytest_paddle_mt.plugin.resolve import resolve
from tests.builders import measured, subject, sweep
from tests.suite import Suite, text

#: The throughput of the engine is that of a healthy one times what the file ``factor`` says.
_CONFTEST = """
    from pathlib import Path

    from pytest_paddle_mt.testing import FakeEngine

    class Adjustable(FakeEngine):
        def open(self, workload):
            factor = float(Path(__file__).with_name("factor").read_text())
            self._qps = {threads: factor * qps for threads, qps in {1: 40.0, 2: 79.0, 3: 118.0, 4: 157.0}.items()}
            return super().open(workload)

    def pytest_paddle_mt_engines():
        return [
            Adjustable({}, name="adjustable"),
            FakeEngine({1: 40.0, 2: 41.0}, name="stays"),
            FakeEngine({1: 40.0, 2: 68.0}, name="swings", swing=0.2),
        ]
"""

_TEST = """
    def test_it(concurrent_runner):
        concurrent_runner(None)
"""

UPDATE = "--paddle-baseline-update"
NEW_ONLY = "--paddle-baseline-update-new-only"
REQUIRED = "--paddle-baseline-required"


class Stored:
    """A user's suite, and the baselines that it has stored."""

    def __init__(self, suite: Suite):
        self.suite = suite
        suite.write(_CONFTEST, "conftest")
        suite.ini("paddle-engine = adjustable")
        suite.write(_TEST)
        self.factor(1.0)

    def factor(self, factor: float):
        """How fast the engine is from now on."""
        (self.suite.path / "factor").write_text(str(factor))

    def run(self, *arguments: Any) -> pytest.RunResult:
        """Run the suite."""
        return self.suite.run(*arguments)

    def record(self, times: int = 1):
        """Accept runs, each of its own."""
        for _ in range(times):
            self.run(UPDATE).assert_outcomes(passed=1)

    @property
    def files(self) -> list[Path]:
        """Every baseline."""
        return sorted(self.suite.path.glob("baselines/*/*"))

    @property
    def documents(self) -> list[Any]:
        """What they hold."""
        return [json.loads(path.read_text()) for path in self.files]

    def edit(self, **changes: Any):
        """Change members of the only baseline by hand."""
        (path,), (document,) = self.files, self.documents
        for name, value in changes.items():
            document[name] = {**document[name], **value} if isinstance(value, dict) else value
        path.write_text(json.dumps(document))


@pytest.fixture
def store(suite: Suite) -> Stored:
    return Stored(suite)


# The first run, and those after it.


def test_without_a_baseline_the_summary_says_how_to_record_one_and_nothing_is_written(store: Stored):
    result = store.run()
    result.assert_outcomes(passed=1)
    assert "no stored baseline for 1 sweep, so drift was not judged; --paddle-baseline-update records one" in text(
        result
    )
    assert not (store.suite.path / "baselines").exists()


def test_an_update_records_a_baseline_under_the_key_of_this_machine(store: Stored):
    result = store.run(UPDATE)
    result.assert_outcomes(passed=1)
    (path,), (document,) = store.files, store.documents
    assert path.parent.name == machine_key()
    assert path.name.startswith("test_it-test_it-")
    assert (document["test"], document["engine"]) == ("test_it.py::test_it", "adjustable")
    assert document["machine"] == machine_facts()
    assert [point["qps"] for point in document["runs"][0]["points"]] == [40, 78.999]
    assert document["runs"][0]["versions"] == measured_versions()
    assert "baseline of test_it.py::test_it (adjustable): new baseline, 1 run accepted" in text(result)
    assert f"in {path}" in text(result)
    assert "2 threads: p50 latency 25.19 ms" in text(result)
    assert "no stored baseline" not in text(result)


def test_a_run_like_the_stored_one_passes_and_is_not_written_down(store: Stored):
    store.record()
    before = store.documents
    result = store.run()
    result.assert_outcomes(passed=1)
    assert "CALIBRATING drift: p50 latency with 1 thread 25 -> 25 ms" in text(result)
    assert "1 of 1 sweep gated" in text(result)
    assert "no stored baseline" not in text(result)
    assert store.documents == before


def test_gross_drift_fails_from_the_first_run_on(store: Stored):
    store.record()
    store.factor(0.4)
    result = store.run()
    result.assert_outcomes(failed=1)
    assert "drift: QPS with 2 threads 79 -> 31.6 (-60.0%), beyond the limit" in text(result)


def test_after_eight_runs_a_drift_that_passed_before_fails(store: Stored):
    store.record()
    store.factor(0.8)
    store.run().assert_outcomes(passed=1)
    store.factor(1.0)
    store.record(7)
    assert [len(one["runs"]) for one in store.documents] == [8]
    result = store.run()
    assert "PASS drift: p50 latency with 1 thread" in text(result)
    store.factor(0.8)
    result = store.run()
    result.assert_outcomes(failed=1)
    assert "against the mean of 8 accepted runs" in text(result)


def test_a_drift_that_a_fresh_process_does_not_show_is_not_believed(store: Stored):
    store.record(8)
    store.suite.confirm_in_fresh_processes()
    store.suite.write(
        _CONFTEST.replace(
            "factor = float(", "import os; factor = 1.0 if 'PYTEST_PADDLE_MT_FORK' in os.environ else float("
        ),
        "conftest",
    )
    store.factor(0.5)
    result = store.run("-rs")
    result.assert_outcomes(skipped=1)
    assert "but measured again in a fresh process it passed: p50 latency with 1 thread 25 -> 25 ms" in text(result)


def test_the_limits_are_options(store: Stored):
    store.record(8)
    store.factor(0.8)
    store.run("--paddle-max-drift=0.5", "--paddle-max-p99-drift=0.5").assert_outcomes(passed=1)


def test_a_failure_by_drift_does_not_explain_why_it_does_not_scale(store: Stored):
    """The engine is slower than before, and scales as before."""
    store.record(8)
    store.factor(0.5)
    result = store.run("--paddle-threads=4")
    result.assert_outcomes(failed=1)
    assert "drift was not judged with 3, 4 threads" not in text(result)
    assert "likely cause" not in text(result)


def test_baselines_may_be_kept_elsewhere(store: Stored):
    store.run(UPDATE, "--paddle-baselines=kept/here").assert_outcomes(passed=1)
    assert len(list((store.suite.path / "kept" / "here").glob("*/*.json"))) == 1
    assert "CALIBRATING drift" in text(store.run("--paddle-baselines=kept/here"))
    assert "no stored baseline" in text(store.run())


def test_a_commit_is_written_down_where_somebody_knows_it(store: Stored, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(store.suite.path.parent))
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA", "BUILD_SOURCEVERSION", "GIT_COMMIT"):
        monkeypatch.delenv(name, raising=False)
    store.record()
    monkeypatch.setenv("GITHUB_SHA", "no\nname")
    monkeypatch.setenv("CI_COMMIT_SHA", "of-the-service")
    store.record()
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@example.org")
    for arguments in (("init", "-q"), ("commit", "-q", "--allow-empty", "-m", "x")):
        store.suite.command_anywhere(*git, *arguments)
    store.record()
    head = store.suite.command_anywhere("git", "rev-parse", "HEAD").outlines[0]
    assert [run["commit"] for run in store.documents[0]["runs"]] == [None, "of-the-service", head]


# Updating.


def test_an_update_adds_a_run_and_prints_old_and_new(store: Stored):
    store.record()
    store.factor(1.05)
    result = store.run(UPDATE)
    result.assert_outcomes(passed=1)
    assert "updated, 2 runs accepted; the limit is wide until there are 8" in text(result)
    assert "QPS 79 -> 82.95 (+5.0%), scaling efficiency 0.9875 -> 0.9875" in text(result)
    assert "drift is" not in text(result)
    assert [run["points"][0]["qps"] for run in store.documents[0]["runs"]] == [40, 42]


def test_an_update_beyond_the_limits_begins_a_new_series_and_keeps_the_old_one(store: Stored):
    store.record(2)
    store.factor(0.3)
    result = store.run(UPDATE)
    result.assert_outcomes(passed=1)
    assert "new series, as this run does not belong to the old one, which is kept as 'before'" in text(result)
    assert "beyond the limit" in text(result)
    (document,) = store.documents
    assert [run["points"][0]["qps"] for run in document["runs"]] == [12]
    assert [run["points"][0]["qps"] for run in document["before"]["runs"]] == [40, 40]
    store.run().assert_outcomes(passed=1)


def test_new_only_records_what_is_new_and_judges_the_rest(store: Stored):
    store.record()
    store.suite.write(_TEST + "\n" + _TEST.replace("test_it", "test_new"))
    store.factor(0.3)
    before = store.documents
    result = store.run(NEW_ONLY)
    result.assert_outcomes(passed=1, failed=1)
    assert [one["test"] for one in store.documents] == ["test_it.py::test_it", "test_it.py::test_new"]
    assert store.documents[0] == before[0]
    assert "1 baseline kept: --paddle-baseline-update-new-only" in text(result)
    assert "baseline of test_it.py::test_new (adjustable): new baseline" in text(result)


# What is never accepted.


def refused(store: Stored, *arguments: Any, apart: bool = False) -> str:
    """What an update says that accepts nothing."""
    run = store.suite.run_apart if apart else store.run
    result = run(UPDATE, *arguments)
    assert store.files == []
    return text(result)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("concurrent_runner(None)\n        assert False", "its call ended as failed"),
        ("concurrent_runner(None)\n        pytest.skip('enough')", "its call ended as skipped"),
        ("concurrent_runner(None)\n        pytest.xfail('known')", "the test is marked xfail"),
        ("concurrent_runner(None, gate=False)", "gate=False: nothing has checked it"),
    ],
)
def test_a_test_that_did_not_pass_its_gate_and_its_end_is_not_accepted(store: Stored, body: str, told: str):
    store.suite.write(f"import pytest\n\ndef test_it(concurrent_runner):\n        {body}\n")
    assert f"baseline not updated: test_it.py::test_it: {told}" in refused(store)


@pytest.mark.parametrize(("engine", "told"), [("stays", "linear: fail"), ("swings", "linear: inconclusive")])
def test_a_sweep_that_failed_or_was_not_decided_is_not_accepted(store: Stored, engine: str, told: str):
    assert f"baseline not updated: test_it.py::test_it: {told}" in refused(store, f"--paddle-engine={engine}")


@pytest.mark.parametrize("strict", [True, False])
def test_an_xfail_that_passes_is_not_accepted(store: Stored, strict: bool):
    store.suite.write(
        f"import pytest\n\n@pytest.mark.xfail(strict={strict})\n{_TEST.strip()}\n".replace("    def", "def")
    )
    told = refused(store)
    assert "baseline not updated: test_it.py::test_it: " in told


@pytest.mark.fault(
    "baselines", "a fixture fails after a sweep that is to be accepted", "nothing is accepted of that test"
)
def test_a_test_whose_fixtures_fail_is_not_accepted(store: Stored):
    store.suite.write(
        """
        import pytest

        @pytest.fixture
        def thing():
            yield
            assert False

        def test_it(concurrent_runner, thing):
            concurrent_runner(None)
        """
    )
    assert "baseline not updated: test_it.py::test_it: its teardown ended as failed" in refused(store)


def test_an_update_in_which_nothing_is_measured_says_so(store: Stored):
    pytest.importorskip("pytest_benchmark")
    result = store.run(UPDATE, "--benchmark-skip")
    result.assert_outcomes(skipped=1)
    assert "no baseline was updated: nothing is measured (--benchmark-skip)" in text(result)
    store.suite.write("def test_it():\n    pass\n")
    assert "no baseline was updated: no test measured anything" in text(store.run(UPDATE))


def test_a_smoke_run_is_not_accepted(store: Stored):
    pytest.importorskip("pytest_benchmark")
    told = refused(store, "--benchmark-disable")
    assert "no baseline was updated: nothing can be measured (--benchmark-disable)" in told


def test_a_run_with_xdist_is_not_accepted(store: Stored):
    pytest.importorskip("xdist")
    assert "no baseline was updated: nothing can be measured (pytest-xdist" in refused(store, "-n1", apart=True)


@pytest.mark.parametrize(
    "selection", [("-k", "not other"), ("-m", "not slow"), ("--deselect", "test_it.py::test_other")]
)
def test_a_session_with_deselected_tests_accepts_nothing(store: Stored, selection: tuple[str, str]):
    store.suite.write(
        f"import pytest\n{_TEST}\n    @pytest.mark.slow\n    def test_other():\n        pass\n".replace("\n    ", "\n")
    )
    told = refused(store, *selection, "-W", "ignore")
    assert "no baseline was updated: 1 test deselected; to update some tests only, name them by their path" in told


def test_a_test_that_is_named_by_its_path_is_accepted(store: Stored):
    store.suite.write(_TEST + "\n" + _TEST.replace("test_it", "test_other"))
    store.run(UPDATE, "test_it.py::test_it").assert_outcomes(passed=1)
    assert [one["test"] for one in store.documents] == ["test_it.py::test_it"]


@pytest.mark.fault("baselines", "`-x` ends a session with an update", "nothing is accepted")
def test_a_session_that_stops_at_a_failure_accepts_nothing(store: Stored):
    store.suite.write(_TEST + "\n    def test_next():\n        assert False\n")
    assert "no baseline was updated: the session was interrupted (stopping after 1 failures)" in refused(store, "-x")


def test_a_failure_of_another_test_keeps_nothing_from_being_accepted(store: Stored):
    store.suite.write(_TEST + "\n    def test_next():\n        assert False\n")
    store.run(UPDATE).assert_outcomes(passed=1, failed=1)
    assert len(store.files) == 1


@pytest.mark.fault("baselines", "a session with an update is interrupted", "nothing is accepted")
def test_a_session_that_is_interrupted_accepts_nothing(store: Stored):
    store.suite.write(_TEST + "\n    def test_next():\n        raise KeyboardInterrupt\n")
    assert "no baseline was updated: the session was interrupted" in refused(store, apart=True)


def test_of_a_test_that_is_run_again_only_the_last_attempt_counts(store: Stored):
    pytest.importorskip("pytest_rerunfailures")
    store.suite.write(
        """
        from pathlib import Path

        def test_it(concurrent_runner):
            seen = Path(__file__).with_name("factor")
            factor = float(seen.read_text())
            concurrent_runner(None)
            seen.write_text(str(factor + 0.01))
            assert factor > 1.005
        """
    )
    store.run(UPDATE, "--reruns=2").assert_outcomes(passed=1)
    assert [run["points"][0]["qps"] for run in store.documents[0]["runs"]] == [40.4]


def test_an_attempt_that_failed_does_not_count_though_the_next_one_measured_nothing(store: Stored):
    pytest.importorskip("pytest_rerunfailures")
    store.suite.write(
        """
        from pathlib import Path

        def test_it(concurrent_runner):
            seen = Path(__file__).with_name("seen")
            if not seen.exists():
                seen.touch()
                concurrent_runner(None)
                assert False
        """
    )
    refused(store, "--reruns=2")


def test_collecting_alone_writes_nothing(store: Stored):
    result = store.run(UPDATE, "--collect-only")
    assert not (store.suite.path / "baselines").exists()
    assert "no baseline was updated" not in text(result)


def test_a_sweep_that_the_budget_ended_early_is_not_accepted(store: Stored, pytester: pytest.Pytester):
    ledger = Ledger(resolve(pytester.parseconfig(UPDATE)), store.suite.path)
    one = sweep()
    found = ledger.look_up(one.nodeid, one.nodeid, one.subject, (1, 2), gate=True)
    for complete in (False, True):
        ledger.measured(one, measured(), one.nodeid, found, complete=complete)
        ledger.accept_offers(None, lambda _: None)
        assert len(store.files) == complete
    assert "the budget ended it before its first look; give a larger --paddle-budget" in " ".join(
        ledger.summary_lines()
    )


# Required.


def test_a_test_without_the_baseline_that_is_required_fails_before_it_is_measured(store: Stored):
    result = store.run(REQUIRED)
    result.assert_outcomes(failed=1)
    assert (
        f"no baseline for 'test_it.py::test_it' on machine '{machine_key()}' and "
        "--paddle-baseline-required; record one with --paddle-baseline-update" in text(result)
    )
    assert "sweep gated" not in text(result)


def test_a_test_with_the_baseline_that_is_required_passes(store: Stored):
    store.run(UPDATE, REQUIRED).assert_outcomes(passed=1)
    store.run(REQUIRED).assert_outcomes(passed=1)


def test_a_thread_count_that_the_required_baseline_lacks_fails(store: Stored):
    store.record()
    result = store.run(REQUIRED, "--paddle-threads=4")
    result.assert_outcomes(failed=1)
    assert "the baseline of 'test_it.py::test_it' has no figures for 4 threads" in text(result)
    result = store.run("--paddle-threads=4")
    result.assert_outcomes(passed=1)
    assert "drift was not judged with 4 threads, not in the baseline" in text(result)


def test_a_test_that_only_wants_to_know_needs_no_baseline(store: Stored):
    store.suite.write(_TEST.replace("None", "None, gate=False"))
    store.run(REQUIRED).assert_outcomes(passed=1)


# What cannot be compared.


def test_a_baseline_of_another_machine_is_not_compared(store: Stored):
    store.record()
    (path,) = store.files
    store.edit(machine={"cpu_model": "Another CPU", "usable_cores": 64})
    path.parent.rename(path.parent.with_name("another-cpu-64c"))
    store.factor(0.1)
    result = store.run()
    result.assert_outcomes(skipped=1)
    model, cores = cpu_model(), available_cores().usable
    assert (
        f"no baseline for 'test_it.py::test_it' on this machine, {machine_key()}; there is one for "
        f"another-cpu-64c (CPU Another CPU there and {model} here; usable cores 64 there and {cores} here)"
        in text(result)
    )
    store.run("--paddle-strict").assert_outcomes(failed=1)
    store.run(REQUIRED).assert_outcomes(failed=1)
    for update in (NEW_ONLY, UPDATE):
        store.run(update).assert_outcomes(passed=1)
    assert [len(one["runs"]) for one in store.documents] in ([1, 2], [2, 1])


def test_a_damaged_baseline_of_another_machine_does_not_stand_in_the_way(store: Stored):
    store.record()
    (path,) = store.files
    path.write_text("{")
    path.parent.rename(path.parent.with_name("another-cpu-64c"))
    result = store.run()
    result.assert_outcomes(skipped=1)
    assert "there is one for another-cpu-64c. Figures" in text(result)


def test_another_setting_is_not_compared_and_named(store: Stored):
    store.record()
    store.edit(setting={"batch_size": 8, "onednn": "on"})
    result = store.run()
    result.assert_outcomes(skipped=1)
    assert (
        "the baseline of 'test_it.py::test_it' was recorded with another setting: batch size 8 there and unknown here; "
        "oneDNN on there and unknown here; measure as it was recorded, or record it anew" in text(result)
    )
    store.run(UPDATE).assert_outcomes(passed=1)
    (document,) = store.documents
    assert document["setting"]["batch_size"] is None
    assert document["before"]["setting"]["batch_size"] == 8


@pytest.mark.fault(
    "baselines",
    "one value in one file is no figure (NaN, 1e400)",
    "that test fails with the value, and its path if it is a number; the runs of others are recorded",
)
def test_a_file_with_a_figure_that_is_none_costs_no_other_test_its_run(store: Stored):
    store.suite.write(_TEST + _TEST.replace("test_it", "test_nan") + _TEST.replace("test_it", "test_other"))
    store.run(UPDATE).assert_outcomes(passed=3)
    huge, nan, good = store.files
    for path, value in ((huge, "1e400"), (nan, "NaN")):
        path.write_text(path.read_text().replace('"batch_size": null', f'"batch_size": {value}'))
    before = [path.read_text() for path in (huge, nan)]
    result = store.run(UPDATE)
    result.assert_outcomes(passed=1, failed=2)
    assert f"{huge} is no baseline: setting.batch_size is inf, not text, a number or null" in text(result)
    assert f"{nan} is no baseline: NaN is no figure; restore it" in text(result)
    assert "Traceback" not in text(result)
    assert [path.read_text() for path in (huge, nan)] == before
    assert len(json.loads(good.read_text())["runs"]) == 2


@pytest.mark.fault("baselines", "a file's name has control characters or `::error::`", "they are printed as escapes")
def test_the_name_of_a_file_starts_no_line_of_its_own(store: Stored):
    store.record()
    (path,) = store.files
    path.with_name("x\n::error::y\x1b[2J.json").write_text("")
    lines = store.run().outlines
    assert not [line for line in lines if line.lstrip().startswith("::") or "\x1b[2J" in line]
    assert r"x\n::error::y\x1b[2J.json; delete what is not needed" in "".join(lines)


@pytest.mark.fault(
    "baselines", "somebody moves a file of another machine here", "drift is not judged; the fact that differs is named"
)
def test_facts_that_a_hand_changed_below_the_key_of_this_machine_are_not_compared(store: Stored):
    store.record()
    store.edit(machine={"instruction_set": "quantum"})
    result = store.run()
    result.assert_outcomes(skipped=1)
    assert "was recorded with another machine: instruction set quantum there and" in text(result)


@pytest.mark.fault(
    "baselines",
    "somebody edits a figure",
    "drift is inconclusive with the place; an update keeps the edited runs as `before`",
)
def test_a_file_whose_figures_were_edited_is_not_gated_and_an_update_keeps_it_as_it_is(store: Stored):
    store.record()
    (document,) = store.documents
    for point in document["runs"][0]["points"]:
        point["qps"] -= 1  # within the limit, so by its figures alone the next run would belong to the series
    store.edit(runs=document["runs"])
    result = store.run()
    result.assert_outcomes(skipped=1)
    assert "INCONCLUSIVE drift: the baseline was edited after it was recorded: runs[0], of " in text(result)
    result = store.run(UPDATE)
    assert "new series, as the old one was edited (runs[0], of " in text(result)
    (after,) = store.documents
    assert f"digest of this run: {after['runs'][0]['digest']}" in text(result)
    assert after["before"]["runs"][0]["digest"] == document["runs"][0]["digest"]
    assert after["before"]["runs"][0]["points"][0]["qps"] == document["runs"][0]["points"][0]["qps"]


@pytest.mark.fault("baselines", "a change edits baselines", "the summary names them with old and new figures")
def test_the_summary_names_baselines_that_the_change_edits(store: Stored):
    store.record()
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (["init", "--quiet"], ["add", "baselines"], [*who, "commit", "--quiet", "-m", "One"]):
        subprocess.run(["git", *arguments], cwd=store.suite.path, check=True)
    assert "this change edits" not in text(store.run())
    store.record()  # a run that this session adds itself is printed as such
    store.run()
    printed = text(store.run())
    assert "paddle-mt: this change edits 1 baseline, compared with HEAD: " in printed
    assert ".json: 1 -> 2 runs 1 thread: p50 latency 25 -> 25 ms (+0.0%), spread - -> 0.0%;" in printed


def test_other_versions_are_compared_and_said(store: Stored):
    store.record()
    (document,) = store.documents
    document["runs"][0]["versions"]["paddlepaddle"] = "2.6.2"
    del document["digest"], document["runs"][0]["digest"]  # as an earlier version wrote it
    store.files[0].write_text(json.dumps(document))
    result = store.run()
    result.assert_outcomes(passed=1)
    assert "note: other versions than in the latest accepted run: paddlepaddle 2.6.2 -> " in text(result)
    assert "CALIBRATING drift" in text(result)


@pytest.mark.parametrize("arguments", [(), (UPDATE,), (NEW_ONLY,), (REQUIRED,)])
@pytest.mark.fault("baselines", "a file is damaged", "its test fails with what to do; the file stays as it is")
def test_a_damaged_file_fails_its_test_and_is_left_as_it_is(store: Stored, arguments: tuple[str, ...]):
    store.record()
    (path,) = store.files
    damaged = path.read_text()[:-20]
    path.write_text(damaged)
    result = store.run(*arguments)
    result.assert_outcomes(failed=1)
    assert f"{path} is no baseline: it is not JSON" in text(result)
    assert "perhaps cut short; restore it from version control, or delete it and record a new one with" in text(result)
    assert path.read_text() == damaged


@pytest.mark.fault(
    "baselines",
    "a baseline cannot be written (a file stands in its folder's place)",
    "the session fails and says so; that file stays as it was",
)
def test_a_baseline_that_cannot_be_written_fails_the_session_and_says_so(store: Stored):
    (store.suite.path / "baselines").mkdir()
    in_its_place = store.suite.path / "baselines" / machine_key()
    in_its_place.write_text("a file")
    result = store.run(UPDATE)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"ERROR: {in_its_place}" in text(result)
    assert f"could not be written: {in_its_place} is not a directory; its previous content is unchanged" in text(result)
    assert in_its_place.read_text() == "a file"


# Engines and forks.


def test_a_test_has_one_baseline_for_each_engine_however_many_run(store: Stored):
    store.run(UPDATE, "--paddle-engine=adjustable,stays", "--paddle-min-efficiency=0.1").assert_outcomes(passed=2)
    assert [(one["test"], one["engine"]) for one in store.documents] == [
        ("test_it.py::test_it", "adjustable"),
        ("test_it.py::test_it", "stays"),
    ]
    result = store.run("--paddle-engine=stays", "--paddle-min-efficiency=0.1")
    assert "CALIBRATING drift: p50 latency with 1 thread 25 -> 25 ms" in text(result)


def test_the_other_parameters_of_a_test_are_part_of_its_name(store: Stored):
    store.suite.write(
        """
        import pytest

        @pytest.mark.parametrize("size", [1, 2])
        @pytest.mark.paddle_scaling(engine=["adjustable", "stays"], min_efficiency=0.1)
        def test_it(concurrent_runner, size):
            concurrent_runner(None)
        """
    )
    store.run(UPDATE).assert_outcomes(passed=4)
    assert sorted((one["test"], one["engine"]) for one in store.documents) == [
        (f"test_it.py::test_it[{size}]", engine) for size in (1, 2) for engine in ("adjustable", "stays")
    ]


def test_forks_are_recorded_one_by_one_and_write_nothing_themselves(store: Stored):
    store.run(UPDATE, "--paddle-forks=2").assert_outcomes(passed=1)
    (document,) = store.documents
    one, two = document["runs"][0]["points"]
    assert [(fork["fork"], fork["rounds"]) for fork in two["forks"]] == [(1, 3), (2, 3)]
    assert one["peak_rss_bytes"] > 10_000_000
    assert "CALIBRATING drift" in text(store.run("--paddle-forks=2"))


# What belongs to no test.


def unused_line(result: pytest.RunResult) -> str:
    return "".join(line for line in result.outlines if "of no test" in line)


@pytest.fixture
def with_unused(store: Stored) -> Stored:
    """A suite with a baseline of a test that was renamed since."""
    store.record()
    store.suite.write(_TEST.replace("test_it", "test_renamed"))
    return store


@pytest.mark.parametrize("arguments", [(), (".",), (UPDATE,)])
def test_a_baseline_of_no_test_is_named_and_kept(with_unused: Stored, arguments: tuple[str, ...]):
    line = unused_line(with_unused.run(*arguments))
    name = next(path.name for path in with_unused.files if "test_it-test_it-" in path.name)
    assert f"1 baseline of no test: {machine_key()}/{name}; delete what is not needed" in line
    assert name in [path.name for path in with_unused.files]


def test_only_baselines_of_this_machine_are_named(with_unused: Stored):
    (path,) = with_unused.files
    path.parent.rename(path.parent.with_name("another-cpu-64c"))
    assert unused_line(with_unused.run()) == ""


@pytest.mark.parametrize(
    "arguments", [("test_it.py",), ("test_it.py::test_renamed",), ("-k", "renamed"), ("--ignore=other",), ("-x",)]
)
def test_a_run_of_a_part_names_none(with_unused: Stored, arguments: tuple[str, ...]):
    with_unused.suite.write(
        _TEST.replace("test_it", "test_renamed") + "\n    def test_other():\n        assert False\n"
    )
    assert unused_line(with_unused.run(*arguments)) == ""


def test_a_run_with_errors_names_none(with_unused: Stored):
    with_unused.suite.write("import nothing_like_this", "test_broken")
    assert unused_line(with_unused.run("--continue-on-collection-errors")) == ""


def test_a_test_that_is_skipped_or_runs_with_another_engine_has_its_baseline(store: Stored):
    store.suite.write(_TEST + "\n" + _TEST.replace("test_it", "test_other"))
    store.run(UPDATE, "--paddle-engine=adjustable,stays", "--paddle-min-efficiency=0.1").assert_outcomes(passed=4)
    store.suite.write(
        "import pytest\n"
        + (_TEST + "\n    @pytest.mark.skip\n" + _TEST.lstrip("\n").replace("test_it", "test_other")).replace(
            "\n    ", "\n"
        )
    )
    result = store.run()
    result.assert_outcomes(passed=1, skipped=1)
    assert unused_line(result) == ""


# A GPU.


def test_a_gpu_has_a_folder_of_its_own(store: Stored, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(facts, "_gpu_model", lambda number: f"Fake GPU {number}")
    ledger = Ledger(resolve(pytester.parseconfig()), store.suite.path)
    found = ledger.look_up("test", "test", subject(device="gpu:1"), (1, 2), gate=True)
    assert found.path.parent.name.startswith(f"{machine_key()}-fake-gpu-1")

"""What becomes of a test: the plugin as its users meet it, in a small suite of theirs that another pytest runs."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.sessions.bodies import SCALES, STAYS, SWINGS
from tests.suite import Suite, text


def test_a_sweep_that_scales_passes_its_test(suite: Suite):
    suite.write(SCALES)
    result = suite.run()
    result.assert_outcomes(passed=1)
    assert "PASS linear: scaling efficiency with 2 threads is 0.99" in text(result)
    assert "1 of 1 sweep gated" in text(result)


def test_a_sweep_that_does_not_scale_fails_its_test_with_one_table_and_no_traceback(suite: Suite):
    suite.write(STAYS)
    result = suite.run("--junitxml=junit.xml")
    result.assert_outcomes(failed=1)
    failure, _, summary = "\n".join(result.outlines).partition("= FAILURES =")[2].partition("paddle thread scaling")
    assert "linear: scaling efficiency with 2 threads is 0.51" in failure
    assert "below the limit 0.85" in failure
    row = re.compile(r"^ +2 +41\.0 .* fail$", re.MULTILINE)
    assert not row.search(failure)
    assert "threads     QPS  speedup  efficiency" in summary
    assert row.search(summary)
    junit = ElementTree.parse(suite.path / "junit.xml").getroot().findtext(".//failure")
    assert row.search(junit), "who reads the file alone has the table, too"
    assert "repeats the order of the windows" in failure
    for of_a_traceback in ("def test_it", "concurrent_runner(None)", "pytest_paddle_mt/", "Error", "Failed:"):
        assert of_a_traceback not in failure


def test_the_short_summary_says_why_a_test_failed(suite: Suite):
    suite.write(STAYS)
    suite.run("-rf").stdout.fnmatch_lines(["FAILED test_it.py::test_it - GateFailure: linear: scaling efficiency*"])


def test_a_failure_can_be_repeated_with_the_seed_that_it_shows(suite: Suite):
    suite.write(STAYS)
    suite.run("--paddle-seed=42").stdout.fnmatch_lines(["seed 42 (--paddle-seed=42 repeats the order of the windows)"])


def test_a_failure_can_be_expected_with_pytest_raises(suite: Suite):
    suite.write(
        """
        import pytest
        from pytest_paddle_mt import GateFailure

        @pytest.mark.paddle_scaling(engine="stays")
        def test_it(concurrent_runner):
            with pytest.raises(GateFailure, match="efficiency"):
                concurrent_runner(None)
        """
    )
    suite.run().assert_outcomes(passed=1)


def test_except_exception_does_not_swallow_a_failure(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.paddle_scaling(engine="stays")
        def test_it(concurrent_runner):
            try:
                concurrent_runner(None)
            except Exception:
                pass
        """
    )
    suite.run().assert_outcomes(failed=1)


def test_a_failure_satisfies_a_strict_xfail(suite: Suite):
    suite.write(STAYS.replace("@pytest", "@pytest.mark.xfail(strict=True)\n    @pytest"))
    suite.run().assert_outcomes(xfailed=1)


def test_a_pass_breaks_a_strict_xfail(suite: Suite):
    suite.write(SCALES.replace("@pytest", "@pytest.mark.xfail(strict=True)\n    @pytest"))
    suite.run().assert_outcomes(failed=1)


def test_a_failure_lands_in_the_junit_file_with_the_figures(suite: Suite):
    suite.write(STAYS)
    suite.run("--junitxml=junit.xml")
    case = ElementTree.parse(suite.path / "junit.xml").getroot().find(".//testcase")
    assert "scaling efficiency with 2 threads is 0.51" in case.find("failure").get("message")
    properties = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert properties["paddle_mt_status"] == "fail"
    assert float(properties["paddle_mt_qps_2"]) == pytest.approx(41, rel=0.01)
    assert float(properties["paddle_mt_efficiency_2"]) == pytest.approx(0.5125, abs=0.01)


def test_a_user_s_own_assertion_fails_as_everywhere_in_pytest(suite: Suite):
    suite.write(SCALES.replace("> 70", "> 7000"))
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "assert result.at(threads=2).qps > 7000" in text(result)


def test_an_inconclusive_sweep_skips_its_test_after_the_body(suite: Suite):
    suite.write(SWINGS)
    result = suite.run("-rsP", "-s")
    result.assert_outcomes(skipped=1)
    assert "the body went on to its end" in text(result)
    assert "NOT gated: inconclusive: scaling efficiency with 2 threads" in text(result)
    assert "the interval contains the limit 0.85" in text(result)
    assert "1 of 1 sweep NOT gated" in text(result)


def test_an_assertion_after_an_inconclusive_sweep_still_fails_the_test(suite: Suite):
    suite.write(SWINGS + "        assert False, 'of the user'\n")
    result = suite.run()
    result.assert_outcomes(failed=1)
    assert "of the user" in text(result)


def test_too_few_rounds_to_judge_skip_the_test(suite: Suite):
    suite.write(SCALES)
    result = suite.run("--paddle-rounds=1:1", "-rs")
    result.assert_outcomes(skipped=1)
    assert "1 round is too few for an interval" in text(result)


def test_an_inconclusive_sweep_fails_its_test_under_strict(suite: Suite):
    suite.write(SWINGS)
    result = suite.run("--paddle-strict", "-s")
    result.assert_outcomes(failed=1)
    assert "the body went on to its end" in text(result)
    assert "NOT gated: inconclusive" in text(result)
    assert "--paddle-strict makes that a failure" in text(result)


def test_a_sweep_that_is_not_comparable_here_skips_its_test(suite: Suite):
    suite.write(SCALES)
    result = suite.run("--paddle-linear-until=1", "-rs")
    result.assert_outcomes(skipped=1)
    assert "not_comparable: no thread count above one is at or below 1" in text(result)


@pytest.mark.parametrize("engine", ["scales", "stays", "swings"])
@pytest.mark.parametrize("arguments", [(), ("--paddle-strict",)])
def test_without_a_gate_the_outcome_is_the_test_s_own(suite: Suite, engine, arguments):
    suite.write(
        f"""
        import pytest

        @pytest.mark.paddle_scaling(engine="{engine}")
        def test_it(concurrent_runner):
            assert concurrent_runner(None, gate=False).status in ("pass", "fail", "inconclusive")
        """
    )
    result = suite.run(*arguments)
    result.assert_outcomes(passed=1)
    assert "NOT gated" not in text(result)


def test_the_summary_counts_what_was_not_gated(suite: Suite):
    suite.write(
        """
        import pytest

        @pytest.mark.parametrize("one", [
            pytest.param(0, marks=pytest.mark.paddle_scaling(engine="scales")),
            pytest.param(1, marks=pytest.mark.paddle_scaling(engine="swings")),
            pytest.param(2, marks=pytest.mark.paddle_scaling(engine="stays")),
        ])
        def test_it(concurrent_runner, one):
            concurrent_runner(None)
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=1, skipped=1, failed=1)
    assert "1 of 3 sweeps NOT gated" in text(result)


def test_throughput_that_collapses_beyond_linear_until_fails(suite: Suite):
    suite.write(STAYS)
    result = suite.run("--paddle-linear-until=1", "--paddle-max-collapse=0.5")
    result.assert_outcomes(skipped=1)  # collapse passes, and linear has nothing to judge
    assert "PASS collapse: QPS with 2 threads over QPS with 1 thread is 1.02" in text(result)

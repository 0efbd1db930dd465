"""What an installed wheel must do where there is no Paddle: measure with the compiled loop, judge, and report."""

from __future__ import annotations


def test_a_sweep_is_measured_and_judged_and_there_is_no_paddle_in_it(suite):
    suite.ini("paddle-engine = synthetic")
    suite.write("""
        import sys

        from pytest_paddle_mt import SyntheticWork

        def test_work(concurrent_runner):
            before = "paddle" in sys.modules
            result = concurrent_runner(SyntheticWork(spin_ns=50_000), gate=False)
            assert [point.threads for point in result.points] == [1, 2]
            assert ("paddle" in sys.modules) == before
    """)
    suite.run("--paddle-json=results.json")
    (sweep,) = suite.results()
    assert sweep["engine"] == "synthetic"
    assert all(point["qps"] > 0 and point["queries"] > 0 for point in sweep["points"])
    assert "linear" in {verdict["check"] for verdict in sweep["verdicts"]}

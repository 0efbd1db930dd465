"""Small test files of a user's, for sessions to run."""

SCALES = """
    import pytest

    @pytest.mark.paddle_scaling(engine="scales")
    def test_it(concurrent_runner):
        result = concurrent_runner(None)
        assert result.at(threads=2).qps > 70
"""
STAYS = SCALES.replace("scales", "stays").replace("> 70", "> 30")
SWINGS = """
    import pytest

    @pytest.mark.paddle_scaling(engine="swings")
    def test_it(concurrent_runner):
        concurrent_runner(None)
        print("the body went on to its end")
"""
#: Real threads and real time, without Paddle; nothing is judged, as the machine may be busy.
SYNTHETIC = """
    from pytest_paddle_mt import SyntheticWork

    def test_it(concurrent_runner):
        result = concurrent_runner(SyntheticWork(spin_ns=50_000), gate=False)
        assert result.thread_counts == (1, 2)
"""

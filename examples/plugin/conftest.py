"""A small plugin: an engine, a check, a reporter, and a look at every finished sweep."""

import csv
import statistics

from pytest_paddle_mt import SyntheticWork
from pytest_paddle_mt.extending import SyntheticSession, Verdict


class OneAtATimeEngine:
    """A millisecond of work behind one lock: what cannot scale looks like this."""

    name = "one-at-a-time"
    needs_pool = False  # serves no predictors
    takes_query = False  # cannot run a query of the user's own

    def open(self, workload):
        """Start work; the session that this returns measures windows."""
        return SyntheticSession(SyntheticWork(spin_ns=1e6, locked_fraction=1.0), workload.seed)


class FairnessCheck:
    """The slowest thread must serve at least half as many queries per second as the fastest."""

    name = "fairness"

    def judge(self, evidence):
        """One verdict for each thread count above one."""
        return [self._at(evidence, threads) for threads in evidence.thread_counts if threads > 1]

    def _at(self, evidence, threads):
        windows = [visit.window for one in evidence.rounds for visit in one.at(threads)]
        fairness = statistics.median(window.fairness for window in windows)
        return Verdict(
            check=self.name,
            threads=threads,
            status="pass" if fairness >= 0.5 else "fail",
            observed=fairness,
            limit=0.5,
            reason=f"with {threads} threads the slowest serves {fairness:.0%} of what the fastest serves",
        )


class FastestReporter:
    """A line in the summary: the thread count that serves most."""

    name = "fastest"

    def sweep_finished(self, finished):
        """Nothing: the line waits for the summary."""

    def session_finished(self, sweeps, terminal):
        """Write a line for each sweep."""
        for sweep in sweeps:
            best = max(sweep.points, key=lambda point: point.qps)
            terminal.write_line(f"fastest: {sweep.nodeid} with {best.threads} threads, {best.qps:.0f} queries/s")


def pytest_paddle_mt_engines():
    """Engines to add."""
    return [OneAtATimeEngine()]


def pytest_paddle_mt_checks():
    """Checks to add."""
    return [FairnessCheck()]


def pytest_paddle_mt_reporters():
    """Reporters to add."""
    return [FastestReporter()]


def pytest_paddle_mt_sweep_finished(sweep, config):
    """Keep a history of all sweeps, failed ones too."""
    with open(config.rootpath / "sweeps.csv", "a", newline="") as file:
        csv.writer(file).writerows([sweep.nodeid, point.threads, round(point.qps, 1)] for point in sweep.points)

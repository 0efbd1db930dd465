"""What a ledger knows of a test, moved to the ledger of another process."""

from __future__ import annotations

import pickle

import pytest

from pytest_paddle_mt.baselines.ledger import Ledger
from pytest_paddle_mt.plugin.resolve import resolve
from tests.builders import measured, stored, subject, sweep

NODEID = sweep().nodeid


@pytest.fixture
def ledger(pytester):
    """``ledger()``: one of a session that updates baselines."""
    settings = resolve(pytester.parseconfig("--paddle-baseline-update"))
    return lambda: Ledger(settings, pytester.path)


def test_an_offer_is_accepted_by_the_ledger_that_it_was_moved_to_and_by_no_other(ledger, tmp_path):
    worker, controller = ledger(), ledger()
    known = stored(None, accepting=True)
    worker.measured(sweep(), measured(), NODEID, known, complete=True)
    controller.add(pickle.loads(pickle.dumps(worker.take(NODEID))))
    assert worker.take(NODEID) is None
    assert worker.accept_offers(None, lambda _: None)
    assert "no baseline was updated: no test measured anything" in worker.summary_lines()[-1]
    assert controller.accept_offers("for this reason", lambda _: None)
    assert controller.summary_lines() == ["paddle-mt: no baseline was updated: for this reason"]


def test_what_was_refused_is_moved_too_and_a_later_attempt_takes_its_place(ledger):
    worker, controller = ledger(), ledger()
    worker.refuse(NODEID, "it has two sides")
    part = worker.take(NODEID)
    for _ in range(2):
        controller.again(NODEID)
        controller.add(part)
    controller.accept_offers(None, lambda _: None)
    assert controller.summary_lines() == [f"paddle-mt: baseline not updated: {NODEID}: it has two sides"]


def test_a_store_that_failed_in_a_worker_fails_the_session_once(pytester):
    given = ["--paddle-baseline-update-new-only", "--paddle-baselines=file:///dev/null/x"]
    settings = resolve(pytester.parseconfig(*given))
    worker, controller = Ledger(settings, pytester.path), Ledger(settings, pytester.path)
    for _ in range(2):
        known = worker.look_up(NODEID, NODEID, subject(), (1, 2), gate=True)
        worker.measured(sweep(), measured(), NODEID, known, complete=True)
        controller.again(NODEID)
        controller.add(pickle.loads(pickle.dumps(worker.take(NODEID))))
    assert not controller.accept_offers(None, lambda _: None)
    (line,) = controller.summary_lines()
    assert line.startswith("paddle-mt: ERROR: the store of baselines file:///dev/null/x cannot be used: NotADirectory")

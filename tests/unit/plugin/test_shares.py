"""What each worker of pytest-xdist measures with, and how it gets there."""

from __future__ import annotations

import os

import pytest

from pytest_paddle_mt.errors import UsageError
from pytest_paddle_mt.machine.cores import Cores
from pytest_paddle_mt.plugin import shares
from pytest_paddle_mt.plugin.shares import Share
from pytest_paddle_mt.settings import Xdist


@pytest.fixture
def of_workers(monkeypatch, tmp_path):
    """``of_workers("cores", workers=2, cores=4)``: their shares on a machine of such cores and GPUs (fakes)."""

    def given(mode, *, workers=2, cores=4, gpus=0, wanted=(), local=True, dist="load"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
        monkeypatch.setattr(shares, "available_cores", lambda: Cores(affinity=cores, quota=None))
        monkeypatch.setattr(shares, "shares", lambda cpus, *rest: real(cpus, *rest, tmp_path))
        monkeypatch.setattr(shares, "visible_gpus", lambda: tuple(f"fake{number}" for number in range(gpus)))
        return shares.of_workers(Xdist(mode=mode, gpus=wanted), [True] * (workers - 1) + [local], dist)

    real = shares.shares
    return given


def test_each_worker_has_cores_of_its_own(of_workers):
    one, two = of_workers("cores")
    assert (one.cpus, two.cpus, one.gpu, one.missing) == ((0, 1), (2, 3), None, None)


def test_each_worker_has_a_gpu_and_cores_of_its_own(of_workers):
    one, two = of_workers("devices", gpus=2)
    assert [(share.gpu, share.cpus) for share in (one, two)] == [("fake0", (0, 1)), ("fake1", (2, 3))]
    assert one.environment["CUDA_VISIBLE_DEVICES"] == "fake0"


def test_gpus_are_chosen_by_their_numbers(of_workers):
    assert [share.gpu for share in of_workers("devices", gpus=4, wanted=(3, 1))] == ["fake3", "fake1"]
    with pytest.raises(UsageError, match="there is no gpu:2 here, 2 GPUs visible"):
        of_workers("devices", gpus=2, wanted=(0, 2))


def test_one_after_the_other_has_the_whole_machine(of_workers):
    assert [(share.cpus, share.missing, share.facts) for share in of_workers("serial", workers=9)] == [
        ((), None, {})
    ] * 9


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"mode": "cores", "workers": 5}, "5 workers of pytest-xdist share 4 usable cores; give -n 4 or fewer"),
        ({"mode": "devices", "gpus": 1}, "2 workers of pytest-xdist share 1 visible GPU"),
        ({"mode": "serial", "local": False}, "runs in another interpreter or on another machine"),
        ({"mode": "cores", "dist": "each"}, "--dist=each runs every test on every worker"),
        ({"mode": "cores", "dist": "loadgroup"}, "--dist=loadgroup gives tests names of its own"),
    ],
)
def test_a_worker_that_cannot_judge_knows_why(of_workers, asked, reason):
    share = of_workers(**asked)[-1]
    assert reason in share.missing
    assert (share.cpus, share.gpu, share.facts) == ((), None, {})


def test_a_share_says_what_cannot_be_compared_and_who_measured(monkeypatch):
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    share = Share(mode="devices", workers=2, cpus=(2, 3), gpu="fake1")
    assert share.facts == {"xdist": "devices (2 workers)", "measured by": "gw1 on GPU fake1 and CPU 2,3"}


def test_a_worker_keeps_to_its_share_and_what_it_starts_has_none_of_its_own(monkeypatch):
    kept = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, cpus: kept.append((thread, tuple(cpus))))
    share = Share(mode="cores", workers=2, cpus=(2, 3))
    environ = dict(share.environment)
    assert shares.take(environ).cpus == (2, 3)
    assert (os.getpid(), (2, 3)) in kept
    assert environ == {}


def test_cpus_that_the_kernel_refuses_make_smoke_runs(monkeypatch):
    def refuse(*_):
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    share = shares.take(dict(Share(mode="cores", workers=2, cpus=(2, 3)).environment))
    assert share.missing == "CPU 2,3 cannot be used (Invalid argument)"

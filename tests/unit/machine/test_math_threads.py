from __future__ import annotations

import os

from pytest_paddle_mt.machine.math_threads import idle_math_threads, math_libraries, park_idle_math_threads


def test_idle_math_threads_are_parked_if_the_user_has_not_chosen(monkeypatch):
    for name in ("KMP_BLOCKTIME", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "0")  # only what was set is put back
        monkeypatch.delenv(name)
    assert idle_math_threads() == "spinning"
    park_idle_math_threads()
    assert idle_math_threads() == "KMP_BLOCKTIME=0"


def test_a_user_s_own_choice_for_idle_math_threads_stays(monkeypatch):
    monkeypatch.setenv("KMP_BLOCKTIME", "0")
    monkeypatch.delenv("KMP_BLOCKTIME")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    park_idle_math_threads()
    assert "KMP_BLOCKTIME" not in os.environ
    assert idle_math_threads() == "OMP_WAIT_POLICY=active"


def test_variables_that_restrict_math_libraries_are_reported(monkeypatch):
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR"):
        monkeypatch.delenv(name, raising=False)
    assert math_libraries() is None
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert math_libraries() == "ONEDNN_MAX_CPU_ISA=AVX2, MKL_CBWR=AVX2"

"""Facts about a machine, and a key that stays the same."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_paddle_mt.machine import facts
from pytest_paddle_mt.machine.cores import Cores
from pytest_paddle_mt.machine.facts import describe_environment, machine_facts, machine_key


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """The key of a machine with this /proc/cpuinfo and these cores."""

    def key(
        *,
        model: str = "Fake(R) CPU E5-2690 @ 2.60GHz",
        mhz: str = "2600.000",
        flags: str = "",
        cores: int = 2,
        quota: float | None = None,
        smt: str | None = None,
        driver: str | None = None,
        device: str = "cpu",
    ) -> str:
        fake = {
            "cpuinfo": [f"model name\t: {model}", f"cpu MHz\t\t: {mhz}", f"flags\t\t: {flags}"],
            "active": [] if smt is None else [smt],
            "version": [] if driver is None else [driver],
        }
        lines = facts.lines_of
        with monkeypatch.context() as faked:
            faked.setattr(facts, "lines_of", lambda path: fake[path.name] if path.name in fake else lines(path))
            faked.setattr(facts, "available_cores", lambda: Cores(affinity=cores, quota=quota))
            faked.setattr(facts, "_gpu_model", lambda number: f"Fake GPU {number}")
            faked.setattr(facts, "_paddle_built_with", lambda what: {"cuda_version": "12.3"}.get(what))
            found = machine_facts(device)
        return machine_key(found)

    return key


def test_the_machine_key_is_the_processor_and_its_usable_cores(machine):
    assert machine(model="AMD EPYC 7R13 Processor", cores=2) == "amd-epyc-7r13-processor-2c"


def test_the_machine_key_does_not_change_with_the_current_frequency(machine):
    assert machine(mhz="2600.000") == machine(mhz="3100.123")


def test_the_machine_key_changes_with_the_usable_cores(machine):
    assert machine(cores=2) != machine(cores=4)


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ("sse4_1 avx avx2 fma", "avx2"),
        ("sse4_1 avx avx2 avx_vnni", "avx2-vnni"),
        ("avx2 avx512f avx512bw avx512vl avx512dq", "avx512"),
        ("avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni", "avx512-vnni"),
        ("avx512f avx512_vnni avx512_bf16 amx_tile amx_int8", "amx"),
        ("sse4_1", "sse4"),
        ("fpu", None),
    ],
)
def test_the_machine_key_changes_with_the_best_instruction_set(machine, flags: str, named: str | None):
    plain = machine(model="Fake", flags="")
    assert machine(model="Fake", flags=flags) == (plain if named is None else f"fake-{named}-2c")


def test_the_machine_key_changes_with_quota_and_smt(machine):
    assert machine(model="Fake", cores=8, quota=2.5) == "fake-2c-quota2-5"
    assert machine(model="Fake", smt="1") == "fake-2c-smt"
    assert machine(model="Fake", smt="0") == machine(model="Fake", smt=None) == "fake-2c"


def test_the_machine_key_of_a_gpu_has_the_gpu_its_driver_and_what_paddle_was_built_with(machine):
    key = machine(model="Fake", device="gpu:1", driver="560.35.05")
    assert key == "fake-2c-fake-gpu-1-driver560-35-05-cuda12-3"
    assert machine(model="Fake", driver="560.35.05") == "fake-2c"


def test_a_gpu_that_is_not_there_has_no_name():
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("there is one")
    assert machine_facts("gpu:0")["gpu_model"] is None


def test_what_paddle_was_built_with_is_read_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    version = tmp_path / "paddle" / "version" / "__init__.py"
    version.parent.mkdir(parents=True)
    (tmp_path / "paddle" / "__init__.py").write_text("raise ImportError('it was imported')")
    version.write_text("cuda_version    = '12.3'\ncudnn_version   = 'False'\n")
    monkeypatch.setitem(sys.modules, "paddle", None)
    monkeypatch.delitem(sys.modules, "paddle")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = machine_facts("gpu:0")
    assert (found["cuda"], found["cudnn"]) == ("12.3", None)


def test_the_machine_key_can_be_a_file_name(machine):
    key = machine(model="Fake(R) CPU/X, 8-Core  @ 2.60GHz")
    assert key == "fake-r-cpu-x-8-core-2-60ghz-2c"


def test_the_machine_key_contains_no_host_name(monkeypatch):
    before = machine_key()
    monkeypatch.setattr(platform, "node", lambda: "another-host")
    assert machine_key() == before
    assert platform.uname().node.lower() not in before


def test_the_machine_key_is_the_same_at_every_call():
    assert machine_key() == machine_key()


def test_the_facts_of_the_environment_contain_neither_host_name_nor_user(monkeypatch):
    monkeypatch.setenv("USER", "somebody-in-particular")
    found = describe_environment()
    assert found["machine_key"] == machine_key()
    assert platform.node() not in map(str, found.values())
    assert "somebody-in-particular" not in map(str, found.values())

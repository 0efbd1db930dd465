"""The machine: cores by affinity and quota, and a name that stays."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_paddle_mt.machine import facts
from pytest_paddle_mt.machine.cores import Cores, _cgroup_quota, _physical_cores, available_cores
from pytest_paddle_mt.machine.facts import describe_environment, machine_facts, machine_key
from pytest_paddle_mt.machine.math_threads import idle_math_threads, math_libraries, park_idle_math_threads
from pytest_paddle_mt.machine.noise import NoiseSensor
from pytest_paddle_mt.machine.versions import installed_version


class FakeSystem:
    """A tree as in /sys/fs/cgroup and /proc, for a process in cgroups of the test's choice."""

    def __init__(self, root: Path) -> None:
        self.root = root / "cgroup"
        self.root.mkdir()
        self._membership = root / "membership"

    def belongs_to(self, *lines: str) -> None:
        """Write /proc/self/cgroup."""
        self._membership.write_text("".join(f"{line}\n" for line in lines))

    def write(self, path: str, text: str) -> None:
        """Write a file of a cgroup."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def quota(self) -> float | None:
        """What is read from the tree."""
        return _cgroup_quota(self.root, self._membership)


@pytest.fixture
def system(tmp_path: Path) -> FakeSystem:
    return FakeSystem(tmp_path)


def test_a_version_2_quota_is_read_in_cores(system):
    system.belongs_to("0::/job")
    system.write("job/cpu.max", "150000 100000")
    assert system.quota() == 1.5


def test_a_version_2_quota_of_max_is_none(system):
    system.belongs_to("0::/job")
    system.write("job/cpu.max", "max 100000")
    assert system.quota() is None


def test_a_version_2_quota_without_a_period_has_the_kernel_s_default(system):
    system.belongs_to("0::/job")
    system.write("job/cpu.max", "200000")
    assert system.quota() == 2.0


def test_the_quota_of_a_group_further_up_binds_as_well(system):
    system.belongs_to("0::/slice/service/job")
    system.write("slice/cpu.max", "100000 100000")
    system.write("slice/service/cpu.max", "400000 100000")
    system.write("slice/service/job/cpu.max", "max 100000")
    assert system.quota() == 1.0


def test_in_a_container_the_quota_stands_at_the_mount_itself(system):
    # the path is the host's, and not to be seen from inside
    system.belongs_to("0::/docker/0123456789abcdef")
    system.write("cpu.max", "300000 100000")
    assert system.quota() == 3.0


@pytest.mark.parametrize("mount", ["cpu", "cpu,cpuacct"])
def test_a_version_1_quota_is_read_in_cores(system, mount):
    system.belongs_to("5:memory:/job", "4:cpu,cpuacct:/job")
    system.write(f"{mount}/job/cpu.cfs_quota_us", "250000")
    system.write(f"{mount}/job/cpu.cfs_period_us", "100000")
    assert system.quota() == 2.5


def test_a_version_1_quota_of_minus_one_is_none(system):
    system.belongs_to("4:cpu:/job")
    system.write("cpu/job/cpu.cfs_quota_us", "-1")
    system.write("cpu/job/cpu.cfs_period_us", "100000")
    assert system.quota() is None


def test_a_controller_whose_name_only_begins_with_cpu_has_no_quota(system):
    system.belongs_to("4:cpuset:/job")
    system.write("cpu/job/cpu.cfs_quota_us", "100000")
    system.write("cpu/job/cpu.cfs_period_us", "100000")
    assert system.quota() is None


def test_where_both_versions_are_mounted_the_smaller_quota_binds(system):
    system.belongs_to("4:cpu:/job", "0::/job")
    system.write("job/cpu.max", "400000 100000")
    system.write("cpu/job/cpu.cfs_quota_us", "200000")
    system.write("cpu/job/cpu.cfs_period_us", "100000")
    assert system.quota() == 2.0


def test_a_path_with_a_colon_is_read_whole(system):
    system.belongs_to("0::/pod:7/job")
    system.write("pod:7/job/cpu.max", "100000 100000")
    assert system.quota() == 1.0


def test_a_system_without_cgroups_has_no_quota(tmp_path):
    assert _cgroup_quota(tmp_path / "absent", tmp_path / "absent") is None


def test_usable_cores_are_the_smaller_of_affinity_and_quota():
    assert Cores(affinity=8, quota=2.0).usable == 2
    assert Cores(affinity=2, quota=8.0).usable == 2
    assert Cores(affinity=4, quota=None).usable == 4


def test_a_part_of_a_core_is_not_usable_as_a_core():
    assert Cores(affinity=8, quota=2.9).usable == 2


def test_there_is_always_one_usable_core():
    assert Cores(affinity=8, quota=0.5).usable == 1


def test_hardware_threads_of_one_core_are_one_core():
    assert Cores(affinity=8, quota=None, physical=4).usable == 4
    assert Cores(affinity=8, quota=3.5, physical=4).usable == 3
    assert Cores(affinity=8, quota=6.0, physical=4).usable == 4
    assert Cores(affinity=2, quota=None, physical=2).usable == 2


@pytest.mark.parametrize(
    ("siblings", "cores"),
    [
        ({0: "0", 1: "1"}, 2),
        ({0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5"}, 2),
        ({0: "0-1", 1: "0-1", 2: "2-3"}, 2),
        ({0: "0-1", 1: None}, None),
        ({0: ""}, None),
    ],
)
def test_siblings_are_counted_as_the_core_that_they_share(tmp_path, siblings, cores):
    for cpu, text in siblings.items():
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        if text is not None:
            (topology / "thread_siblings_list").write_text(text and f"{text}\n")
    assert _physical_cores(siblings, tmp_path) == cores


def test_the_text_says_what_limits_the_cores():
    assert Cores(affinity=4, quota=None).text == "4 usable cores"
    assert Cores(affinity=1, quota=None).text == "1 usable core"
    assert Cores(affinity=8, quota=2.5).text == "2 usable cores (CPU quota 2.5 of 8)"
    assert Cores(affinity=8, quota=None, physical=4).text == "4 usable cores (8 hardware threads of 4)"
    assert Cores(affinity=4, quota=None, physical=4).text == "4 usable cores"
    assert Cores(affinity=8, quota=2.5, physical=4).text == (
        "2 usable cores (8 hardware threads of 4; CPU quota 2.5 of 8)"
    )


@pytest.fixture
def one_core() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_core")
def test_cores_outside_the_affinity_are_not_counted():
    assert available_cores().affinity == 1
    assert available_cores().usable == 1


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
        said = {
            "cpuinfo": [f"model name\t: {model}", f"cpu MHz\t\t: {mhz}", f"flags\t\t: {flags}"],
            "active": [] if smt is None else [smt],
            "version": [] if driver is None else [driver],
        }
        lines = facts.lines_of
        with monkeypatch.context() as faked:
            faked.setattr(facts, "lines_of", lambda path: said[path.name] if path.name in said else lines(path))
            faked.setattr(facts, "available_cores", lambda: Cores(affinity=cores, quota=quota))
            faked.setattr(facts, "_gpu_model", lambda number: f"Fake GPU {number}")
            faked.setattr(facts, "_paddle_built_with", lambda what: {"cuda_version": "12.3"}.get(what))
            found = machine_facts(device)
        return machine_key(found)

    return key


def test_the_machine_key_is_the_processor_and_its_usable_cores(machine):
    assert machine(model="AMD EPYC 7R13 Processor", cores=2) == "amd-epyc-7r13-processor-2c"


def test_the_machine_key_does_not_change_with_the_frequency_of_the_moment(machine):
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


def test_the_machine_key_is_fit_for_a_file_name(machine):
    key = machine(model="Fake(R) CPU/X, 8-Core  @ 2.60GHz")
    assert key == "fake-r-cpu-x-8-core-2-60ghz-2c"


def test_the_machine_key_holds_no_host_name(monkeypatch):
    before = machine_key()
    monkeypatch.setattr(platform, "node", lambda: "another-host")
    assert machine_key() == before
    assert platform.uname().node.lower() not in before


def test_the_machine_key_is_the_same_at_every_call():
    assert machine_key() == machine_key()


def test_the_facts_of_the_environment_hold_neither_host_name_nor_user(monkeypatch):
    monkeypatch.setenv("USER", "somebody-in-particular")
    found = describe_environment()
    assert found["machine_key"] == machine_key()
    assert platform.node() not in map(str, found.values())
    assert "somebody-in-particular" not in map(str, found.values())


def test_a_version_that_is_not_installed_is_none():
    assert installed_version("no-such-distribution-anywhere") is None


def test_idle_math_threads_are_parked_unless_the_user_said_otherwise(monkeypatch):
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


def test_what_was_said_of_the_math_libraries_is_known(monkeypatch):
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR"):
        monkeypatch.delenv(name, raising=False)
    assert math_libraries() is None
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert math_libraries() == "ONEDNN_MAX_CPU_ISA=AVX2, MKL_CBWR=AVX2"


def test_a_noise_sensor_sees_the_cpu_time_of_this_process():
    sensor = NoiseSensor()
    spent = sum(range(200_000))
    noise = sensor.read()
    assert spent > 0
    assert noise.process_cpu_ns > 0
    assert noise.wall_ns > 0
    assert noise.steal_ns is None or noise.steal_ns >= 0


def test_a_noise_sensor_knows_the_most_memory_that_this_process_has_had():
    before = NoiseSensor().read().peak_rss_bytes
    held = bytearray(b"x") * 50_000_000
    after = NoiseSensor().read().peak_rss_bytes
    assert len(held) == 50_000_000
    assert before is not None
    assert after is not None
    assert after >= before
    assert after > 50_000_000


def test_the_memory_of_a_process_is_not_that_of_the_one_that_started_it():
    """What getrusage says of a new process begins with what its parent had."""
    held = bytearray(b"x") * 200_000_000
    program = "from pytest_paddle_mt.machine.noise import _peak_rss_bytes; print(_peak_rss_bytes())"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert len(held) == 200_000_000
    assert int(printed) < 150_000_000

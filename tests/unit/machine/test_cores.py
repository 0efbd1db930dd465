"""The cores that this process may use, by affinity, hardware threads and quota."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_paddle_mt.machine.cores import Cores, _cgroup_quota, _physical_cores, available_cores


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


def test_in_a_container_the_quota_is_read_at_the_mount_itself(system):
    # the path is the host's, which cannot be seen from inside
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


@pytest.mark.parametrize("refused", ["/proc/self/cgroup", "/sys/fs/cgroup"])
@pytest.mark.fault("machine", "cgroups cannot be read", "the cores are those of the affinity")
def test_where_cgroups_may_not_be_read_the_cores_are_those_of_the_affinity(monkeypatch, refused):
    read_text = Path.read_text

    def denied(path: Path, *arguments: str) -> str:
        if str(path).startswith(refused):
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_text(path, *arguments)

    monkeypatch.setattr(Path, "read_text", denied)  # root reads everything
    cores = available_cores()
    assert (cores.affinity, cores.quota) == (len(os.sched_getaffinity(0)), None)


def test_usable_cores_are_the_smaller_of_affinity_and_quota():
    assert Cores(affinity=8, quota=2.0).usable == 2
    assert Cores(affinity=2, quota=8.0).usable == 2
    assert Cores(affinity=4, quota=None).usable == 4


def test_a_part_of_a_core_is_not_usable_as_a_core():
    assert Cores(affinity=8, quota=2.9).usable == 2


@pytest.mark.fault("machine", "a container has less than one core", "it counts as one")
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


def test_the_text_names_what_limits_the_cores():
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

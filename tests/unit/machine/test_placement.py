"""In which order CPUs are used, and which windows get which of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_paddle_mt.machine.placement import Turns, in_order_of_use, shares


def machine(root: Path, *cores: str, nodes: dict[int, str] | None = None) -> Path:
    """A tree as in /sys/devices/system/cpu: the hardware threads of each core, and the CPUs of each NUMA node."""
    for siblings in cores:
        for cpu in siblings.split(","):
            (root / f"cpu{cpu}" / "topology").mkdir(parents=True)
            (root / f"cpu{cpu}" / "topology" / "thread_siblings_list").write_text(f"{siblings}\n")
    for node, cpus in (nodes or {}).items():
        for cpu in cpus.split(","):
            (root / f"cpu{cpu}" / f"node{node}").mkdir()
    return root


def test_one_hardware_thread_of_each_core_comes_first(tmp_path):
    root = machine(tmp_path, "0,1", "2,3", "4,5")
    assert in_order_of_use(range(6), root) == ((0, 2, 4, 1, 3, 5), 3)


def test_hardware_threads_that_may_not_be_used_do_not_count(tmp_path):
    root = machine(tmp_path, "0,4", "1,5", "2,6", "3,7")
    assert in_order_of_use({1, 3, 4, 7}, root) == ((1, 3, 4, 7), 3)


def test_a_node_is_filled_before_the_next_one_and_the_largest_comes_first(tmp_path):
    root = machine(tmp_path, *"012345", nodes={0: "0,2,4", 1: "1,3,5"})
    assert in_order_of_use({0, 1, 2, 3, 5}, root) == ((1, 3, 5, 0, 2), 5)


def test_cores_of_the_second_node_come_before_hardware_threads_of_the_first(tmp_path):
    root = machine(tmp_path, "0,4", "1,5", "2,6", "3,7", nodes={0: "0,1,4,5", 1: "2,3,6,7"})
    assert in_order_of_use(range(8), root) == ((0, 1, 2, 3, 4, 5, 6, 7), 4)


def test_packages_stand_in_for_nodes_that_the_kernel_does_not_report(tmp_path):
    root = machine(tmp_path, *"0123")
    for cpu in range(4):
        (root / f"cpu{cpu}" / "topology" / "physical_package_id").write_text(f"{cpu % 2}\n")
    assert in_order_of_use(range(4), root) == ((0, 2, 1, 3), 4)


def test_cpus_that_the_kernel_says_nothing_about_are_cores(tmp_path):
    assert in_order_of_use({3, 1}, tmp_path) == ((1, 3), 2)


def test_windows_of_one_thread_go_round_the_cores_that_many_threads_use():
    turns = Turns((0, 2, 4, 6, 1, 3, 5, 7), 4, (1, 2, 3))
    assert [turns.next(1) for _ in range(5)] == [(0,), (2,), (4,), (0,), (2,)]
    assert [turns.next(2) for _ in range(3)] == [(0, 2), (4, 0), (2, 4)]
    assert sorted(turns.next(3)) == [0, 2, 4]


def test_both_sides_of_a_comparison_go_round_by_themselves():
    turns = Turns((0, 1), 2, (1, 2))
    assert [turns.next(1, side) for side in ("this", "other", "other", "this")] == [(0,), (0,), (1,), (1,)]


def test_threads_beyond_the_cores_get_the_other_hardware_threads():
    turns = Turns((0, 2, 1, 3), 2, (1, 2, 3, 4))
    assert [turns.next(threads) for threads in (3, 4)] == [(0, 2, 1), (0, 2, 1, 3)]


def test_threads_beyond_the_cpus_may_use_all_of_them():
    assert Turns((0, 2), 2, (1, 2, 4)).next(4) == (0, 2)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_without_cpus_nothing_is_placed(threads):
    assert Turns((), 0, (1, 2, 5)).next(threads) == ()


# Shares of several processes


def test_shares_are_of_whole_cores_on_one_node_and_equal(tmp_path):
    root = machine(tmp_path, "0,6", "1,7", "2,8", "3,9", "4,10", nodes={0: "0,2,4,6,8,10", 1: "1,3,7,9"})
    assert shares({*range(5), *range(6, 11)}, 2, 5, root) == [(0, 2, 6, 8), (1, 4, 7, 10)]


def test_shares_are_no_larger_together_than_a_quota(tmp_path):
    root = machine(tmp_path, *"01234567")
    assert shares(range(8), 2, 5, root) == [(0, 1), (2, 3)]


def test_fewer_cores_than_shares_are_not_shared(tmp_path):
    assert shares({3, 5}, 3, 2, machine(tmp_path, *"35")) == [(), (), ()]

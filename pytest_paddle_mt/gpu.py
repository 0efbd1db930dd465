"""What a GPU did while a window was measured: a frozen record, made by ``machine/gpu.py``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Why a card clocks itself down, by the bit that NVML gives each reason.
CLOCK_EVENTS: dict[int, str] = {
    0x01: "idle",
    0x02: "application_clocks",
    0x04: "power_cap",
    0x08: "hw_slowdown",
    0x10: "sync_boost",
    0x20: "sw_thermal",
    0x40: "hw_thermal",
    0x80: "hw_power_brake",
    0x100: "display_clocks",
}
#: Those of them that disturb a measurement, since they pass. A card at its power cap does what it can, run after run.
DISTURBING = frozenset({"hw_slowdown", "sw_thermal", "hw_thermal", "hw_power_brake"})

#: Other processes that use more than this share of the GPU's time share it.
_SHARED = 0.05


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GpuLoad:
    """What NVML said of a GPU while a window was open. None where this card, driver or container does not say."""

    readings: int  #: How often it was asked.
    #: Share of the time in which at least one kernel ran, on however few cores of the GPU; None also where the load was
    #: younger than the time over which NVML averages.
    utilisation: float | None = None
    memory_bytes: int | None = None  #: Memory in use on the device, by all processes: the largest.
    sm_clock_mhz: float | None = None  #: Clock of the cores: the mean.
    max_sm_clock_mhz: float | None = None
    power_w: float | None = None  #: The mean.
    power_limit_w: float | None = None
    temperature_c: float | None = None  #: The highest.
    clock_events: tuple[str, ...] = ()  #: Names of ``CLOCK_EVENTS`` that were seen, in order.
    other_processes: int | None = None  #: Processes of others that compute on the device.
    other_utilisation: float | None = None  #: The part of the utilisation that is theirs.

    @property
    def clock_share(self) -> float | None:
        """The clock over the largest one."""
        if self.sm_clock_mhz is None or not self.max_sm_clock_mhz:
            return None
        return self.sm_clock_mhz / self.max_sm_clock_mhz

    @property
    def throttled(self) -> bool:
        """Whether heat or a fault of the power supply clocked it down."""
        below = self.clock_share is None or self.clock_share < 1
        return below and not DISTURBING.isdisjoint(self.clock_events)

    @property
    def shared(self) -> bool:
        """Whether other processes computed on it; where their share is unknown, whether there are any."""
        if self.other_utilisation is not None:
            return self.other_utilisation > _SHARED
        return bool(self.other_processes)

    @property
    def text(self) -> str:
        """All of it in a few words each, human-readable."""
        known = (
            None if self.utilisation is None else f"busy {self.utilisation:.0%} of the time",
            _of(self.sm_clock_mhz, self.max_sm_clock_mhz, "MHz"),
            _of(self.power_w, self.power_limit_w, "W"),
            None if self.temperature_c is None else f"{self.temperature_c:.0f} C",
            None if self.memory_bytes is None else f"{self.memory_bytes / 1e9:.1f} GB in use",
            f"clock events {', '.join(self.clock_events)}" if self.clock_events else None,
            f"{self.other_processes} other processes" if self.other_processes else None,
        )
        return ", ".join(one for one in known if one is not None)


def together(loads: Sequence[GpuLoad]) -> GpuLoad | None:
    """Several windows as one: means of means, the largest of what grows, every clock event; None without a window."""
    if not loads:
        return None

    def of_all(name: str, merge: Any) -> Any:
        known = [value for one in loads if (value := getattr(one, name)) is not None]
        return merge(known) if known else None

    means = ("utilisation", "sm_clock_mhz", "power_w", "other_utilisation")
    most = ("memory_bytes", "max_sm_clock_mhz", "power_limit_w", "temperature_c", "other_processes")
    seen = {event for one in loads for event in one.clock_events}
    return GpuLoad(
        readings=sum(one.readings for one in loads),
        clock_events=tuple(name for name in CLOCK_EVENTS.values() if name in seen),
        **{name: of_all(name, lambda known: sum(known) / len(known)) for name in means},
        **{name: of_all(name, max) for name in most},
    )


def as_dict(load: GpuLoad | None) -> dict[str, Any] | None:
    """For the results file."""
    return None if load is None else {**asdict(load), "clock_events": list(load.clock_events)}


def of_dict(found: Mapping[str, Any]) -> GpuLoad:
    """The inverse of ``as_dict``; members that this version does not know are left out."""
    names = {field.name for field in fields(GpuLoad)}
    return GpuLoad(**{name: value for name, value in found.items() if name in names})


def _of(value: float | None, limit: float | None, unit: str) -> str | None:
    if value is None:
        return None
    return f"{value:.0f} {unit}" if limit is None else f"{value:.0f} of {limit:.0f} {unit}"

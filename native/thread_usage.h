// What the kernel counts of one thread. Linux only.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace paddle_mt {

// Readings of the counters, or what was added to them between two readings.
struct ThreadUsage {
  std::int64_t wall_ns = 0;
  std::int64_t cpu_ns = 0;
  std::int64_t system_ns = 0;  // the part of cpu_ns that was the kernel's
  std::int64_t minor_faults = 0;
  std::int64_t voluntary_switches = 0;
  std::int64_t involuntary_switches = 0;
  std::optional<std::int64_t> run_delay_ns;  // ready to run without a core; nullopt: this kernel does not count it
  std::vector<int> cpus;                     // those that it may run on, at the last reading
};

// Reads the counters of the calling thread.
ThreadUsage usage_of_this_thread();

// What a thread used from the first reading to the second.
ThreadUsage used_between(const ThreadUsage& before, const ThreadUsage& after);

}  // namespace paddle_mt

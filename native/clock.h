// The clock of every timestamp: CLOCK_MONOTONIC, which Python's time.monotonic_ns() reads too.
#pragma once

#include <time.h>

#include <cstdint>

namespace paddle_mt {

inline std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

inline std::int64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return nanoseconds(now);
}

}  // namespace paddle_mt

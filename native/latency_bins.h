// Log-linear latency bins: 128 per power of two, so that a bin's centre is within 0.4 % of every latency in it.
// The same layout as pytest_paddle_mt/statistics/latency.py, which a test compares with this one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace paddle_mt {

constexpr std::size_t kLatencyBins =
    std::size_t{36} * 128;  // up to 2^42 ns, 73 minutes; longer ones go to the last bin

inline std::size_t latency_bin(std::int64_t latency_ns) {
  const auto value = static_cast<std::uint64_t>(latency_ns < 0 ? 0 : latency_ns);
  if (value < 256) return static_cast<std::size_t>(value);
  const int shift = 63 - __builtin_clzll(value) - 7;
  const std::size_t bin = static_cast<std::size_t>(shift) * 128 + static_cast<std::size_t>(value >> shift);
  return bin < kLatencyBins ? bin : kLatencyBins - 1;
}

}  // namespace paddle_mt

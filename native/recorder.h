// Writes down the queries that one thread counts in one window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "latency_bins.h"

namespace paddle_mt {

struct CountedQueries {
  std::uint64_t queries = 0;
  std::int64_t first_completion_ns = 0;
  std::int64_t last_completion_ns = 0;
  std::int64_t busy_ns = 0;  // sum of latencies
  // Start and end of each counted query, monotonic; empty once there were too many to keep.
  std::vector<std::int64_t> starts_ns;
  std::vector<std::int64_t> ends_ns;
  // Queries per latency bin (latency_bins.h); empty while every query is kept.
  std::vector<std::int64_t> bins;
};

// Buffers keep their size, and their touched pages, from window to window. Between two counted queries nothing is
// allocated. Once in a window, at the first query that cannot be kept, all that were kept are put into bins: that
// delays the next query by a few ns for each of them.
class Recorder {
 public:
  void reset(std::size_t capacity) {
    if (starts_.size() < capacity) {
      starts_.assign(capacity, 0);  // touches the pages now, not between two queries
      ends_.assign(capacity, 0);
    }
    bins_.assign(kLatencyBins, 0);
    capacity_ = capacity;
    stored_ = 0;
    binning_ = false;
    queries_ = 0;
    busy_ns_ = 0;
  }

  void add(std::int64_t start_ns, std::int64_t end_ns) {
    if (queries_ == 0) first_completion_ns_ = end_ns;
    last_completion_ns_ = end_ns;
    busy_ns_ += end_ns - start_ns;
    ++queries_;
    if (stored_ < capacity_) {
      starts_[stored_] = start_ns;
      ends_[stored_] = end_ns;
      ++stored_;
      return;
    }
    if (!binning_) start_binning();
    ++bins_[latency_bin(end_ns - start_ns)];
  }

  std::uint64_t queries() const { return queries_; }

  CountedQueries counted() const {
    CountedQueries counted;
    counted.queries = queries_;
    counted.first_completion_ns = first_completion_ns_;
    counted.last_completion_ns = last_completion_ns_;
    counted.busy_ns = busy_ns_;
    if (binning_) {
      counted.bins = bins_;
    } else {
      counted.starts_ns.assign(starts_.begin(), starts_.begin() + static_cast<std::ptrdiff_t>(stored_));
      counted.ends_ns.assign(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(stored_));
    }
    return counted;
  }

 private:
  void start_binning() {
    binning_ = true;
    for (std::size_t i = 0; i < stored_; ++i) ++bins_[latency_bin(ends_[i] - starts_[i])];
  }

  std::vector<std::int64_t> starts_;
  std::vector<std::int64_t> ends_;
  std::vector<std::int64_t> bins_;
  std::size_t capacity_ = 0;
  std::size_t stored_ = 0;
  bool binning_ = false;
  std::uint64_t queries_ = 0;
  std::int64_t first_completion_ns_ = 0;
  std::int64_t last_completion_ns_ = 0;
  std::int64_t busy_ns_ = 0;
};

}  // namespace paddle_mt

// What a closed loop drives: one virtual call per query.
#pragma once

#include <cstddef>
#include <cstdint>

namespace paddle_mt {

// A target belongs to one thread at a time: only that thread calls it while a window runs.
class Target {
 public:
  virtual ~Target() = default;

  // Called by the measuring thread before it warms up for a window of `threads` threads.
  virtual void begin_window(std::size_t threads) { (void)threads; }

  // Serves one query. `index` counts this thread's queries in this window from 0, warm-up included. May throw.
  virtual void query(std::uint64_t index) = 0;

  // Called between two queries until the thread is steady, so never in a window: looks at what that query answered.
  virtual void check(std::uint64_t index) { (void)index; }
};

}  // namespace paddle_mt

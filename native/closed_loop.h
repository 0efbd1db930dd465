// A closed loop over a set of targets, one C++ thread each. Knows neither Python nor Paddle.
//
// Guarantees
//   * Thread i drives target i and nothing else does. Threads live as long as the loop, so a target always meets the
//     thread that warmed it up.
//   * A window opens when all of its threads are steady (warmed up) and closes while all of them still run; only
//     queries that start and complete between the two are counted.
//   * Nothing is shared between threads on the path of a query but one read-mostly flag: slot i is written by thread i
//     while a window runs and read by the caller after that thread has reported the window finished.
//   * measure() returns or throws only when no query is running any more. After a failure or an interruption nothing
//     of that window is returned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "recorder.h"
#include "target.h"
#include "thread_usage.h"

namespace paddle_mt {

struct WindowPlan {
  std::int64_t window_ns = 0;
  std::uint64_t min_queries = 0;  // per thread
  std::int64_t warmup_ns = 0;
  std::uint64_t warmup_queries = 0;  // per thread
  std::size_t max_stored = 0;        // queries kept with their timestamps, all threads together
};

// What one thread counted, and what it used from when it first saw the window open to when it saw it closed.
struct ThreadRecord : CountedQueries, ThreadUsage {};

struct Failure {
  std::size_t thread = 0;
  std::uint64_t query = 0;
  std::string message;
};

struct WindowRecord {
  std::int64_t opened_ns = 0;
  std::int64_t closed_ns = 0;
  std::vector<ThreadRecord> threads;  // empty when a query failed
  std::optional<Failure> failure;
};

class ClosedLoop {
 public:
  explicit ClosedLoop(std::vector<std::shared_ptr<Target>> targets);
  ~ClosedLoop();  // joins every thread
  ClosedLoop(const ClosedLoop&) = delete;
  ClosedLoop& operator=(const ClosedLoop&) = delete;

  std::size_t size() const;

  // Measures one window with the first `threads` targets. `keep_going` is called by the caller's thread every 50 ms;
  // false stops the window, and measure() returns nullopt. Throws std::invalid_argument for a thread count that is 0 or
  // above size(), std::logic_error after close(), std::runtime_error when a thread cannot be started.
  std::optional<WindowRecord> measure(std::size_t threads, const WindowPlan& plan,
                                      const std::function<bool()>& keep_going);

  // Joins every thread; the loop cannot measure afterwards. Safe to call twice.
  void close();

 private:
  class Crew;
  std::unique_ptr<Crew> crew_;
};

}  // namespace paddle_mt

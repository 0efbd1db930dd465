// A closed loop over a set of targets, one C++ thread each. Knows neither Python nor Paddle.
//
// Guarantees
//   * Thread i drives target i and nothing else does. Threads live as long as the loop, so a target always meets the
//     thread that warmed it up.
//   * A window opens some queries after all of its threads are steady (warmed up). How long it lasts is fixed before it
//     opens; only where a thread has not completed min_queries by then, it goes on until every thread has, or until one
//     that starves has held the others up for too long. Queries that start and complete inside are counted. A processor
//     may read the clock and the time of the close in either order, so the timestamp of a counted query's end may lie
//     some ns after closed_ns; the tests allow a microsecond.
//   * The queries under way when it opens and when it closes are reported with their timestamps. Threads issue queries
//     until the last of those has completed, so each of them ran under the load of the window; for 0.3 s or 20 mean
//     queries of the fastest thread at the longest. What a target holds after a window is its last query's, which ran
//     under that load too.
//   * Nothing is shared between threads on the path of a query but a flag and a time, both read-mostly. Slot i is
//     written by thread i while a window runs, and read by the caller after that thread has finished the window.
//   * measure() returns or throws only when no query is running any more. After a failure, an interruption or a close()
//     nothing of that window is returned.
//   * One thread at a time calls measure(); another one is refused. close() may be called from any thread: it stops the
//     window that runs, waits for its measure() to return, and joins every thread, which takes as long as the queries
//     that run. Neither can be called from `poll`, inside measure(): both are refused there, as they would wait for
//     themselves.
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
  std::uint64_t min_queries = 0;       // per thread; 0: it lasts its time, whatever completes in it
  std::uint64_t expected_queries = 0;  // the window lasts as long as these take in a thread, by the warm-up of all
  std::int64_t warmup_ns = 0;
  std::uint64_t warmup_queries = 0;  // per thread
  std::size_t max_stored = 0;        // queries kept with their timestamps, all threads together
  // From its first query to the end of the window, thread i runs on cpus[i]; on any of them where there are fewer of
  // them than threads. Empty: wherever the scheduler has it run.
  std::vector<int> cpus;
};

// Start and end of a query, monotonic; both 0 where there was none.
struct Interval {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

// What one thread counted, and what it used from about when the window opened to when it had completed its last query.
struct ThreadRecord : CountedQueries, ThreadUsage {
  Interval at_opening;               // the query that was under way when the window opened
  Interval at_closing;               // the query that ended first after it closed; it may have started after that too
  std::int64_t served_until_ns = 0;  // when it stopped to keep up the load of the others
  std::uint64_t served = 0;          // all of its queries, those of the warm-up and after the close too
  bool pinned = false;               // whether it still had the CPUs of the plan when the window had closed
};

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
  // Throws std::invalid_argument for a target that is null.
  explicit ClosedLoop(std::vector<std::shared_ptr<Target>> targets);
  ~ClosedLoop();  // joins every thread; nobody may be in measure() or close() any more
  ClosedLoop(const ClosedLoop&) = delete;
  ClosedLoop& operator=(const ClosedLoop&) = delete;

  std::size_t size() const;

  // Measures one window with the first `threads` targets. `poll` is called by the caller's thread every 50 ms; what it
  // throws stops the window and is thrown on, as soon as no query is running any more.
  // Throws std::invalid_argument for a thread count that is 0 or above size(), for a window of no time and no queries,
  // for a CPU that is negative or above 1023 and for a time that is negative or above 10^18 ns; std::logic_error after
  // close() and where another call is not over; std::runtime_error when a thread cannot be started and when close()
  // stopped the window.
  WindowRecord measure(std::size_t threads, const WindowPlan& plan, const std::function<void()>& poll);

  // Stops a window that runs and joins every thread; the loop cannot measure afterwards. Safe to call twice. Throws
  // std::logic_error from inside measure().
  void close();

 private:
  class Crew;
  std::unique_ptr<Crew> crew_;
};

}  // namespace paddle_mt

#include "closed_loop.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "affinity.h"
#include "clock.h"
#include "signals_blocked.h"

namespace paddle_mt {

namespace {

constexpr std::size_t kCacheLine = 64;
constexpr auto kPollInterval = std::chrono::milliseconds(50);
constexpr std::int64_t kLongestNs = 1'000'000'000'000'000'000;  // 30 years; no sum with a clock reading overflows

// The window opens this many mean queries after the last thread has become steady, but not sooner than kSettleNs. That
// moment is the end of a query of one thread; counted from there, a window of k exponential queries of n threads holds
// 1 / (2 k n) too many. After that, and with less to wait for where there are many threads, less than 0.7 % of the
// throughput is left (tests/unit/statistics/test_counting.py), and threads read their counters before the opening.
constexpr double settle_queries(std::size_t threads) { return threads > 2 ? 1 : 2; }
constexpr double kSettleNs = 100'000;

// Where threads share a lock, one of them may wait for it for as long as the others serve. So that a window ends, they
// wait for it in turn, or the window closes without it, after this time or so many mean queries of the fastest thread.
constexpr double kPatienceNs = 3e8;
constexpr double kPatienceQueries = 20;
constexpr auto kPause = std::chrono::milliseconds(1);

constexpr std::int64_t kUndecided = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kDeciding = 0;

// kOpen: it is decided when the window opens, or opened.
enum class Phase : int { kWarmUp, kOpen, kStopped };

// Slot i: written by thread i while a window runs, read by the caller after thread i reported it finished.
struct alignas(kCacheLine) Slot {
  std::shared_ptr<Target> target;
  Recorder recorder;
  Interval at_opening;
  Interval at_closing;
  std::int64_t served_until_ns = 0;
  std::uint64_t served = 0;
  ThreadUsage before;
  ThreadUsage after;
  std::vector<int> cpus;
  bool pinned = false;
  std::optional<Failure> failure;
};

}  // namespace

class ClosedLoop::Crew {
 public:
  explicit Crew(std::vector<std::shared_ptr<Target>> targets) : slots_(targets.size()) {
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (!targets[i]) throw std::invalid_argument("target " + std::to_string(i) + " of a closed loop is null");
      slots_[i].target = std::move(targets[i]);
    }
  }

  ~Crew() { stop_and_join(); }

  std::size_t size() const { return slots_.size(); }

  WindowRecord measure(std::size_t threads, const WindowPlan& plan, const std::function<void()>& poll) {
    refuse_impossible(threads, plan);
    const Turn turn(*this);
    hire(threads);
    start_window(threads, plan);
    supervise(poll);
    return report();
  }

  void close() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (caller_ == std::this_thread::get_id()) {
        throw std::logic_error("close() was called from inside measure(), which it would wait for; call it afterwards");
      }
    }
    stop_and_join();
  }

 private:
  void stop_and_join() {
    std::unique_lock<std::mutex> lock(mutex_);
    closed_ = true;
    phase_ = Phase::kStopped;
    window_started_.notify_all();
    caller_left_.wait(lock, [this] { return !caller_; });
    // Takes the turn, and joins without the lock: threads that end still take that.
    caller_ = std::this_thread::get_id();
    lock.unlock();
    for (std::thread& thread : crew_) thread.join();
    crew_.clear();
    for (Slot& slot : slots_) slot = Slot();
    lock.lock();
    caller_.reset();
    caller_left_.notify_all();
  }

  // The right to measure: one caller has it at a time.
  class Turn {
   public:
    explicit Turn(Crew& crew) : crew_(crew) {
      const std::lock_guard<std::mutex> lock(crew_.mutex_);
      if (crew_.closed_) throw std::logic_error("this closed loop was closed; make a new one");
      if (crew_.caller_ == std::this_thread::get_id()) {
        throw std::logic_error("measure() was called from inside measure(); call it afterwards");
      }
      if (crew_.caller_) {
        throw std::logic_error(
            "another thread measures with this closed loop; wait for it, or make a loop of your own");
      }
      crew_.caller_ = std::this_thread::get_id();
    }
    ~Turn() {
      const std::lock_guard<std::mutex> lock(crew_.mutex_);
      crew_.caller_.reset();
      crew_.caller_left_.notify_all();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Crew& crew_;
  };

  void refuse_impossible(std::size_t threads, const WindowPlan& plan) const {
    if (threads == 0 || threads > slots_.size()) {
      throw std::invalid_argument(std::to_string(threads) + " threads asked of a closed loop over " +
                                  std::to_string(slots_.size()) + " targets");
    }
    if (plan.window_ns == 0 && plan.min_queries == 0 && plan.expected_queries == 0) {
      throw std::invalid_argument("a window of no time and no queries was asked for; give it one of them");
    }
    for (const std::int64_t time_ns : {plan.window_ns, plan.warmup_ns}) {
      if (time_ns < 0 || time_ns > kLongestNs) {
        throw std::invalid_argument("a window or warm-up of " + std::to_string(time_ns) +
                                    " ns is out of range; give 0 to " + std::to_string(kLongestNs));
      }
    }
    for (const int cpu : plan.cpus) {
      if (cpu < 0 || cpu >= CPU_SETSIZE) throw std::invalid_argument("there is no CPU " + std::to_string(cpu));
    }
  }

  // Starts the threads that a window needs and does not have yet.
  void hire(std::size_t threads) {
    const AsynchronousSignalsBlocked blocked;
    try {
      while (crew_.size() < threads) {
        const std::size_t index = crew_.size();
        crew_.emplace_back([this, index, generation = generation_] { serve_windows(index, generation); });
        pthread_setname_np(crew_.back().native_handle(), ("paddle-mt-" + std::to_string(index)).c_str());
      }
    } catch (const std::system_error& error) {
      throw std::runtime_error("thread " + std::to_string(crew_.size() + 1) + " of " + std::to_string(threads) +
                               " could not be started: " + error.what());
    }
  }

  void start_window(std::size_t threads, const WindowPlan& plan) {
    const std::size_t capacity = std::max<std::size_t>(plan.max_stored / threads, 2);
    for (std::size_t i = 0; i < threads; ++i) {
      Slot& slot = slots_[i];
      slot.recorder.reset(capacity);
      slot.at_opening = slot.at_closing = Interval();
      slot.cpus = threads <= plan.cpus.size() ? std::vector<int>{plan.cpus[i]} : plan.cpus;
      slot.failure.reset();
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (closed_) throw std::logic_error("this closed loop was closed; make a new one");
      plan_ = plan;
      steady_ = 0;
      warm_ns_ = 0;
      warm_queries_ = 0;
      fastest_ns_ = static_cast<double>(kUndecided);
      served_ = 0;
      complete_ = 0;
      active_ = threads;
      finished_ = 0;
      opened_ns_ = 0;
      closed_ns_ = kUndecided;
      ++generation_;
      phase_ = Phase::kWarmUp;
    }
    window_started_.notify_all();
  }

  // Waits until no thread runs a query any more.
  void supervise(const std::function<void()>& poll) {
    std::exception_ptr interruption;
    std::unique_lock<std::mutex> lock(mutex_);
    while (finished_ < active_) {
      progress_.wait_for(lock, kPollInterval);
      if (interruption || closed_) continue;
      lock.unlock();
      try {
        poll();
      } catch (...) {
        interruption = std::current_exception();
      }
      lock.lock();
      if (interruption) phase_ = Phase::kStopped;
    }
    if (interruption) std::rethrow_exception(interruption);
    if (closed_) throw std::runtime_error("this closed loop was closed while it measured");
  }

  WindowRecord report() {
    WindowRecord window;
    for (std::size_t i = 0; i < active_; ++i) {
      if (slots_[i].failure && !window.failure) window.failure = slots_[i].failure;
    }
    if (window.failure) return window;
    window.opened_ns = opened_ns_;
    window.closed_ns = closed_ns_;
    for (std::size_t i = 0; i < active_; ++i) {
      const Slot& slot = slots_[i];
      window.threads.push_back({slot.recorder.counted(), used_between(slot.before, slot.after), slot.at_opening,
                                slot.at_closing, slot.served_until_ns, slot.served, slot.pinned});
    }
    return window;
  }

  // The life of thread `index`: one window after another until the loop is closed.
  void serve_windows(std::size_t index, std::uint64_t seen) {
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto asked = [&] { return generation_ != seen && index < active_; };
        window_started_.wait(lock, [&] { return closed_ || asked(); });
        if (!asked())
          return;  // closed. A window that began before is served first: its measure() waits for all threads
        seen = generation_;
      }
      serve_one_window(index);
      {
        std::lock_guard<std::mutex> lock(mutex_);
        ++finished_;
      }
      progress_.notify_one();
    }
  }

  void serve_one_window(std::size_t index) {
    Slot& slot = slots_[index];
    std::uint64_t& query = slot.served = 0;
    try {
      slot.target->begin_window(active_);
      loop(slot, query);
    } catch (const std::exception& error) {
      fail(slot, index, query, error.what());
    } catch (...) {
      fail(slot, index, query, "an exception that is not a std::exception");
    }
  }

  void loop(Slot& slot, std::uint64_t& query) {
    Pinning pinning(slot.cpus);
    Interval last = serve_until_open(slot, query, pinning);
    if (phase_ == Phase::kStopped) return;
    last = serve_while_open(slot, query, last);
    if (phase_ == Phase::kStopped) return;
    slot.at_closing = last;
    slot.after = usage_of_this_thread();
    slot.pinned = pinning.holds();
    count_complete();
    const std::int64_t enough_ns = monotonic_ns() + patience_ns_;
    while (phase_ != Phase::kStopped && monotonic_ns() < enough_ns) serve(slot, query);
    slot.served_until_ns = monotonic_ns();
  }

  static Interval serve(Slot& slot, std::uint64_t& query) {
    Interval served;
    served.start_ns = monotonic_ns();
    slot.target->query(query);
    served.end_ns = monotonic_ns();
    ++query;
    return served;
  }

  // Warms up until the window is open, and returns the first query that ended inside.
  Interval serve_until_open(Slot& slot, std::uint64_t& query, Pinning& pinning) {
    const std::int64_t warm_ns = monotonic_ns() + plan_.warmup_ns;
    std::int64_t first_ns = 0, later_ns = 0;  // of queries alone: the target may look at its answers in between
    std::int64_t enough_ns = kUndecided;      // steady for long enough to let the others have their turn
    bool read_usage = false;
    Interval last;
    for (;;) {
      while (last.end_ns > enough_ns && phase_ == Phase::kWarmUp) std::this_thread::sleep_for(kPause);
      const Phase phase = phase_;
      if (phase == Phase::kStopped) return last;
      if (phase == Phase::kOpen) {
        if (last.end_ns > opened_ns_) break;
        if (!read_usage) {
          slot.before = usage_of_this_thread();
          read_usage = true;
        }
      }
      last = serve(slot, query);
      if (query == 1) pinning.pin();
      (query == 1 ? first_ns : later_ns) += last.end_ns - last.start_ns;
      if (enough_ns == kUndecided) slot.target->check(query - 1);
      if (enough_ns == kUndecided && query >= plan_.warmup_queries && last.end_ns >= warm_ns) {
        const std::int64_t time_ns = query == 1 ? first_ns : later_ns;  // the first is slower than the others
        const std::uint64_t queries = query == 1 ? 1 : query - 1;
        enough_ns = last.end_ns + count_steady(time_ns, queries);
      }
    }
    if (!read_usage) slot.before = usage_of_this_thread();
    return last;
  }

  // Counts queries, from `first`, until the window is closed, and returns the one that was under way then.
  Interval serve_while_open(Slot& slot, std::uint64_t& query, const Interval& first) {
    Recorder& recorder = slot.recorder;
    const std::uint64_t min_queries = plan_.min_queries;
    Interval last = first;
    if (first.start_ns < opened_ns_) {
      slot.at_opening = first;
      if (after_close(first)) return Interval();  // one query all through the window, counted by its share of it
      last = serve(slot, query);
    }
    while (phase_ != Phase::kStopped && !after_close(last)) {
      recorder.add(last.start_ns, last.end_ns);
      if (recorder.queries() == min_queries) count_served();
      if (last.end_ns > latest_close_ns_ && recorder.queries() >= min_queries) close_now();
      last = serve(slot, query);
    }
    return last;
  }

  bool after_close(const Interval& query) { return query.end_ns > closed_ns_ && query.end_ns > decided_close(); }

  // The last thread to become steady decides when the window opens, from what all served in `time_ns` of warm-up.
  // Returns how long to wait for the others, by the fastest one: what a thread waits for a lock is no time of its
  // query.
  std::int64_t count_steady(std::int64_t time_ns, std::uint64_t queries) {
    const std::lock_guard<std::mutex> lock(mutex_);
    warm_ns_ += static_cast<double>(time_ns);
    warm_queries_ += static_cast<double>(queries);
    fastest_ns_ = std::min(fastest_ns_, static_cast<double>(time_ns) / static_cast<double>(queries));
    patience_ns_ = rounded(std::max(kPatienceNs, kPatienceQueries * fastest_ns_));
    if (++steady_ < active_) return patience_ns_;
    const double query_ns = warm_ns_ / warm_queries_;
    opened_ns_ = monotonic_ns() + rounded(std::max(settle_queries(active_) * query_ns, kSettleNs));
    length_ns_ = std::max(plan_.window_ns, rounded(static_cast<double>(plan_.expected_queries) * query_ns));
    const double needed_ns = static_cast<double>(plan_.min_queries) * fastest_ns_;
    latest_close_ns_ = opened_ns_ + patience_ns_ + rounded(10 * std::max(static_cast<double>(length_ns_), needed_ns));
    if (plan_.min_queries == 0) closed_ns_ = opened_ns_ + length_ns_;
    Phase expected = Phase::kWarmUp;  // a failure in another thread may have stopped the window already
    phase_.compare_exchange_strong(expected, Phase::kOpen);
    return patience_ns_;
  }

  // The last thread to complete its queries decides when the window closes: when its time is over, or now.
  void count_served() {
    if (served_.fetch_add(1) + 1 == active_) close_now();
  }

  // Closes the window when its time is over, or now; what is decided stays.
  void close_now() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closed_ns_ != kUndecided) return;
    closed_ns_ = kDeciding;  // before the clock is read: whoever ends a query meanwhile waits in decided_close()
    closed_ns_ = std::max(opened_ns_ + length_ns_, monotonic_ns());
  }

  static std::int64_t rounded(double ns) {
    return static_cast<std::int64_t>(std::min(ns, static_cast<double>(kLongestNs)));
  }

  std::int64_t decided_close() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return closed_ns_;
  }

  // Until every thread has completed the query that was under way at the close, the others keep up the load, and lose
  // patience with one that waits for them.
  void count_complete() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (++complete_ == active_) phase_ = Phase::kStopped;
  }

  void fail(Slot& slot, std::size_t index, std::uint64_t query, const char* message) {
    slot.failure = Failure{index, query, message};
    phase_ = Phase::kStopped;
  }

  std::vector<Slot> slots_;        // its length never changes
  std::vector<std::thread> crew_;  // of whoever has the turn
  WindowPlan plan_;                // written between windows only

  // Sequentially consistent, as atomics are unless told otherwise: on x86-64 such a load is a plain one. phase_ hands
  // over opened_ns_; whatever else threads hand over, they hand over under mutex_.
  alignas(kCacheLine) std::atomic<Phase> phase_{Phase::kStopped};  // read by every thread once a query, like the next
  std::atomic<std::int64_t> closed_ns_{kUndecided};                // written twice a window, under mutex_
  std::int64_t opened_ns_ = 0;  // this and the next are written before phase_ becomes kOpen
  std::int64_t latest_close_ns_ = 0;
  std::int64_t patience_ns_ = 0;
  alignas(kCacheLine) std::atomic<std::size_t> served_{0};  // written once a thread and window

  alignas(kCacheLine) std::mutex mutex_;  // guards what follows; never taken between two counted queries but once
  std::condition_variable window_started_;
  std::condition_variable progress_;
  std::condition_variable caller_left_;
  std::optional<std::thread::id> caller_;  // who is in measure(), or joins in close()
  std::size_t active_ = 0;
  std::size_t finished_ = 0;
  std::uint64_t generation_ = 0;
  std::size_t steady_ = 0;
  std::size_t complete_ = 0;
  double warm_ns_ = 0;       // time of the warm-up of all threads, less their first queries
  double warm_queries_ = 0;  // the queries in that
  double fastest_ns_ = 0;    // the shortest mean query of a thread in it
  std::int64_t length_ns_ = 0;
  bool closed_ = false;
};

ClosedLoop::ClosedLoop(std::vector<std::shared_ptr<Target>> targets) : crew_(new Crew(std::move(targets))) {}
ClosedLoop::~ClosedLoop() = default;
std::size_t ClosedLoop::size() const { return crew_->size(); }
WindowRecord ClosedLoop::measure(std::size_t threads, const WindowPlan& plan, const std::function<void()>& poll) {
  return crew_->measure(threads, plan, poll);
}
void ClosedLoop::close() { crew_->close(); }

}  // namespace paddle_mt

#include "closed_loop.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "clock.h"

namespace paddle_mt {

namespace {

constexpr std::size_t kCacheLine = 64;
constexpr auto kPollInterval = std::chrono::milliseconds(50);
constexpr std::int64_t kLongestNs = 1'000'000'000'000'000'000;  // 30 years; no sum with a clock reading overflows

enum class Phase : int { kWarmUp, kOpen, kClosed };

// Blocks signals in the calling thread, and so in the threads that it starts, as long as this exists. Asynchronous ones
// stay with the caller's thread, where Python handles them. Faults are not blocked: where the faulting thread blocks
// its signal, the kernel kills the process and runs no handler, neither faulthandler's nor Paddle's.
class AsynchronousSignalsBlocked {
 public:
  AsynchronousSignalsBlocked() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&blocked, fault);
    pthread_sigmask(SIG_SETMASK, &blocked, &previous_);
  }
  ~AsynchronousSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
  AsynchronousSignalsBlocked(const AsynchronousSignalsBlocked&) = delete;
  AsynchronousSignalsBlocked& operator=(const AsynchronousSignalsBlocked&) = delete;

 private:
  sigset_t previous_;
};

// Slot i: written by thread i while a window runs, read by the caller after thread i reported it finished.
struct alignas(kCacheLine) Slot {
  std::shared_ptr<Target> target;
  Recorder recorder;
  ThreadUsage before;
  ThreadUsage after;
  bool saw_open = false;
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
    phase_ = Phase::kClosed;
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
    if (plan.min_queries < 2) {
      throw std::invalid_argument("throughput needs at least two queries a thread, and " +
                                  std::to_string(plan.min_queries) + " was asked for");
    }
    for (const std::int64_t time_ns : {plan.window_ns, plan.warmup_ns}) {
      if (time_ns < 0 || time_ns > kLongestNs) {
        throw std::invalid_argument("a window or warm-up of " + std::to_string(time_ns) +
                                    " ns is out of range; give 0 to " + std::to_string(kLongestNs));
      }
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
      slot.saw_open = false;
      slot.failure.reset();
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (closed_) throw std::logic_error("this closed loop was closed; make a new one");
      plan_ = plan;
      steady_ = 0;
      served_ = 0;
      active_ = threads;
      finished_ = 0;
      opened_ns_ = 0;
      closed_ns_ = 0;
      ++generation_;
      phase_ = Phase::kWarmUp;
    }
    window_started_.notify_all();
  }

  // Closes the window when it has lasted long enough, and waits until no thread runs a query any more.
  void supervise(const std::function<void()>& poll) {
    std::exception_ptr interruption;
    std::unique_lock<std::mutex> lock(mutex_);
    while (finished_ < active_) {
      auto wait = kPollInterval;
      if (phase_ == Phase::kOpen) {
        const std::int64_t left_ns = opened_ns_ + plan_.window_ns - monotonic_ns();
        if (left_ns <= 0 && served_ == active_) {
          phase_ = Phase::kClosed;
          closed_ns_ = monotonic_ns();  // after the flag: closed_loop.h has how exact that is
        } else if (left_ns > 0) {
          const auto left = std::chrono::milliseconds(left_ns / 1'000'000 + 1);
          if (left < wait) wait = left;
        }
      }
      progress_.wait_for(lock, wait);
      if (interruption || closed_) continue;
      lock.unlock();
      try {
        poll();
      } catch (...) {
        interruption = std::current_exception();
      }
      lock.lock();
      if (interruption) phase_ = Phase::kClosed;
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
      window.threads.push_back({slot.recorder.counted(), used_between(slot.before, slot.after)});
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
    std::uint64_t query = 0;
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
    Target& target = *slot.target;
    Recorder& recorder = slot.recorder;
    const std::uint64_t warmup_queries = plan_.warmup_queries;
    const std::uint64_t min_queries = plan_.min_queries;
    const std::int64_t warm_ns = monotonic_ns() + plan_.warmup_ns;
    bool steady = false;
    for (;; ++query) {
      const Phase before = phase_;
      if (before == Phase::kClosed) break;
      if (before == Phase::kOpen && !slot.saw_open) {
        slot.saw_open = true;
        slot.before = usage_of_this_thread();
      }
      const std::int64_t start_ns = monotonic_ns();
      target.query(query);
      const std::int64_t end_ns = monotonic_ns();
      if (before == Phase::kOpen) {
        if (phase_ != Phase::kOpen) break;
        recorder.add(start_ns, end_ns);
        if (recorder.queries() == min_queries) count_served();
      } else if (!steady && query + 1 >= warmup_queries && end_ns >= warm_ns) {
        steady = true;
        count_steady();
      }
    }
    slot.after = usage_of_this_thread();
  }

  void count_steady() {
    if (steady_.fetch_add(1) + 1 < active_) return;
    std::lock_guard<std::mutex> lock(mutex_);
    Phase expected = Phase::kWarmUp;  // a failure in another thread may have closed the window already
    opened_ns_ = monotonic_ns();
    phase_.compare_exchange_strong(expected, Phase::kOpen);
    progress_.notify_one();
  }

  void count_served() {
    if (served_.fetch_add(1) + 1 < active_) return;
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.notify_one();
  }

  void fail(Slot& slot, std::size_t index, std::uint64_t query, const char* message) {
    slot.failure = Failure{index, query, message};
    phase_ = Phase::kClosed;
  }

  std::vector<Slot> slots_;        // its length never changes
  std::vector<std::thread> crew_;  // of whoever has the turn
  WindowPlan plan_;                // written between windows only

  // Sequentially consistent, as atomics are unless told otherwise: on x86-64 such a load is a plain one. Nothing but
  // the values of these three passes through them; what threads hand over, they hand over under mutex_.
  alignas(kCacheLine) std::atomic<Phase> phase_{Phase::kClosed};  // read by every thread twice a query
  alignas(kCacheLine) std::atomic<std::size_t> steady_{0};        // written once a thread and window
  std::atomic<std::size_t> served_{0};                            // written once a thread and window

  alignas(kCacheLine) std::mutex mutex_;  // guards what follows; never taken between two counted queries but once
  std::condition_variable window_started_;
  std::condition_variable progress_;
  std::condition_variable caller_left_;
  std::optional<std::thread::id> caller_;  // who is in measure(), or joins in close()
  std::size_t active_ = 0;
  std::size_t finished_ = 0;
  std::uint64_t generation_ = 0;
  std::int64_t opened_ns_ = 0;
  std::int64_t closed_ns_ = 0;
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

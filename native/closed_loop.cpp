#include "closed_loop.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "latency_bins.h"

namespace paddle_mt {

std::int64_t monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

namespace {

constexpr std::size_t kCacheLine = 64;
constexpr auto kPollInterval = std::chrono::milliseconds(50);

enum class Phase : int { kWarmUp, kOpen, kClosed };

// What the kernel knows of the calling thread.
struct Usage {
  std::int64_t wall_ns = 0;
  std::int64_t cpu_ns = 0;
  std::int64_t voluntary_switches = 0;
  std::int64_t involuntary_switches = 0;
  std::int64_t run_delay_ns = -1;
};

// Time the calling thread was runnable without a core, from the scheduler's own count; -1 where it keeps none.
std::int64_t run_delay_ns() {
  const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  char text[96];
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return -1;
  text[length] = '\0';
  long long on_cpu = 0;
  long long waiting = 0;
  return std::sscanf(text, "%lld %lld", &on_cpu, &waiting) == 2 ? waiting : -1;
}

Usage usage_of_this_thread() {
  Usage usage;
  rusage counters;
  if (getrusage(RUSAGE_THREAD, &counters) == 0) {
    usage.voluntary_switches = counters.ru_nvcsw;
    usage.involuntary_switches = counters.ru_nivcsw;
  }
  usage.run_delay_ns = run_delay_ns();
  timespec cpu;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  usage.cpu_ns = static_cast<std::int64_t>(cpu.tv_sec) * 1'000'000'000 + cpu.tv_nsec;
  usage.wall_ns = monotonic_ns();
  return usage;
}

void store_usage(ThreadRecord& record, const Usage& before, const Usage& after) {
  record.wall_ns = after.wall_ns - before.wall_ns;
  record.cpu_ns = after.cpu_ns - before.cpu_ns;
  record.voluntary_switches = after.voluntary_switches - before.voluntary_switches;
  record.involuntary_switches = after.involuntary_switches - before.involuntary_switches;
  if (before.run_delay_ns >= 0 && after.run_delay_ns >= 0) {
    record.run_delay_ns = after.run_delay_ns - before.run_delay_ns;
  }
}

// The counted queries of one thread. Buffers keep their size, and their touched pages, from window to window.
class Recorder {
 public:
  void reset(std::size_t capacity) {
    if (starts_.size() < capacity) {
      starts_.assign(capacity, 0);  // touches the pages now, not between two queries
      ends_.assign(capacity, 0);
    }
    capacity_ = capacity;
    stored_ = 0;
    queries_ = 0;
    busy_ns_ = 0;
    bins_.clear();
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
    if (bins_.empty()) start_binning();
    ++bins_[latency_bin(end_ns - start_ns)];
  }

  std::uint64_t queries() const { return queries_; }

  ThreadRecord take() const {
    ThreadRecord record;
    record.queries = queries_;
    record.first_completion_ns = first_completion_ns_;
    record.last_completion_ns = last_completion_ns_;
    record.busy_ns = busy_ns_;
    record.bins = bins_;
    if (bins_.empty()) {
      record.starts_ns.assign(starts_.begin(), starts_.begin() + static_cast<std::ptrdiff_t>(stored_));
      record.ends_ns.assign(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(stored_));
    }
    return record;
  }

 private:
  void start_binning() {
    bins_.assign(kLatencyBins, 0);
    for (std::size_t i = 0; i < stored_; ++i) ++bins_[latency_bin(ends_[i] - starts_[i])];
  }

  std::vector<std::int64_t> starts_;
  std::vector<std::int64_t> ends_;
  std::vector<std::int64_t> bins_;
  std::size_t capacity_ = 0;
  std::size_t stored_ = 0;
  std::uint64_t queries_ = 0;
  std::int64_t first_completion_ns_ = 0;
  std::int64_t last_completion_ns_ = 0;
  std::int64_t busy_ns_ = 0;
};

// Slot i: written by thread i while a window runs, read by the caller after thread i reported it finished.
struct alignas(kCacheLine) Slot {
  std::shared_ptr<Target> target;
  Recorder recorder;
  Usage before;
  Usage after;
  bool saw_open = false;
  std::optional<Failure> failure;
};

}  // namespace

class ClosedLoop::Crew {
 public:
  explicit Crew(std::vector<std::shared_ptr<Target>> targets) : slots_(targets.size()) {
    for (std::size_t i = 0; i < targets.size(); ++i) slots_[i].target = std::move(targets[i]);
  }

  ~Crew() { close(); }

  std::size_t size() const { return slots_.size(); }

  std::optional<WindowRecord> measure(std::size_t threads, const WindowPlan& plan,
                                      const std::function<bool()>& keep_going) {
    if (closed_) throw std::logic_error("this closed loop was closed; make a new one");
    if (threads == 0 || threads > slots_.size()) {
      throw std::invalid_argument(std::to_string(threads) + " threads asked of a closed loop over " +
                                  std::to_string(slots_.size()) + " targets");
    }
    hire(threads);
    start_window(threads, plan);
    const bool complete = supervise(keep_going);
    return complete ? std::optional<WindowRecord>(report()) : std::nullopt;
  }

  void close() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    window_started_.notify_all();
    for (std::thread& thread : crew_) thread.join();
    crew_.clear();
    slots_.clear();
  }

 private:
  // Starts the threads that a window needs and does not have yet.
  void hire(std::size_t threads) {
    // Signals stay with the caller's thread, where Python handles them.
    sigset_t all;
    sigset_t previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    try {
      while (crew_.size() < threads) {
        const std::size_t index = crew_.size();
        crew_.emplace_back([this, index, generation = generation_] { serve_windows(index, generation); });
        pthread_setname_np(crew_.back().native_handle(), ("paddle-mt-" + std::to_string(index)).c_str());
      }
    } catch (const std::system_error& error) {
      pthread_sigmask(SIG_SETMASK, &previous, nullptr);
      throw std::runtime_error("thread " + std::to_string(crew_.size() + 1) + " of " + std::to_string(threads) +
                               " could not be started: " + error.what());
    }
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  }

  void start_window(std::size_t threads, const WindowPlan& plan) {
    const std::size_t capacity = std::max<std::size_t>(plan.max_stored / threads, 2);
    for (std::size_t i = 0; i < threads; ++i) {
      Slot& slot = slots_[i];
      slot.recorder.reset(capacity);
      slot.saw_open = false;
      slot.failure.reset();
    }
    plan_ = plan;
    steady_.store(0);
    served_.store(0);
    phase_.store(Phase::kWarmUp);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      active_ = threads;
      finished_ = 0;
      opened_ns_ = 0;
      ++generation_;
    }
    window_started_.notify_all();
  }

  // Closes the window when it has lasted long enough, and waits until no thread runs a query any more.
  // False: it was stopped before.
  bool supervise(const std::function<bool()>& keep_going) {
    bool interrupted = false;
    std::unique_lock<std::mutex> lock(mutex_);
    while (finished_ < active_) {
      auto wait = kPollInterval;
      const Phase phase = phase_.load(std::memory_order_acquire);
      if (phase == Phase::kOpen) {
        const std::int64_t left_ns = opened_ns_ + plan_.window_ns - monotonic_ns();
        if (left_ns <= 0 && served_.load(std::memory_order_acquire) == active_) {
          phase_.store(Phase::kClosed, std::memory_order_seq_cst);  // seen by all before the clock is read
          closed_ns_ = monotonic_ns();                              // so no counted query ended later
        } else if (left_ns > 0) {
          const auto left = std::chrono::milliseconds(left_ns / 1'000'000 + 1);
          if (left < wait) wait = left;
        }
      }
      progress_.wait_for(lock, wait);
      if (interrupted) continue;
      lock.unlock();
      interrupted = !keep_going();
      if (interrupted) phase_.store(Phase::kClosed, std::memory_order_release);
      lock.lock();
    }
    return !interrupted;
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
      ThreadRecord record = slots_[i].recorder.take();
      store_usage(record, slots_[i].before, slots_[i].after);
      window.threads.push_back(std::move(record));
    }
    return window;
  }

  // The life of thread `index`: one window after another until the loop is closed.
  void serve_windows(std::size_t index, std::uint64_t seen) {
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        window_started_.wait(lock, [&] { return closed_ || (generation_ != seen && index < active_); });
        if (closed_) return;
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
      const Phase before = phase_.load(std::memory_order_acquire);
      if (before == Phase::kClosed) break;
      if (before == Phase::kOpen && !slot.saw_open) {
        slot.saw_open = true;
        slot.before = usage_of_this_thread();
      }
      const std::int64_t start_ns = monotonic_ns();
      target.query(query);
      const std::int64_t end_ns = monotonic_ns();
      if (before == Phase::kOpen) {
        if (phase_.load(std::memory_order_acquire) != Phase::kOpen) break;
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
    phase_.compare_exchange_strong(expected, Phase::kOpen, std::memory_order_acq_rel);
    progress_.notify_one();
  }

  void count_served() {
    if (served_.fetch_add(1, std::memory_order_acq_rel) + 1 < active_) return;
    std::lock_guard<std::mutex> lock(mutex_);
    progress_.notify_one();
  }

  void fail(Slot& slot, std::size_t index, std::uint64_t query, const char* message) {
    slot.failure = Failure{index, query, message};
    phase_.store(Phase::kClosed, std::memory_order_release);
  }

  std::vector<Slot> slots_;
  std::vector<std::thread> crew_;
  WindowPlan plan_;  // written between windows only

  alignas(kCacheLine) std::atomic<Phase> phase_{Phase::kClosed};  // read by every thread twice a query
  alignas(kCacheLine) std::atomic<std::size_t> steady_{0};        // written once a thread and window
  std::atomic<std::size_t> served_{0};                            // written once a thread and window

  alignas(kCacheLine) std::mutex mutex_;  // guards what follows; never taken between two counted queries but once
  std::condition_variable window_started_;
  std::condition_variable progress_;
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
std::optional<WindowRecord> ClosedLoop::measure(std::size_t threads, const WindowPlan& plan,
                                                const std::function<bool()>& keep_going) {
  return crew_->measure(threads, plan, keep_going);
}
void ClosedLoop::close() { crew_->close(); }

}  // namespace paddle_mt

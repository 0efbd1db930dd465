// A closed loop as one would write it by hand: the yardstick of overhead.py. Shares no code with the plugin.
//
// Guarantees
//   * Thread i drives predictor i and nothing else does. Threads live as long as the loop, as a server's do.
//   * All threads of a window query from before the first counted query until after the last one, whichever thread that
//     is, so no thread is ever measured alone. measure() returns when no query is running any more.
//   * Between two counted queries a thread reads one flag and adds one to a local counter, no more: no clock, no check.
#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Functions {
  bool (*run)(void* predictor) = nullptr;
  void (*copy_in)(void* tensor, const float* data) = nullptr;
  void (*copy_out)(const void* tensor, float* data) = nullptr;
};

// CPU time of the calling thread.
double cpu_ns() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// All null where `library` is not loaded.
Functions functions_of(const char* library) {
  Functions found;
  void* handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return found;
  found.run = reinterpret_cast<bool (*)(void*)>(dlsym(handle, "_ZN12paddle_infer9Predictor3RunEv"));
  found.copy_in =
      reinterpret_cast<void (*)(void*, const float*)>(dlsym(handle, "_ZN12paddle_infer6Tensor11CopyFromCpuIfEEvPKT_"));
  found.copy_out =
      reinterpret_cast<void (*)(const void*, float*)>(dlsym(handle, "_ZNK12paddle_infer6Tensor9CopyToCpuIfEEvPT_"));
  dlclose(handle);  // its owner keeps it loaded
  return found;
}

}  // namespace

// One thread's part: a predictor with one float input and one float output, both already shaped.
struct Part {
  void* predictor;
  void* input_tensor;
  void* output_tensor;
  const float* input;
  std::size_t input_size;
  std::size_t output_size;
};

struct Result {
  double qps;
  double cpu_ns_per_query;
};

class Loop {
 public:
  Loop(const Functions& functions, const Part* parts, std::size_t count)
      : functions_(functions), parts_(parts, parts + count), results_(count) {
    for (std::size_t i = 0; i < count; ++i) {
      crew_.emplace_back([this, i] { serve_windows(i); });
      pthread_setname_np(crew_.back().native_handle(), ("by-hand-" + std::to_string(i)).c_str());
    }
  }

  ~Loop() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : crew_) thread.join();
  }

  Result measure(std::size_t threads, std::int64_t window_ns, std::int64_t warmup_ns, std::int64_t warmup_queries) {
    std::unique_lock<std::mutex> lock(mutex_);
    active_ = threads;
    warmup_ns_ = warmup_ns;
    warmup_queries_ = warmup_queries;
    finished_ = 0;
    steady_ = 0;
    counted_ = 0;
    stop_ = false;
    ++window_;
    lock.unlock();
    changed_.notify_all();
    lock.lock();
    changed_.wait(lock, [this] { return steady_.load() == active_; });
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::nanoseconds(window_ns));
    stop_ = true;
    lock.lock();
    changed_.wait(lock, [this] { return finished_ == active_; });
    Result all{0, 0};
    for (std::size_t i = 0; i < threads; ++i) {
      all.qps += results_[i].qps;
      all.cpu_ns_per_query += results_[i].cpu_ns_per_query / static_cast<double>(threads);
    }
    return all;
  }

 private:
  void serve_windows(std::size_t index) {
    const Part part = parts_[index];
    const std::vector<float> input(part.input, part.input + part.input_size);  // here, in this thread's own memory
    std::vector<float> output(part.output_size);
    std::uint64_t seen = 0;
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [&] { return closing_ || (window_ != seen && index < active_); });
        if (closing_) return;
        seen = window_;
      }
      results_[index] = serve_one([&] {
        functions_.copy_in(part.input_tensor, input.data());
        functions_.run(part.predictor);
        functions_.copy_out(part.output_tensor, output.data());
      });
      {
        std::lock_guard<std::mutex> lock(mutex_);
        ++finished_;
      }
      changed_.notify_all();
    }
  }

  template <typename Query>
  Result serve_one(const Query& query) {
    const auto warm = Clock::now() + std::chrono::nanoseconds(warmup_ns_);
    for (std::int64_t i = 0; i < warmup_queries_ || Clock::now() < warm; ++i) query();
    if (++steady_ == active_) {
      std::lock_guard<std::mutex> lock(mutex_);
      changed_.notify_all();
    }
    while (steady_.load() < active_) query();

    std::int64_t queries = 0;
    const double cpu_before_ns = cpu_ns();
    const auto start = Clock::now();
    while (!stop_.load(std::memory_order_relaxed)) {
      query();
      ++queries;
    }
    const std::chrono::duration<double> span = Clock::now() - start;
    const double used_ns = cpu_ns() - cpu_before_ns;

    ++counted_;
    while (counted_.load() < active_) query();
    return {static_cast<double>(queries) / span.count(), used_ns / static_cast<double>(queries)};
  }

  const Functions functions_;
  const std::vector<Part> parts_;
  std::vector<Result> results_;  // slot i: written once a window by thread i, read when all have finished
  std::vector<std::thread> crew_;

  alignas(64) std::atomic<bool> stop_{false};  // read by every thread once a query
  alignas(64) std::atomic<std::size_t> steady_{0};
  std::atomic<std::size_t> counted_{0};

  alignas(64) std::mutex mutex_;  // guards what follows, which changes between windows only
  std::condition_variable changed_;
  std::uint64_t window_ = 0;
  std::size_t active_ = 0;
  std::size_t finished_ = 0;
  std::int64_t warmup_ns_ = 0;
  std::int64_t warmup_queries_ = 0;
  bool closing_ = false;
};

extern "C" {

// Null when `library` is not loaded or lacks a function.
Loop* loop_open(const char* library, const Part* parts, std::size_t count) {
  const Functions functions = functions_of(library);
  const bool complete = functions.run != nullptr && functions.copy_in != nullptr && functions.copy_out != nullptr;
  return complete ? new Loop(functions, parts, count) : nullptr;
}

// Measures the first `threads` threads over about `window_ns`, after a warm-up of at least `warmup_ns` and
// `warmup_queries` queries a thread. Queries per second: the sum over threads of their number over the time from the
// start of the first to the end of the last.
void loop_measure(Loop* loop, std::size_t threads, std::int64_t window_ns, std::int64_t warmup_ns,
                  std::int64_t warmup_queries, Result* result) {
  *result = loop->measure(threads, window_ns, warmup_ns, warmup_queries);
}

void loop_close(Loop* loop) { delete loop; }
}

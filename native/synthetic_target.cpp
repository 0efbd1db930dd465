#include "synthetic_target.h"

#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>

#include "clock.h"

namespace paddle_mt {
namespace {

// A chain of dependent multiplications: its time is the core's, not the memory's.
double multiply_chain(std::uint64_t steps, double start) {
  double value = start;
  for (std::uint64_t i = 0; i < steps; ++i) value = value * 0.999999 + 1e-6;
  return value;
}

// Where results go, so that the compiler keeps the work.
thread_local volatile double g_sink = 0;

// Independent integer chains, more than a core can advance at once: two threads on one core halve each other's speed.
double saturate(std::uint64_t steps, double start) {
  constexpr std::size_t kChains = 8;
  std::uint64_t chains[kChains];
  for (std::size_t i = 0; i < kChains; ++i) chains[i] = static_cast<std::uint64_t>(start) + i + 1;
  for (std::uint64_t step = 0; step < steps; ++step) {
    for (std::uint64_t& chain : chains) {
      chain = chain * 3 + (chain >> 7);
      asm volatile("" : "+r"(chain));  // keeps the chains in registers of their own: vectors of them would wait
    }
  }
  std::uint64_t mixed = 0;
  for (const std::uint64_t chain : chains) mixed ^= chain;
  return static_cast<double>(mixed & 1);
}

using Arithmetic = double (*)(std::uint64_t steps, double start);

// Steps per nanosecond of an undisturbed core: the fastest of many short runs, taken once per process.
template <Arithmetic arithmetic>
double steps_per_ns() {
  static const double rate = [] {
    constexpr std::uint64_t kSteps = 20'000;
    double best = 0;
    for (int i = 0; i < 200; ++i) {
      const std::int64_t start = monotonic_ns();
      g_sink = arithmetic(kSteps, g_sink);
      best = std::max(best, static_cast<double>(kSteps) / static_cast<double>(monotonic_ns() - start));
    }
    return best;
  }();
  return rate;
}

// Ends the process with SIGSEGV, as a fault in a model does: by an access, not by a signal that is sent.
void read_unmapped_memory() {
  volatile std::uintptr_t address = 64;  // in page 0, which is never mapped; volatile: no compiler sees that
  g_sink = *reinterpret_cast<const volatile char*>(address);
}

// Maps memory, touches each of its pages and gives it back, in pieces as large as malloc begins to map by themselves.
void fault_pages_in(std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  constexpr std::size_t kPiece = 128 << 10;
  for (std::size_t done = 0; done < bytes; done += kPiece) {
    const std::size_t piece = std::min(kPiece, bytes - done);
    void* mapped = mmap(nullptr, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) throw std::bad_alloc();
    for (std::size_t at = 0; at < piece; at += kPage) static_cast<volatile char*>(mapped)[at] = 1;
    munmap(mapped, piece);
  }
}

void bind_to_first_cpu() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  int first = 0;
  while (first < CPU_SETSIZE - 1 && !CPU_ISSET(first, &allowed)) ++first;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(first, &only);
  sched_setaffinity(0, sizeof only, &only);
}

class NullTarget final : public Target {
 public:
  void query(std::uint64_t) override {}
};

class WorkTarget final : public Target {
 public:
  WorkTarget(const SyntheticWork& work, std::size_t index, std::shared_ptr<std::mutex> lock)
      : work_(work),
        index_(index),
        lock_(std::move(lock)),
        random_(work.seed * 0x9e3779b97f4a7c15u + index + 1),
        stream_(work.stream_bytes / sizeof(std::uint64_t), 1) {}

  void begin_window(std::size_t threads) override {
    if (work_.one_core) bind_to_first_cpu();
    growth_ = 1.0 + work_.growth * static_cast<double>(threads - 1);
    if (index_ == 1) growth_ *= 1.0 + work_.slow_thread;
    mean_steps_ = growth_ * (work_.steps > 0 ? work_.steps : work_.spin_ns * rate());
  }

  void query(std::uint64_t index) override {
    if (work_.fail_at != 0 && index_ == 0 && index == work_.fail_at) {
      throw std::runtime_error("synthetic failure asked for at query " + std::to_string(index));
    }
    if (work_.crash_at != 0 && index_ == 0 && index == work_.crash_at) read_unmapped_memory();
    read_stream();
    if (work_.fault_bytes > 0) fault_pages_in(work_.fault_bytes);
    const double steps = work_.exponential ? mean_steps_ * exponential() : mean_steps_;
    const double locked = steps * work_.locked_fraction;
    if (locked > 0) {
      const std::lock_guard<std::mutex> guard(*lock_);
      spin(locked);
    }
    spin(steps - locked);
  }

 private:
  double rate() const { return work_.saturating ? steps_per_ns<saturate>() : steps_per_ns<multiply_chain>(); }

  void spin(double steps) const {
    const Arithmetic arithmetic = work_.saturating ? saturate : multiply_chain;
    if (steps >= 1) g_sink = arithmetic(static_cast<std::uint64_t>(steps), g_sink);
  }

  // One word of each cache line: the whole line travels, and a core asks for as many lines at once as it can.
  void read_stream() {
    constexpr std::size_t kWordsOfLine = 64 / sizeof(std::uint64_t);
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < stream_.size(); at += kWordsOfLine) sum += stream_[at];
    g_sink = g_sink + static_cast<double>(sum & 1);
  }

  // splitmix64, then the inverse of the exponential distribution with mean 1.
  double exponential() {
    std::uint64_t bits = (random_ += 0x9e3779b97f4a7c15u);
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    bits ^= bits >> 31;
    return -std::log1p(-static_cast<double>(bits >> 11) * 0x1p-53);
  }

  const SyntheticWork work_;
  const std::size_t index_;
  const std::shared_ptr<std::mutex> lock_;
  std::uint64_t random_;
  const std::vector<std::uint64_t> stream_;
  double growth_ = 1;
  double mean_steps_ = 0;
};

}  // namespace

std::vector<std::shared_ptr<Target>> synthetic_targets(std::size_t count, const SyntheticWork& work) {
  const bool idle = work.spin_ns == 0 && work.steps == 0 && work.stream_bytes == 0 && work.fault_bytes == 0 &&
                    work.fail_at == 0 && work.crash_at == 0;
  const auto lock = std::make_shared<std::mutex>();
  std::vector<std::shared_ptr<Target>> targets;
  for (std::size_t i = 0; i < count; ++i) {
    if (idle) {
      targets.push_back(std::make_shared<NullTarget>());
    } else {
      targets.push_back(std::make_shared<WorkTarget>(work, i, lock));
    }
  }
  return targets;
}

}  // namespace paddle_mt

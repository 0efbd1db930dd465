// Keeps the calling thread on some CPUs as long as it serves a window.
#pragma once

#include <sched.h>

#include <vector>

namespace paddle_mt {

// Knows which CPUs, and pins when it is told to: OpenMP gives a thread its own affinity in the first parallel region,
// so a thread is pinned after its first query. When this ends, the thread has the affinity that it had before. Threads
// that a query starts meanwhile inherit the CPUs and keep them.
class Pinning {
 public:
  explicit Pinning(const std::vector<int>& cpus) : asked_(!cpus.empty()) {
    CPU_ZERO(&cpus_);
    for (const int cpu : cpus) CPU_SET(cpu, &cpus_);
  }
  ~Pinning() {
    if (pinned_) sched_setaffinity(0, sizeof before_, &before_);
  }
  Pinning(const Pinning&) = delete;
  Pinning& operator=(const Pinning&) = delete;

  // Does nothing where no CPU was given, or where the kernel refuses (a cpuset that shrank): holds() is then false.
  void pin() {
    if (!asked_ || pinned_ || sched_getaffinity(0, sizeof before_, &before_) != 0) return;
    pinned_ = sched_setaffinity(0, sizeof cpus_, &cpus_) == 0;
  }

  // Whether the thread has exactly those CPUs now; a query may have changed it.
  bool holds() const {
    cpu_set_t now;
    return pinned_ && sched_getaffinity(0, sizeof now, &now) == 0 && CPU_EQUAL(&now, &cpus_);
  }

 private:
  const bool asked_;
  cpu_set_t cpus_;
  cpu_set_t before_;
  bool pinned_ = false;
};

}  // namespace paddle_mt

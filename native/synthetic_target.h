// Targets whose scaling is known: for self-tests, for measuring the harness itself, and as a control workload.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "target.h"

namespace paddle_mt {

struct SyntheticWork {
  double spin_ns = 0;          // arithmetic that takes this long on an idle core; 0: none
  double steps = 0;            // arithmetic of so many steps, however long they take; in place of spin_ns
  bool saturating = false;     // of a kind that fills a core's execution units; else one chain, which waits for itself
  bool exponential = false;    // spin times exponentially distributed with that mean instead of fixed
  double growth = 0;           // each further thread of the window makes the work this fraction longer
  double locked_fraction = 0;  // this fraction of the spin holds a lock that all targets of one call share
  std::size_t stream_bytes = 0;  // memory of its own that each query reads once
  std::size_t fault_bytes = 0;   // memory that each query maps, touches page by page and gives back
  double slow_thread = 0;        // thread 1 spins this fraction longer than the others
  bool one_core = false;         // every thread binds itself to the first of the CPUs that it may run on
  std::uint64_t fail_at = 0;     // query index that throws, in thread 0; 0: never
  std::uint64_t crash_at = 0;    // query index that reads memory which is not there, in thread 0; 0: never. For tests
  std::uint64_t seed = 0;
};

// `count` targets that share one lock. Without any work a target is null: it returns at once.
std::vector<std::shared_ptr<Target>> synthetic_targets(std::size_t count, const SyntheticWork& work);

}  // namespace paddle_mt

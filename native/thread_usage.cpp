#include "thread_usage.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "clock.h"

namespace paddle_mt {
namespace {

// The scheduler's own count, in the second field of schedstat.
std::optional<std::int64_t> run_delay_ns() {
  const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  char text[96];
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0) return std::nullopt;
  text[length] = '\0';
  char* after_first = nullptr;
  char* after_second = nullptr;
  std::strtoll(text, &after_first, 10);
  const long long waiting = std::strtoll(after_first, &after_second, 10);
  if (after_second == after_first) return std::nullopt;
  return waiting;
}

}  // namespace

ThreadUsage usage_of_this_thread() {
  ThreadUsage usage;
  rusage counters;
  if (getrusage(RUSAGE_THREAD, &counters) == 0) {
    usage.voluntary_switches = counters.ru_nvcsw;
    usage.involuntary_switches = counters.ru_nivcsw;
  }
  usage.run_delay_ns = run_delay_ns();
  timespec cpu;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  usage.cpu_ns = nanoseconds(cpu);
  usage.wall_ns = monotonic_ns();
  return usage;
}

ThreadUsage used_between(const ThreadUsage& before, const ThreadUsage& after) {
  ThreadUsage used;
  used.wall_ns = after.wall_ns - before.wall_ns;
  used.cpu_ns = after.cpu_ns - before.cpu_ns;
  used.voluntary_switches = after.voluntary_switches - before.voluntary_switches;
  used.involuntary_switches = after.involuntary_switches - before.involuntary_switches;
  if (before.run_delay_ns && after.run_delay_ns) used.run_delay_ns = *after.run_delay_ns - *before.run_delay_ns;
  return used;
}

}  // namespace paddle_mt

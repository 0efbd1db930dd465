#include "thread_usage.h"

#include <fcntl.h>
#include <sched.h>
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

// Those of the calling thread; none where there are more than a cpu_set_t has room for.
std::vector<int> allowed_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

}  // namespace

ThreadUsage usage_of_this_thread() {
  ThreadUsage usage;
  usage.cpus = allowed_cpus();
  rusage counters;
  if (getrusage(RUSAGE_THREAD, &counters) == 0) {
    usage.voluntary_switches = counters.ru_nvcsw;
    usage.involuntary_switches = counters.ru_nivcsw;
    usage.minor_faults = counters.ru_minflt;
    usage.system_ns = counters.ru_stime.tv_sec * std::int64_t{1'000'000'000} + counters.ru_stime.tv_usec * 1'000;
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
  used.system_ns = after.system_ns - before.system_ns;
  used.minor_faults = after.minor_faults - before.minor_faults;
  used.voluntary_switches = after.voluntary_switches - before.voluntary_switches;
  used.involuntary_switches = after.involuntary_switches - before.involuntary_switches;
  if (before.run_delay_ns && after.run_delay_ns) used.run_delay_ns = *after.run_delay_ns - *before.run_delay_ns;
  used.cpus = after.cpus;
  return used;
}

}  // namespace paddle_mt

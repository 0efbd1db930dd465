// Guarantees: what runs in the handler calls only functions that are safe there, and takes no lock. The process dies of
// its signal, whatever becomes of the report, within seconds.
#include "crash_report.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace paddle_mt {
namespace {

constexpr std::array<int, 5> kFaults = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};  // those of faulthandler
constexpr long kMoment_ns = 10'000'000;
constexpr int kPatience = 500;  // moments; the command needs two or three

// Written while faulthandler is disabled, read in the handler.
std::array<struct sigaction, kFaults.size()> g_before;
std::vector<std::string> g_words;
std::vector<char*> g_command;
int g_dump = -1;
int g_out = -1;
std::array<char, 1000> g_note;
std::atomic_flag g_crashed = ATOMIC_FLAG_INIT;

void wait_a_moment() {
  const timespec moment = {0, kMoment_ns};
  nanosleep(&moment, nullptr);
}

void write_out(const char* text, std::size_t length) {
  while (length > 0) {
    const ssize_t written = write(g_out, text, length);
    if (written <= 0) return;
    text += written;
    length -= static_cast<std::size_t>(written);
  }
}

// Runs the command on the stacks; false where it could not print them.
bool run_command() {
  // The kernel's own fork: that of the C library takes locks, which a crashed thread may hold.
  const long child = syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child < 0) return false;
  if (child == 0) {
    if (dup2(g_dump, STDIN_FILENO) >= 0 && dup2(g_out, STDOUT_FILENO) >= 0) {
      execve(g_command[0], g_command.data(), environ);
    }
    _exit(127);
  }
  for (int waited = 0; waited < kPatience; ++waited) {
    int status = 0;
    const pid_t ended = waitpid(static_cast<pid_t>(child), &status, WNOHANG);
    if (ended < 0) return errno == ECHILD;  // this process does not wait for its children, so it is gone
    if (ended > 0) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    wait_a_moment();
  }
  kill(static_cast<pid_t>(child), SIGKILL);
  return false;
}

void copy_stacks() {
  std::array<char, 512> some;
  for (ssize_t got = 0; (got = read(g_dump, some.data(), some.size())) > 0;) {
    write_out(some.data(), static_cast<std::size_t>(got));
  }
}

void report(int fault) {
  if (g_crashed.test_and_set()) {
    for (;;) pause();  // another thread's crash is being reported, and ends the process
  }
  // faulthandler may still be printing: then another thread crashed first, and its signal comes here afterwards.
  for (int moment = 0; moment < 5; ++moment) wait_a_moment();
  if (lseek(g_dump, 0, SEEK_CUR) > 0) {
    write_out(g_note.data(), std::strlen(g_note.data()));
    lseek(g_dump, 0, SEEK_SET);
    if (!run_command()) {
      lseek(g_dump, 0, SEEK_SET);
      copy_stacks();
    }
  }
  for (std::size_t i = 0; i < kFaults.size(); ++i) sigaction(kFaults[i], &g_before[i], nullptr);
  raise(fault);
}

}  // namespace

void report_crashes(int dump, int out, const std::vector<std::string>& command) {
  g_words = command;
  g_command.clear();
  for (std::string& word : g_words) g_command.push_back(word.data());
  g_command.push_back(nullptr);
  g_dump = dump;
  g_out = out;
  struct sigaction ours = {};
  ours.sa_handler = report;
  ours.sa_flags = SA_NODEFER | SA_ONSTACK;  // as faulthandler's: at once, and where the stack is used up, too
  sigemptyset(&ours.sa_mask);
  for (std::size_t i = 0; i < kFaults.size(); ++i) {
    struct sigaction known = {};
    sigaction(kFaults[i], &ours, &known);
    if (known.sa_handler != report) g_before[i] = known;
  }
}

void note_for_crashes(const std::string& line) {
  const std::size_t length = line.copy(g_note.data(), g_note.size() - 1);
  g_note[length] = '\0';
}

}  // namespace paddle_mt

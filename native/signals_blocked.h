// Keeps asynchronous signals with the caller's thread.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace paddle_mt {

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

}  // namespace paddle_mt

// What a crash of this process prints: less than Python's faulthandler, and once. Linux only.
#pragma once

#include <string>
#include <vector>

namespace paddle_mt {

// From now on, a fault signal ends in a short report. Install this while faulthandler is disabled and enable that
// afterwards, for the file `dump`: it writes its stacks there and passes the signal on to this. Then `command` is run
// with the stacks as its standard input and `out` as its output, and the signal goes to whoever had it before.
// Where nothing was written to `dump`, the signal is passed on and nothing printed. The last call counts.
void report_crashes(int dump, int out, const std::vector<std::string>& command);

// The line that a report begins with; empty for none. What is longer than 999 bytes is cut.
void note_for_crashes(const std::string& line);

}  // namespace paddle_mt

// The Python module: what of the core Python sees.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <utility>

#include "clock.h"
#include "closed_loop.h"
#include "crash_report.h"
#include "latency_bins.h"
#include "paddle_target.h"
#include "python_objects.h"
#include "synthetic_target.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace paddle_mt {
namespace {

using Int64Array = nb::ndarray<nb::numpy, const std::int64_t, nb::ndim<1>, nb::c_contig>;

// A view of one of a record's buffers, which keeps the record alive.
template <auto buffer>
Int64Array view(nb::handle_t<ThreadRecord> owner) {
  static const std::int64_t kNothing = 0;
  const std::vector<std::int64_t>& values = nb::cast<const ThreadRecord&>(owner).*buffer;
  return Int64Array(values.empty() ? &kNothing : values.data(), {values.size()}, owner);
}

std::pair<std::int64_t, std::int64_t> as_pair(const Interval& query) { return {query.start_ns, query.end_ns}; }

WindowRecord measure(ClosedLoop& loop, std::size_t threads, std::int64_t window_ns, std::uint64_t min_queries,
                     std::uint64_t expected_queries, std::int64_t warmup_ns, std::uint64_t warmup_queries,
                     std::size_t max_stored, std::vector<int> cpus) {
  WindowPlan plan;
  plan.window_ns = window_ns;
  plan.min_queries = min_queries;
  plan.expected_queries = expected_queries;
  plan.warmup_ns = warmup_ns;
  plan.warmup_queries = warmup_queries;
  plan.max_stored = max_stored;
  plan.cpus = std::move(cpus);
  const nb::gil_scoped_release without_gil;
  return loop.measure(threads, plan, [] {
    const nb::gil_scoped_acquire gil;
    // What a signal handler raised: KeyboardInterrupt as a rule.
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  });
}

// Calls `function` without arguments until `total_ns` have passed; the start and end of each call, monotonic, taken
// without running any Python code in between.
std::vector<std::pair<std::int64_t, std::int64_t>> time_calls(nb::handle function, std::int64_t total_ns) {
  std::vector<std::pair<std::int64_t, std::int64_t>> calls;
  const std::int64_t until_ns = monotonic_ns() + total_ns;
  std::int64_t end_ns = 0;
  do {
    const std::int64_t start_ns = monotonic_ns();
    PyObject* result = PyObject_CallNoArgs(function.ptr());
    end_ns = monotonic_ns();
    if (result == nullptr) throw nb::python_error();
    Py_DECREF(result);
    calls.emplace_back(start_ns, end_ns);
  } while (end_ns < until_ns);
  return calls;
}

std::vector<void*> pointers(const std::vector<std::uintptr_t>& addresses) {
  std::vector<void*> result;
  result.reserve(addresses.size());
  for (const std::uintptr_t address : addresses) result.push_back(reinterpret_cast<void*>(address));
  return result;
}

HostArray host_array(int type, std::vector<int> shape, const nb::bytes& content, Lod lod) {
  HostArray array;
  array.type = type;
  array.shape = std::move(shape);
  const auto* first = static_cast<const unsigned char*>(content.data());
  array.bytes.assign(first, first + content.size());
  array.lod = std::move(lod);
  return array;
}

}  // namespace

NB_MODULE(_native, m) {
  nb::set_leak_warnings(false);  // what a kept traceback still holds at exit is no leak
  m.doc() = "The measuring loop: C++ threads, no Python object inside.";
  m.attr("LATENCY_BINS") = kLatencyBins;
  m.attr("COMPILER") = __VERSION__;
  m.def("latency_bin", &latency_bin, "latency_ns"_a);
  m.def("monotonic_ns", &monotonic_ns);
  m.def("report_crashes", &report_crashes, "dump"_a, "out"_a, "command"_a);
  m.def("note_for_crashes", &note_for_crashes, "line"_a);
  m.def("time_calls", &time_calls, "function"_a, "total_ns"_a);

  nb::class_<Target>(m, "Target")
      .def("query", &Target::query, "index"_a, nb::call_guard<nb::gil_scoped_release>())
      .def("check", &Target::check, "index"_a, nb::call_guard<nb::gil_scoped_release>());

  nb::class_<SyntheticWork>(m, "SyntheticWork")
      .def(nb::init<>())
      .def_rw("spin_ns", &SyntheticWork::spin_ns)
      .def_rw("steps", &SyntheticWork::steps)
      .def_rw("saturating", &SyntheticWork::saturating)
      .def_rw("exponential", &SyntheticWork::exponential)
      .def_rw("growth", &SyntheticWork::growth)
      .def_rw("locked_fraction", &SyntheticWork::locked_fraction)
      .def_rw("stream_bytes", &SyntheticWork::stream_bytes)
      .def_rw("fault_bytes", &SyntheticWork::fault_bytes)
      .def_rw("slow_thread", &SyntheticWork::slow_thread)
      .def_rw("one_core", &SyntheticWork::one_core)
      .def_rw("fail_at", &SyntheticWork::fail_at)
      .def_rw("crash_at", &SyntheticWork::crash_at)
      .def_rw("seed", &SyntheticWork::seed);
  m.def("synthetic_targets", &synthetic_targets, "count"_a, "work"_a);

  nb::class_<PaddleApi>(m, "PaddleApi")
      .def(nb::init<const std::string&>(), "library"_a)
      .def_prop_ro("predictor_typeinfo",
                   [](const PaddleApi& api) { return reinterpret_cast<std::uintptr_t>(api.predictor_typeinfo); })
      .def_prop_ro("tensor_typeinfo",
                   [](const PaddleApi& api) { return reinterpret_cast<std::uintptr_t>(api.tensor_typeinfo); })
      .def("input_shapes",
           [](const PaddleApi& api, std::uintptr_t predictor) {
             return api.input_shapes(reinterpret_cast<void*>(predictor));
           })
      .def("input_types", [](const PaddleApi& api, std::uintptr_t predictor) {
        return api.input_types(reinterpret_cast<void*>(predictor));
      });
  m.def("interpreter_state_names", &interpreter_state_names);
  m.def("pointer_by_conduit", &pointer_by_conduit, "object"_a.none(), "abi"_a, "typeinfo"_a);
  m.def("pointer_by_layout", &pointer_by_layout, "object"_a);

  nb::class_<HostArray>(m, "HostArray")
      .def_static("make", &host_array, "type"_a, "shape"_a, "content"_a, "lod"_a = Lod())
      .def_ro("type", &HostArray::type)
      .def_ro("shape", &HostArray::shape)
      .def_prop_ro("content", [](const HostArray& array) {
        return nb::bytes(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
      });

  nb::class_<RightAnswers>(m, "RightAnswers")
      .def(
          "__init__",
          [](RightAnswers* self, std::vector<std::vector<std::optional<HostArray>>> of_sets) {
            new (self) RightAnswers{std::move(of_sets)};
          },
          "of_sets"_a);

  nb::class_<PaddleTarget, Target>(m, "PaddleTarget")
      .def(
          "__init__",
          [](PaddleTarget* self, std::shared_ptr<PaddleApi> api, std::uintptr_t predictor,
             const std::vector<std::uintptr_t>& inputs, const std::vector<std::uintptr_t>& outputs,
             std::vector<InputSet> input_sets, std::size_t first_set, std::shared_ptr<RightAnswers> right) {
            new (self) PaddleTarget(std::move(api), reinterpret_cast<void*>(predictor), pointers(inputs),
                                    pointers(outputs), std::move(input_sets), first_set, std::move(right));
          },
          "api"_a, "predictor"_a, "inputs"_a, "outputs"_a, "input_sets"_a, "first_set"_a = 0,
          "right"_a.none() = nb::none())
      .def_prop_ro("compared", &PaddleTarget::compared)
      .def("others",
           [](const PaddleTarget& target) {
             std::vector<std::pair<std::uint64_t, std::vector<HostArray>>> others;
             for (const OtherAnswer& one : target.others()) others.emplace_back(one.query, one.outputs);
             return others;
           })
      .def("outputs", &PaddleTarget::outputs, nb::rv_policy::copy);

  nb::class_<ThreadRecord>(m, "ThreadRecord")
      .def_ro("queries", &ThreadRecord::queries)
      .def_ro("first_completion_ns", &ThreadRecord::first_completion_ns)
      .def_ro("last_completion_ns", &ThreadRecord::last_completion_ns)
      .def_ro("busy_ns", &ThreadRecord::busy_ns)
      .def_prop_ro("starts_ns", &view<&ThreadRecord::starts_ns>)
      .def_prop_ro("ends_ns", &view<&ThreadRecord::ends_ns>)
      .def_prop_ro("bins", &view<&ThreadRecord::bins>)
      .def_prop_ro("at_opening_ns", [](const ThreadRecord& thread) { return as_pair(thread.at_opening); })
      .def_prop_ro("at_closing_ns", [](const ThreadRecord& thread) { return as_pair(thread.at_closing); })
      .def_ro("served_until_ns", &ThreadRecord::served_until_ns)
      .def_ro("served", &ThreadRecord::served)
      .def_ro("pinned", &ThreadRecord::pinned)
      .def_ro("wall_ns", &ThreadRecord::wall_ns)
      .def_ro("cpu_ns", &ThreadRecord::cpu_ns)
      .def_ro("system_ns", &ThreadRecord::system_ns)
      .def_ro("minor_faults", &ThreadRecord::minor_faults)
      .def_ro("cpus", &ThreadRecord::cpus)
      .def_ro("voluntary_switches", &ThreadRecord::voluntary_switches)
      .def_ro("involuntary_switches", &ThreadRecord::involuntary_switches)
      .def_ro("run_delay_ns", &ThreadRecord::run_delay_ns);

  nb::class_<Failure>(m, "Failure")
      .def_ro("thread", &Failure::thread)
      .def_ro("query", &Failure::query)
      .def_ro("message", &Failure::message);

  nb::class_<WindowRecord>(m, "WindowRecord")
      .def_ro("opened_ns", &WindowRecord::opened_ns)
      .def_ro("closed_ns", &WindowRecord::closed_ns)
      .def_ro("failure", &WindowRecord::failure)
      .def_ro("threads", &WindowRecord::threads);

  nb::class_<ClosedLoop>(m, "ClosedLoop")
      .def(nb::init<std::vector<std::shared_ptr<Target>>>(), "targets"_a)
      .def("measure", &measure, "threads"_a, nb::kw_only(), "window_ns"_a, "min_queries"_a, "expected_queries"_a = 0,
           "warmup_ns"_a, "warmup_queries"_a, "max_stored"_a, "cpus"_a = std::vector<int>())
      .def("close", &ClosedLoop::close, nb::call_guard<nb::gil_scoped_release>())
      .def("__len__", &ClosedLoop::size);
}

}  // namespace paddle_mt

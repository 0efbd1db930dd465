// Finds the C++ objects behind the Python objects of another module, which pybind11 made.
// With its .cpp and module.cpp the only file that knows Python.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace paddle_mt {

// The keys of the interpreter's own dict, where pybind11 keeps its state from Python 3.12 on.
std::vector<std::string> interpreter_state_names();

// The C++ object behind a pybind11 object, by pybind11's conduit. nullopt when that module speaks another ABI.
std::optional<std::uintptr_t> pointer_by_conduit(const nanobind::object& object, const std::string& abi,
                                                 std::uintptr_t typeinfo);

// The C++ object behind a pybind11 object, read from pybind11's simple layout. nullopt for an object that has not this
// layout or holds nothing.
std::optional<std::uintptr_t> pointer_by_layout(nanobind::handle object);

}  // namespace paddle_mt

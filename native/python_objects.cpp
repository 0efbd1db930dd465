#include "python_objects.h"

#include <nanobind/stl/string.h>

#include <stdexcept>

namespace nb = nanobind;

namespace paddle_mt {

std::vector<std::string> interpreter_state_names() {
  std::vector<std::string> names;
  nb::handle state = PyInterpreterState_GetDict(PyInterpreterState_Get());  // borrowed
  if (!state.is_valid()) return names;
  for (nb::handle key : nb::borrow<nb::dict>(state).keys()) {
    if (nb::isinstance<nb::str>(key)) names.push_back(nb::cast<std::string>(key));
  }
  return names;
}

std::optional<std::uintptr_t> pointer_by_conduit(const nb::object& object, const std::string& abi,
                                                 std::uintptr_t typeinfo) {
  nb::object type = nb::steal(PyCapsule_New(reinterpret_cast<void*>(typeinfo), "St9type_info", nullptr));
  if (!type.is_valid()) throw nb::python_error();
  nb::object conduit = nb::getattr(object, "_pybind11_conduit_v1_", nb::none());
  if (conduit.is_none()) return std::nullopt;
  nb::object capsule = conduit(nb::bytes(abi.c_str(), abi.size()), type, nb::bytes("raw_pointer_ephemeral"));
  if (capsule.is_none()) return std::nullopt;
  void* pointer = PyCapsule_GetPointer(capsule.ptr(), PyCapsule_GetName(capsule.ptr()));
  if (pointer == nullptr) throw nb::python_error();
  return reinterpret_cast<std::uintptr_t>(pointer);
}

std::optional<std::uintptr_t> pointer_by_layout(nb::handle object) {
  // pybind11's `instance` with one base and a holder of at most two words, a shared or unique pointer.
  struct SimpleInstance {
    PyObject head;
    void* value;
    void* holder[2];
    void* weak_references;
    unsigned char owned : 1;
    unsigned char simple_layout : 1;
  };
  // No smaller object has this layout, and none may be read beyond its end. By name: the stable ABI has no
  // tp_basicsize.
  const auto size = nb::cast<Py_ssize_t>(nb::getattr(object.type(), "__basicsize__"));
  if (size < static_cast<Py_ssize_t>(sizeof(SimpleInstance))) return std::nullopt;
  const auto* instance = reinterpret_cast<const SimpleInstance*>(object.ptr());
  if (!instance->simple_layout || instance->value == nullptr) return std::nullopt;
  return reinterpret_cast<std::uintptr_t>(instance->value);
}

}  // namespace paddle_mt

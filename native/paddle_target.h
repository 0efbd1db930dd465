// Serves queries with a paddle_infer::Predictor, through the functions that the loaded libpaddle exports.
// The only file, with its .cpp, that knows Paddle. No Paddle header is used, and nothing is linked: see PaddleApi.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "target.h"

namespace paddle_mt {

// paddle_infer::DataType, which counts from 0 in this order in 2.6.2 to 3.3.1.
enum class PaddleType : int {
  kFloat32 = 0,
  kInt64 = 1,
  kInt32 = 2,
  kUint8 = 3,
  kInt8 = 4,
  kFloat16 = 5,
  kBool = 6,
  kFloat64 = 7,
  kBfloat16 = 8,
};
constexpr int kPaddleTypes = 9;

// The functions of one loaded libpaddle, looked up by their mangled names and called without a header of Paddle's.
// Three things make that sound, and all three belong to Linux with libstdc++, on x86-64 and, untried, on AArch64:
//   * Member functions are called through pointers to free functions, which C++ leaves undefined. In the Itanium C++
//     ABI `this` is the first argument, after the hidden pointer to a result that is returned in memory, where there is
//     one (shape, input_shapes, input_types). On AArch64 that pointer has a register of its own, in both.
//   * std::vector, std::map and std::string cross the border, so both sides must lay them out alike: the same
//     libstdc++ with its C++11 ABI, which the symbols of Paddle's wheels name too (B5cxx11).
//   * Exceptions cross it: Paddle's errors derive from std::exception, and both sides unwind with the same libgcc.
// Before a predictor is measured it answers one query both ways (engines/native.py), which would show a mistake here.
#if !defined(__linux__) || !(defined(__x86_64__) || defined(__aarch64__)) || !defined(__GLIBCXX__)
#error "PaddleApi calls libpaddle by the ABI of Linux with libstdc++, on x86-64 or AArch64; on no other platform"
#endif
static_assert(_GLIBCXX_USE_CXX11_ABI == 1, "Paddle's wheels pass std::string by the C++11 ABI of libstdc++");
static_assert(sizeof(int) == sizeof(PaddleType), "Tensor::type() returns an enum class, which travels as an int");

// Level of detail: how the rows of an array make sequences, as offsets of each level.
using Lod = std::vector<std::vector<std::size_t>>;

class PaddleApi {
 public:
  // `library` is the path of the libpaddle that Python has loaded already. Throws std::runtime_error that names what is
  // missing when it is not loaded or does not export what is needed.
  explicit PaddleApi(const std::string& library);

  using CopyFromCpu = void (*)(void* tensor, const void* data);
  using CopyToCpu = void (*)(const void* tensor, void* data);
  using SetLod = void (*)(void* tensor, const Lod& lod);

  bool (*run)(void* predictor) = nullptr;
  void (*reshape)(void* tensor, const std::vector<int>& shape) = nullptr;
  std::vector<int> (*shape)(const void* tensor) = nullptr;
  int (*type)(const void* tensor) = nullptr;
  std::map<std::string, std::vector<std::int64_t>> (*input_shapes)(void* predictor) = nullptr;
  std::map<std::string, int> (*input_types)(void* predictor) = nullptr;
  const void* predictor_typeinfo = nullptr;
  const void* tensor_typeinfo = nullptr;
  CopyFromCpu copy_from_cpu[kPaddleTypes] = {};  // null where this Paddle has no such type
  CopyToCpu copy_to_cpu[kPaddleTypes] = {};
  SetLod set_lod = nullptr;  // null where this Paddle has none
};

// One array on the host.
struct HostArray {
  int type = 0;
  std::vector<int> shape;
  std::vector<unsigned char> bytes;
  Lod lod;  // empty: the input is no sequence
};

// One value for each input of a model, in the order of its input handles.
using InputSet = std::vector<HostArray>;

// What the outputs are to be, for each input set and in the order of the output handles. An input set without
// answers is not compared, and neither is an output that has none.
struct RightAnswers {
  std::vector<std::vector<std::optional<HostArray>>> of_sets;
};

// What a query answered that is not, byte by byte, what is right.
struct OtherAnswer {
  std::uint64_t query = 0;
  std::vector<HostArray> outputs;
};

// A query: copy every input in, run, copy every output out. Takes its input sets in turn, from `first_set` on.
class PaddleTarget final : public Target {
 public:
  // The pointers are borrowed: the caller keeps the predictor and its handles alive, and uses them from one thread at a
  // time, as long as this target exists. `right` may be null: nothing is compared. Throws std::invalid_argument when an
  // input set does not fit the handles, a type cannot be copied, or there are right answers for other input sets.
  PaddleTarget(std::shared_ptr<const PaddleApi> api, void* predictor, std::vector<void*> inputs,
               std::vector<void*> outputs, std::vector<InputSet> input_sets, std::size_t first_set = 0,
               std::shared_ptr<const RightAnswers> right = nullptr);

  void begin_window(std::size_t threads) override;
  void query(std::uint64_t index) override;
  void check(std::uint64_t index) override;

  // What the last query copied out, one array per output.
  const std::vector<HostArray>& outputs() const { return results_; }

  // How many answers of the warm-up of the last window were compared. The first few that differ are kept; those beyond
  // are not counted.
  std::uint64_t compared() const { return compared_; }
  const std::vector<OtherAnswer>& others() const { return others_; }

 private:
  void copy_in(const InputSet& set);
  void copy_out(std::size_t output);

  const std::shared_ptr<const PaddleApi> api_;
  void* const predictor_;
  const std::vector<void*> inputs_;
  const std::vector<void*> outputs_;
  const std::vector<InputSet> input_sets_;
  const std::size_t first_set_;
  const std::shared_ptr<const RightAnswers> right_;
  std::vector<HostArray> results_;
  std::uint64_t compared_ = 0;
  std::vector<OtherAnswer> others_;
};

}  // namespace paddle_mt

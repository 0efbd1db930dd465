// Serves queries with a paddle_infer::Predictor, through the functions that the loaded libpaddle exports.
// The only file, with its .cpp, that knows Paddle. No Paddle header is used, and nothing is linked: see PaddleApi.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
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

// Bytes of one element; throws std::invalid_argument for a number that is no PaddleType.
std::size_t element_size(int type);

// The functions of one loaded libpaddle, looked up by name.
class PaddleApi {
 public:
  // `library` is the path of the libpaddle that Python has loaded already. Throws std::runtime_error that names what is
  // missing when it is not loaded or does not export what is needed.
  explicit PaddleApi(const std::string& library);

  using CopyFromCpu = void (*)(void* tensor, const void* data);
  using CopyToCpu = void (*)(const void* tensor, void* data);

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
};

// One array on the host.
struct HostArray {
  int type = 0;
  std::vector<int> shape;
  std::vector<unsigned char> bytes;
};

// One value for each input of a model, in the order of its input handles.
using InputSet = std::vector<HostArray>;

// A query: copy every input in, run, copy every output out. Takes its input sets in turn.
class PaddleTarget final : public Target {
 public:
  // The pointers are borrowed: the caller keeps the predictor and its handles alive, and uses them from one thread at a
  // time, as long as this target exists. Throws std::invalid_argument when an input set does not fit the handles or a
  // type cannot be copied.
  PaddleTarget(std::shared_ptr<const PaddleApi> api, void* predictor, std::vector<void*> inputs,
               std::vector<void*> outputs, std::vector<InputSet> input_sets);

  void query(std::uint64_t index) override;

  // What the last query copied out, one array per output.
  const std::vector<HostArray>& outputs() const { return results_; }

 private:
  void copy_in(const InputSet& set);
  void copy_out(std::size_t output);

  const std::shared_ptr<const PaddleApi> api_;
  void* const predictor_;
  const std::vector<void*> inputs_;
  const std::vector<void*> outputs_;
  const std::vector<InputSet> input_sets_;
  std::vector<HostArray> results_;
};

}  // namespace paddle_mt

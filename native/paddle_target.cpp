#include "paddle_target.h"

#include <dlfcn.h>

#include <algorithm>
#include <stdexcept>

namespace paddle_mt {
namespace {

// Mangled name of a type as template argument (Itanium C++ ABI), and the size of one element.
struct TypeTraits {
  const char* mangled;
  std::size_t size;
};

constexpr TypeTraits kTypes[kPaddleTypes] = {
    {"f", 4}, {"l", 8}, {"i", 4},
    {"h", 1}, {"a", 1}, {"N3phi5dtype7float16E", 2},
    {"b", 1}, {"d", 8}, {"N3phi5dtype8bfloat16E", 2},
};

class Library {
 public:
  explicit Library(const std::string& path) : path_(path), handle_(dlopen(path.c_str(), RTLD_LAZY | RTLD_NOLOAD)) {
    if (handle_ == nullptr) throw std::runtime_error(path + " is not loaded in this process");
  }
  // RTLD_NOLOAD counted a reference; the library stays loaded by its owner.
  ~Library() { dlclose(handle_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  template <typename Function>
  void find(Function& function, const std::string& symbol) const {
    function = reinterpret_cast<Function>(dlsym(handle_, symbol.c_str()));
    if (function == nullptr) throw std::runtime_error(path_ + " does not export " + symbol);
  }

  template <typename Function>
  void find_if_any(Function& function, const std::string& symbol) const {
    function = reinterpret_cast<Function>(dlsym(handle_, symbol.c_str()));
  }

 private:
  const std::string path_;
  void* const handle_;
};

std::size_t elements(const std::vector<int>& shape) {
  std::size_t count = 1;
  for (const int extent : shape) count *= static_cast<std::size_t>(extent < 0 ? 0 : extent);
  return count;
}

// Answers that differ are kept up to this many of a thread and window: they may be large.
constexpr std::size_t kMostOthers = 4;

// Bytes of one element; throws std::invalid_argument for a number that is no PaddleType.
std::size_t element_size(int type) {
  if (type < 0 || type >= kPaddleTypes) {
    throw std::invalid_argument("data type number " + std::to_string(type) + " is not one of Paddle's");
  }
  return kTypes[type].size;
}

}  // namespace

PaddleApi::PaddleApi(const std::string& library) {
  const Library paddle(library);
  paddle.find(run, "_ZN12paddle_infer9Predictor3RunEv");
  paddle.find(reshape, "_ZN12paddle_infer6Tensor7ReshapeERKSt6vectorIiSaIiEE");
  paddle.find(shape, "_ZNK12paddle_infer6Tensor5shapeEv");
  paddle.find(type, "_ZNK12paddle_infer6Tensor4typeEv");
  paddle.find(input_shapes, "_ZN12paddle_infer9Predictor19GetInputTensorShapeB5cxx11Ev");
  paddle.find(input_types, "_ZN12paddle_infer9Predictor13GetInputTypesB5cxx11Ev");
  paddle.find(predictor_typeinfo, "_ZTIN12paddle_infer9PredictorE");
  paddle.find(tensor_typeinfo, "_ZTIN12paddle_infer6TensorE");
  paddle.find_if_any(set_lod, "_ZN12paddle_infer6Tensor6SetLoDERKSt6vectorIS1_ImSaImEESaIS3_EE");
  for (int i = 0; i < kPaddleTypes; ++i) {
    const std::string type = kTypes[i].mangled;
    paddle.find_if_any(copy_from_cpu[i], "_ZN12paddle_infer6Tensor11CopyFromCpuI" + type + "EEvPKT_");
    paddle.find_if_any(copy_to_cpu[i], "_ZNK12paddle_infer6Tensor9CopyToCpuI" + type + "EEvPT_");
  }
}

PaddleTarget::PaddleTarget(std::shared_ptr<const PaddleApi> api, void* predictor, std::vector<void*> inputs,
                           std::vector<void*> outputs, std::vector<InputSet> input_sets, std::size_t first_set,
                           std::shared_ptr<const RightAnswers> right)
    : api_(std::move(api)),
      predictor_(predictor),
      inputs_(std::move(inputs)),
      outputs_(std::move(outputs)),
      input_sets_(std::move(input_sets)),
      first_set_(first_set),
      right_(std::move(right)),
      results_(outputs_.size()) {
  if (input_sets_.empty()) throw std::invalid_argument("no input set was given");
  if (right_ && right_->of_sets.size() != input_sets_.size()) {
    throw std::invalid_argument("there are right answers for " + std::to_string(right_->of_sets.size()) + " of " +
                                std::to_string(input_sets_.size()) + " input sets");
  }
  for (const InputSet& set : input_sets_) {
    if (set.size() != inputs_.size()) {
      throw std::invalid_argument("an input set has " + std::to_string(set.size()) + " arrays for a model with " +
                                  std::to_string(inputs_.size()) + " inputs");
    }
    for (const HostArray& array : set) {
      if (array.bytes.size() != elements(array.shape) * element_size(array.type)) {
        throw std::invalid_argument("an input array has " + std::to_string(array.bytes.size()) + " bytes, " +
                                    std::to_string(elements(array.shape) * element_size(array.type)) +
                                    " by its shape and type");
      }
      if (api_->copy_from_cpu[array.type] == nullptr) {
        throw std::invalid_argument("this Paddle exports no copy for data type number " + std::to_string(array.type));
      }
      if (!array.lod.empty() && api_->set_lod == nullptr) {
        throw std::invalid_argument("this Paddle exports no SetLoD, which an input needs");
      }
    }
  }
}

void PaddleTarget::begin_window(std::size_t) {
  compared_ = 0;
  others_.clear();
}

void PaddleTarget::query(std::uint64_t index) {
  copy_in(input_sets_[(first_set_ + index) % input_sets_.size()]);
  if (!api_->run(predictor_)) throw std::runtime_error("paddle_infer::Predictor::Run() returned false");
  for (std::size_t output = 0; output < outputs_.size(); ++output) copy_out(output);
}

// Bytes alone are compared here: whoever reads the others decides whether they are near enough.
void PaddleTarget::check(std::uint64_t index) {
  if (!right_) return;
  const auto& right = right_->of_sets[(first_set_ + index) % input_sets_.size()];
  if (right.empty()) return;
  const auto same = [](const std::optional<HostArray>& one, const HostArray& other) {
    return !one || (one->type == other.type && one->shape == other.shape && one->bytes == other.bytes);
  };
  if (!std::equal(right.begin(), right.end(), results_.begin(), results_.end(), same)) {
    if (others_.size() == kMostOthers) return;
    others_.push_back({index, results_});
  }
  ++compared_;
}

void PaddleTarget::copy_in(const InputSet& set) {
  for (std::size_t i = 0; i < set.size(); ++i) {
    api_->reshape(inputs_[i], set[i].shape);
    api_->copy_from_cpu[set[i].type](inputs_[i], set[i].bytes.data());
    if (!set[i].lod.empty()) api_->set_lod(inputs_[i], set[i].lod);
  }
}

// CopyToCpu writes as many elements as the tensor has now, so the buffer is fitted to it before every copy.
void PaddleTarget::copy_out(std::size_t output) {
  HostArray& result = results_[output];
  const void* tensor = outputs_[output];
  result.type = api_->type(tensor);
  result.shape = api_->shape(tensor);
  const std::size_t count = elements(result.shape);
  result.bytes.resize(count * element_size(result.type));
  if (count == 0) return;
  const PaddleApi::CopyToCpu copy = api_->copy_to_cpu[result.type];
  if (copy == nullptr) {
    throw std::runtime_error("this Paddle exports no copy for data type number " + std::to_string(result.type));
  }
  copy(tensor, result.bytes.data());
}

}  // namespace paddle_mt

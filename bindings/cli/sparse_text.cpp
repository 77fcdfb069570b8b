#include "sparse_text.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "float_codes.h"

namespace quern::shell {
namespace {

using Parsed = nlohmann::json;

constexpr size_t kEntriesMax = 65535;  // the engine's limit
// From here on, a half step above the largest f32, numbers are rounded to infinity.
constexpr double kBeyondFloat = 0x1.ffffffp127;
constexpr const char* kWanted =
    "is not a sparse vector: wanted {\"dims\":[...],\"weights\":[...]} or {\"dimension\":weight, "
    "...}";

// An object, and its names as they stand. (An ordered_json looks through all names for each new
// one: a line of a quarter of a million of them took a minute.)
struct Object {
    Parsed members;
    std::vector<std::string> names;
};

// The text as an object. A name that is there twice is an error, not the last one's value.
bool ParseObject(const std::string& text, Object* object, std::string* problem) {
    std::set<std::string> names;
    std::string twice;
    const Parsed::parser_callback_t look = [&](int depth, Parsed::parse_event_t event,
                                               Parsed& parsed) {
        if (event == Parsed::parse_event_t::key && depth == 1) {
            const auto& name = parsed.get_ref<const std::string&>();
            object->names.push_back(name);
            if (!names.insert(name).second) {
                twice = name;
            }
        }
        return true;
    };
    object->members = Parsed::parse(text, look, false);
    if (!twice.empty()) {
        *problem = "'" + twice.substr(0, 40) + "' is there twice";
        return false;
    }
    if (!object->members.is_object()) {
        *problem = Quoted(text) + " " + kWanted;
        return false;
    }
    return true;
}

// of: what has the weight. JSON has no infinities, but numbers that are too large for f32.
bool TakeWeight(const Parsed& weight, const std::string& of, float* value, std::string* problem) {
    const double number = weight.is_number() ? weight.get<double>() : NAN;
    *value = std::fabs(number) < kBeyondFloat ? static_cast<float>(number) : NAN;
    if (!std::isfinite(*value)) {
        *problem = "the weight of " + of +
                   (std::isnan(number) ? " is not a finite number"
                                       : ", " + weight.dump() + ", is beyond f32 (3.4e38)");
    }
    return std::isfinite(*value);
}

bool AddEntry(const std::string& dimension, const Parsed& weight, uint64_t dims,
              SparseEntries* entries, std::string* problem) {
    int64_t number = 0;
    if (!ParseInt(dimension, &number) || number < 0 || static_cast<uint64_t>(number) >= dims) {
        *problem = "'" + dimension.substr(0, 40) + "' is not a dimension of the field (0 to " +
                   std::to_string(dims - 1) + ")";
        return false;
    }
    float value = 0;
    if (!TakeWeight(weight, "dimension " + dimension, &value, problem)) {
        return false;
    }
    entries->dims.push_back(static_cast<uint32_t>(number));
    entries->weights.push_back(value);
    return true;
}

bool TakeLists(const Object& object, uint64_t dims, SparseEntries* entries, std::string* problem) {
    const Parsed& list = object.members["dims"];
    const auto weights = object.members.find("weights");
    for (const std::string& name : object.names) {
        if (name != "dims" && name != "weights") {
            *problem = "\"" + name.substr(0, 40) + "\" beside \"dims\": only \"weights\" may be";
            return false;
        }
    }
    if (weights != object.members.end() &&
        (!weights->is_array() || weights->size() != list.size())) {
        *problem = "\"weights\" is not an array as long as \"dims\"";
        return false;
    }
    for (size_t i = 0; i < list.size(); i++) {
        if (!AddEntry(list[i].dump(-1, ' ', false, Parsed::error_handler_t::replace),
                      weights == object.members.end() ? Parsed(1) : (*weights)[i], dims, entries,
                      problem)) {
            return false;
        }
    }
    return true;
}

bool TakeObject(const Object& object, uint64_t dims, SparseEntries* entries, std::string* problem) {
    const auto list = object.members.find("dims");
    if (list != object.members.end() && list->is_array()) {
        return TakeLists(object, dims, entries, problem);
    }
    for (const std::string& name : object.names) {
        if (!AddEntry(name, object.members[name], dims, entries, problem)) {
            return false;
        }
    }
    return true;
}

bool TakeArrays(const Value& from, uint64_t dims, SparseEntries* entries, std::string* problem) {
    for (size_t i = 0; i < from.dims.size(); i++) {
        if (from.dims[i] >= dims) {
            *problem = "entry " + std::to_string(i) + " is of dimension " +
                       std::to_string(from.dims[i]) + ", the field has " + std::to_string(dims);
            return false;
        }
        if (!std::isfinite(from.numbers[i])) {
            *problem = "the weight of dimension " + std::to_string(from.dims[i]) +
                       " is not a finite number";
            return false;
        }
    }
    entries->dims.assign(from.dims.begin(), from.dims.end());
    entries->weights.assign(from.numbers.begin(), from.numbers.end());
    return true;
}

bool CheckWeights(bool binary, const SparseEntries& entries, std::string* problem) {
    const auto& weights = entries.weights;
    if (weights.size() > kEntriesMax) {
        *problem = std::to_string(weights.size()) + " entries, the limit is " +
                   std::to_string(kEntriesMax);
        return false;
    }
    if (binary && std::any_of(weights.begin(), weights.end(), [](float w) { return w != 1; })) {
        *problem = "a weight other than 1 in a binary field";
        return false;
    }
    return true;
}

}  // namespace

void SparseEntries::Clear() {
    present = false;
    dims.clear();
    weights.clear();
}

bool ConvertSparse(const Value& from, uint64_t dims, bool binary, SparseEntries* entries,
                   std::string* problem) {
    entries->Clear();
    if (from.kind == Value::Kind::kNull) {
        return true;
    }
    if (from.kind == Value::Kind::kSparse) {
        if (!TakeArrays(from, dims, entries, problem)) {
            return false;
        }
    } else {
        Object object;
        if (!ParseObject(from.text, &object, problem) ||
            !TakeObject(object, dims, entries, problem)) {
            return false;
        }
    }
    entries->present = true;
    if (!CheckWeights(binary, *entries, problem)) {
        return false;
    }
    std::vector<uint32_t> sorted = entries->dims;
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice != sorted.end()) {
        *problem = "dimension " + std::to_string(*twice) + " is there twice";
        return false;
    }
    return true;
}

bool ConvertTerms(const Value& from, bool binary, SparseEntries* entries,
                  std::vector<std::string>* terms, std::string* problem) {
    entries->Clear();
    if (from.kind == Value::Kind::kNull) {
        return true;
    }
    Object object;
    if (!ParseObject(from.text, &object, problem)) {
        return false;
    }
    for (const std::string& term : object.names) {
        float value = 0;
        if (!TakeWeight(object.members[term], Quoted(term), &value, problem)) {
            return false;
        }
        terms->push_back(term);
        entries->weights.push_back(value);
    }
    entries->present = true;
    return CheckWeights(binary, *entries, problem);
}

std::string SparseJson(const uint32_t* dims, const float* weights, size_t count) {
    std::string json = "{\"dims\":[";
    for (size_t i = 0; i < count; i++) {
        json += i > 0 ? "," : "";
        json += std::to_string(dims[i]);
    }
    json += "],\"weights\":[";
    for (size_t i = 0; i < count; i++) {
        json += i > 0 ? "," : "";
        AppendJsonFloat(weights[i], &json);
    }
    return json + "]}";
}

}  // namespace quern::shell

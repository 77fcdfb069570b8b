// Measurements that need a process of their own: one line of JSON comes back through a pipe.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace bench {

using Json = nlohmann::ordered_json;

// Runs this program anew with the arguments: a fresh image, so that no memory of this one counts.
// What it prints is its answer. Null when it failed.
Json RunAnew(const std::vector<std::string>& arguments);

// Runs the function in a fork, which has all data at hand and takes a crash with it. Its answer is
// what comes back; null when it failed.
Json RunApart(const std::function<Json()>& measure);

}  // namespace bench

// Reports as text: what is written reads as what was put in, by another's parser.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "storage/base/json.h"

using quern::Json;
using Parsed = nlohmann::ordered_json;

namespace {

// A random value, made with both.
std::pair<Json, Parsed> Random(std::mt19937_64* random, int depth) {
    static const char* const kTexts[] = {"", "a", "\"\\/\b\f\n\r\t\x01\x1f",
                                         "\u00e4\u6f22\U0001f600", "x\x7f"};
    switch ((*random)() % (depth > 3 ? 6 : 8)) {
        case 0: return {Json(), nullptr};
        case 1: return {Json(depth % 2 == 0), depth % 2 == 0};
        case 2: {
            const auto number = static_cast<int64_t>((*random)());
            return {Json(number), number};
        }
        case 3: {
            const uint64_t number = (*random)();
            return {Json(number), number};
        }
        case 4: {
            const double number = std::ldexp(static_cast<double>((*random)() % 100000),
                                             static_cast<int>((*random)() % 400) - 200);
            return {Json(number), number};
        }
        case 5: {
            const char* const text = kTexts[(*random)() % std::size(kTexts)];
            return {Json(text), text};
        }
        case 6: {
            std::pair<Json, Parsed> list{Json::Array(), Parsed::array()};
            for (uint64_t i = (*random)() % 4; i > 0; i--) {
                auto [ours, theirs] = Random(random, depth + 1);
                list.first.push_back(std::move(ours));
                list.second.push_back(std::move(theirs));
            }
            return list;
        }
        default: {
            std::pair<Json, Parsed> object{Json::Object(), Parsed::object()};
            for (uint64_t i = (*random)() % 4; i > 0; i--) {
                const std::string name = kTexts[i] + std::to_string(i);
                auto [ours, theirs] = Random(random, depth + 1);
                object.first[name] = std::move(ours);
                object.second[name] = std::move(theirs);
            }
            return object;
        }
    }
}

}  // namespace

TEST_CASE("made JSON reads as what was put in", "[json]") {
    std::mt19937_64 random(7);
    for (int trial = 0; trial < 2000; trial++) {
        auto [ours, theirs] = Random(&random, 0);
        const Parsed read = Parsed::parse(ours.Text(trial % 2 == 0 ? -1 : trial % 5));
        REQUIRE(read == theirs);
    }
}

TEST_CASE("made JSON keeps order, types, and what it can of bad texts", "[json]") {
    Json json = {{"b", 1}, {"a", true}, {"c", "kind"}};
    json["d"].push_back(1.0);
    json["d"].push_back(std::numeric_limits<double>::infinity());
    json["e"]["f"] = nullptr;
    json.Merge({{"a", -1.5f}, {"g", Json::Object()}, {"h", Json::Array()}});
    CHECK(json.Text() ==
          R"({"b":1,"a":-1.5,"c":"kind","d":[1.0,null],"e":{"f":null},"g":{},"h":[]})");
    CHECK(Json{{"a", Json::Array()}, {"b", Json{{"c", 1}}}}.Text(2) ==
          "{\n  \"a\": [],\n  \"b\": {\n    \"c\": 1\n  }\n}");
    CHECK(Json("a\xff\xc3(\xe6\xbc").Text() ==
          "\"a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\"");
    CHECK(Json(std::string("a\0b", 3)).Text() == "\"a\\u0000b\"");
    CHECK(Json(uint64_t{18446744073709551615u}).Text() == "18446744073709551615");
    CHECK(Json(std::numeric_limits<double>::quiet_NaN()).is_null());
    CHECK(json.at("nothing").is_null());
    CHECK(json.at("c").text() == "kind");
}

// Random conditions, and by their side what each means.
#include <algorithm>

#include "tests/sessions/model_record.h"

namespace sessions {
namespace {

Filter OneCondition(Random& random) {
    const auto year = static_cast<int64_t>(Pick(random, 0, 12)) + 2000;
    const auto more = static_cast<int64_t>(Pick(random, 0, 4));
    const double price = static_cast<double>(Pick(random, 0, 40)) / 4;
    const std::string title = "t" + std::to_string(Pick(random, 0, 15));
    const std::string tag = kWords[Pick(random, 0, kWords.size() - 1)];
    const std::string year_text = std::to_string(year);
    switch (Pick(random, 0, 13)) {
        case 0:
            return {"year >= " + year_text,
                    [=](int64_t, const Record& r) { return r.year && *r.year >= year; }};
        case 1:
            return {"year between " + year_text + " and " + std::to_string(year + more),
                    [=](int64_t, const Record& r) {
                        return r.year && *r.year >= year && *r.year <= year + more;
                    }};
        case 2: return {"year is null", [](int64_t, const Record& r) { return !r.year; }};
        case 3:
            return {"price < " + std::to_string(price) + " or good", [=](int64_t, const Record& r) {
                        return (r.price && *r.price < price) || (r.good && *r.good);
                    }};
        case 4:
            return {"title = '" + title + "'",
                    [=](int64_t, const Record& r) { return r.title && *r.title == title; }};
        case 5:
            return {"title in ('t1', '" + title + "', 't5')", [=](int64_t, const Record& r) {
                        return r.title &&
                               (*r.title == "t1" || *r.title == title || *r.title == "t5");
                    }};
        case 6:
            return {"tags has '" + tag + "'",
                    [=](int64_t, const Record& r) { return r.tags && r.tags->count(tag) != 0; }};
        case 7: return {"not good", [](int64_t, const Record& r) { return r.good && !*r.good; }};
        case 8:
            return {"id % 3 = " + std::to_string(more % 3),
                    [=](int64_t key, const Record&) { return key % 3 == more % 3; }};
        case 9: {
            std::vector<int64_t> keys;
            std::string text;
            for (size_t i = Pick(random, 1, 12); i > 0; i--) {
                keys.push_back(static_cast<int64_t>(Pick(random, 0, 300)));
                text.append(text.empty() ? "" : ", ").append(std::to_string(keys.back()));
            }
            return {"id in (" + text + ")", [=](int64_t key, const Record&) {
                        return std::find(keys.begin(), keys.end(), key) != keys.end();
                    }};
        }
        case 10:
            return {"json_extract(extra, '$.a') > " + std::to_string(more),
                    [=](int64_t, const Record& r) {
                        return r.extra && std::stoll(r.extra->substr(5)) > more;
                    }};
        case 11:
            return {"length(raw) >= " + std::to_string(more), [=](int64_t, const Record& r) {
                        return r.raw && static_cast<int64_t>(r.raw->size()) >= more;
                    }};
        case 12:
            return {"title like 't1%'", [](int64_t, const Record& r) {
                        return r.title && r.title->rfind("t1", 0) == 0;
                    }};
        default:
            return {"price is not null and year < " + year_text,
                    [=](int64_t, const Record& r) { return r.price && r.year && *r.year < year; }};
    }
}

}  // namespace

Filter RandomFilter(Random& random, bool combined) {
    const Filter first = OneCondition(random);
    const size_t how = combined ? Pick(random, 0, 3) : 0;
    if (how < 2) {
        return first;
    }
    const Filter second = OneCondition(random);
    const bool both = how == 2;
    return {"(" + first.text + (both ? ") and (" : ") or (") + second.text + ")",
            [=](int64_t key, const Record& r) {
                return both ? first.matches(key, r) && second.matches(key, r)
                            : first.matches(key, r) || second.matches(key, r);
            }};
}

}  // namespace sessions

#include "tests/bench/filtered/filtered_set.h"

#include <quern.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

#include "bindings/cli/byte_source.h"

namespace bench {
namespace {

using quern::shell::ByteSource;

constexpr int64_t kParts = 10000;  // a made attribute is a number below
constexpr size_t kAllQueries = 400;
constexpr size_t kNearQueries = 100;
constexpr double kShares[] = {1.0, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.001, 0.0001};

using Matches = std::function<bool(size_t row)>;

void AddCondition(const char* kind, const std::string& filter, bool near_pivot,
                  const Matches& matches, FilteredSet* set) {
    Condition condition;
    condition.kind = kind;
    condition.filter = filter;
    condition.near_pivot = near_pivot;
    condition.matching.resize(set->vectors.base.rows());
    for (size_t row = 0; row < condition.matching.size(); row++) {
        condition.matching[row] = matches(row) ? 1 : 0;
    }
    set->conditions.push_back(std::move(condition));
}

std::vector<int64_t> RandomNumbers(size_t rows) {
    std::mt19937 random(1);
    std::vector<int64_t> numbers(rows);
    for (int64_t& number : numbers) {
        number = static_cast<int64_t>(random() % kParts);
    }
    return numbers;
}

// In kParts equal parts, the nearest first.
std::vector<int64_t> RanksFromPivot(const FilteredSet& set) {
    const size_t rows = set.vectors.base.rows();
    std::vector<float> distances(rows);
    for (size_t row = 0; row < rows; row++) {
        distances[row] = set.Distance(0, row);
    }
    std::vector<size_t> order(rows);
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return distances[a] < distances[b]; });
    std::vector<int64_t> ranks(rows);
    for (size_t i = 0; i < rows; i++) {
        ranks[order[i]] = static_cast<int64_t>(i * kParts / rows);
    }
    return ranks;
}

void PickQueries(FilteredSet* set) {
    const VectorSet& vectors = set->vectors;
    const size_t count = vectors.queries.rows();
    for (size_t i = 0; i < std::min(kAllQueries, count); i++) {
        set->all_queries.push_back(i * count / std::min(kAllQueries, count));
    }
    std::vector<std::pair<double, size_t>> by_distance;
    for (size_t query = 1; query < count; query++) {
        double square = 0;
        for (size_t d = 0; d < vectors.base.dim; d++) {
            square += std::pow(static_cast<double>(vectors.queries.row(query)[d]) -
                                   static_cast<double>(vectors.queries.row(0)[d]),
                               2);
        }
        by_distance.emplace_back(square, query);
    }
    std::sort(by_distance.begin(), by_distance.end());
    by_distance.resize(std::min(kNearQueries, by_distance.size()));
    for (const auto& [distance, query] : by_distance) {
        set->near_queries.push_back(query);
    }
}

void MakeAttributes(FilteredSet* set) {
    set->attributes.push_back({"share", RandomNumbers(set->vectors.base.rows()), {}});
    set->attributes.push_back({"near", RanksFromPivot(*set), {}});
    const std::vector<int64_t> random = set->attributes[0].numbers;
    const std::vector<int64_t> ranks = set->attributes[1].numbers;
    for (const char* kind : {"random", "near", "far"}) {
        const bool far = kind == std::string("far");
        const bool ranked = kind != std::string("random");
        for (const double share : kShares) {
            const auto bound = static_cast<int64_t>(std::llround(share * kParts));
            const std::vector<int64_t>& numbers = ranked ? ranks : random;
            const std::string filter =
                far ? "near >= " + std::to_string(kParts - bound)
                    : (ranked ? "near < " : "share < ") + std::to_string(bound);
            AddCondition(
                kind, filter, true,
                [&](size_t row) {
                    return far ? numbers[row] >= kParts - bound : numbers[row] < bound;
                },
                set);
        }
    }
}

// The digits that the images show.
void AddLabels(const std::string& folder, FilteredSet* set) {
    const auto source = ByteSource::Open(folder + "labels.u8.npy.zst");
    std::string bytes(size_t{1} << 20, '\0');
    bytes.resize(source->Read(bytes.data(), bytes.size()));
    // The header of a .npy file tells its own length, less the ten bytes before it.
    const size_t header =
        10 + static_cast<uint8_t>(bytes.at(8)) + 256U * static_cast<uint8_t>(bytes.at(9));
    Attribute label{"label", {}, {}};
    for (size_t row = 0; row < set->vectors.base.rows(); row++) {
        label.numbers.push_back(static_cast<uint8_t>(bytes.at(header + row)));
    }
    const std::vector<int64_t> is = label.numbers;
    set->attributes.push_back(std::move(label));
    AddCondition(
        "label", "label = 3", false, [&](size_t row) { return is[row] == 3; }, set);
    AddCondition(
        "label", "label <> 3", false, [&](size_t row) { return is[row] != 3; }, set);
    AddCondition(
        "label", "label in (4, 7, 9)", false,
        [&](size_t row) { return is[row] == 4 || is[row] == 7 || is[row] == 9; }, set);
}

// Year and venue of papers.
void AddPapers(const std::string& folder, FilteredSet* set) {
    const auto source = ByteSource::Open(folder + "corpus.jsonl.zst");
    Attribute year{"year", {}, {}};
    Attribute venue{"venue", {}, {}};
    std::string line;
    for (size_t row = 0; row < set->vectors.base.rows() && source->ReadLine(&line); row++) {
        const auto object = nlohmann::json::parse(line);
        year.numbers.push_back(object.at("year"));
        venue.texts.push_back(object.at("venue"));
    }
    const std::vector<int64_t> years = year.numbers;
    const std::vector<std::string> venues = venue.texts;
    set->attributes.push_back(std::move(year));
    set->attributes.push_back(std::move(venue));
    const auto add = [&](const char* kind, const char* filter, const Matches& matches) {
        AddCondition(kind, filter, false, matches, set);
    };
    add("range", "year >= 2018", [&](size_t row) { return years[row] >= 2018; });
    add("range", "year between 2010 and 2014",
        [&](size_t row) { return years[row] >= 2010 && years[row] <= 2014; });
    add("range", "year < 1995", [&](size_t row) { return years[row] < 1995; });
    add("equality", "venue = 'emnlp'", [&](size_t row) { return venues[row] == "emnlp"; });
    add("equality", "venue = 'iwslt'", [&](size_t row) { return venues[row] == "iwslt"; });
    add("set", "venue in ('L', 'lrec', 'coling', 'C')", [&](size_t row) {
        return venues[row] == "L" || venues[row] == "lrec" || venues[row] == "coling" ||
               venues[row] == "C";
    });
    add("both", "year >= 2019 and venue in ('acl', 'emnlp')", [&](size_t row) {
        return years[row] >= 2019 && (venues[row] == "acl" || venues[row] == "emnlp");
    });
    add("both", "year between 2006 and 2008 and venue = 'L'",
        [&](size_t row) { return years[row] >= 2006 && years[row] <= 2008 && venues[row] == "L"; });
}

}  // namespace

size_t Condition::Count() const {
    return static_cast<size_t>(std::count(matching.begin(), matching.end(), 1));
}

float FilteredSet::Distance(size_t query, size_t row) const {
    const float* a = vectors.queries.row(query);
    const float* b = vectors.base.row(row);
    // Sums of their own, so that a compiler may use wide registers.
    float sums[8] = {};
    const size_t dim = vectors.base.dim;
    const bool l2 = vectors.space.metric == QUERN_L2;
    for (size_t d = 0; d < dim; d += 8) {
        for (size_t lane = 0; lane < std::min<size_t>(8, dim - d); lane++) {
            const float x = a[d + lane];
            const float y = b[d + lane];
            sums[lane] += l2 ? (x - y) * (x - y) : x * y;
        }
    }
    const float sum = std::accumulate(std::begin(sums), std::end(sums), 0.0F);
    return l2 ? sum : 1 - sum;
}

bool LoadFilteredSet(const SetRequest& request, FilteredSet* set, std::string* reason) {
    if (!LoadVectorSet(request, &set->vectors, reason)) {
        return false;
    }
    PickQueries(set);
    MakeAttributes(set);
    const std::string folder = request.data_dir + "/" + request.name + "/";
    if (request.name == "mnist784") {
        AddLabels(folder, set);
    } else if (request.name == "acl-anthology") {
        AddPapers(folder, set);
    }
    return true;
}

}  // namespace bench

#include "tests/bench/dense/serving.h"

#include <algorithm>
#include <stdexcept>

#include "tests/bench/bench_support.h"
#include "tests/bench/dense/row_file.h"
#include "tests/bench/dense/vector_set.h"

namespace bench {
namespace {

// Enough to touch what serving touches.
constexpr size_t kServedQueries = 200;

constexpr const char* kFigures[] = {"open_ms", "first_answer_ms", "resident_first_mib",
                                    "resident_all_mib"};

RivalKind KindOf(const std::string& slug) {
    for (const RivalKind& kind : AllRivals()) {
        if (kind.slug == slug) {
            return kind;
        }
    }
    throw std::runtime_error("there is no engine " + slug);
}

}  // namespace

std::vector<Json> MeasureServing(const std::vector<ServingRequest>& requests, size_t rounds) {
    std::vector<std::vector<Json>> answers(requests.size());
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < requests.size(); i++) {
            const ServingRequest& request = requests[i];
            const Json answer =
                RunAnew({"--serve", request.slug, "--index", request.index_path, "--queries",
                         request.query_path, "--effort", request.effort, "--metric",
                         std::to_string(request.metric)});
            if (!answer.is_null()) {
                answers[i].push_back(answer);
            }
        }
    }
    std::vector<Json> medians;
    for (size_t i = 0; i < requests.size(); i++) {
        const std::vector<Json>& rows = answers[i];
        Json median;
        for (const char* figure : kFigures) {
            std::vector<double> values;
            for (const Json& row : rows) {
                values.push_back(row.value(figure, 0.0));
            }
            if (!values.empty()) {
                median[figure] = Median(values);
            }
        }
        const RivalKind kind = KindOf(requests[i].slug);
        if (kind.content_mib && !median.is_null()) {
            median["content_mib"] = kind.content_mib(requests[i].index_path);
        }
        medians.push_back(median);
    }
    return medians;
}

int Serve(int argc, char** argv) {
    const RivalKind kind = KindOf(Argument(argc, argv, "--serve", ""));
    const std::string index = Argument(argc, argv, "--index", "");
    const std::string effort = Argument(argc, argv, "--effort", "");
    const Matrix queries = ReadRows(Argument(argc, argv, "--queries", ""));
    const Space space{queries.dim, std::atoi(Argument(argc, argv, "--metric", "0").c_str())};
    std::vector<uint32_t> found(kNearest);

    const double resident = ResidentMiB();
    const auto start = Clock::now();
    const auto rival = kind.make(space);
    rival->Load(index, 0);
    const double open_ms = SecondsSince(start) * 1e3;
    const auto searcher = rival->NewSearcher(effort);
    searcher->Search(queries.row(0), kNearest, found.data());
    const double first_ms = SecondsSince(start) * 1e3;
    const double resident_first = ResidentMiB() - resident;
    for (size_t i = 0; i < std::min(queries.rows(), kServedQueries); i++) {
        searcher->Search(queries.row(i), kNearest, found.data());
    }
    const double values[] = {open_ms, first_ms, resident_first, ResidentMiB() - resident};
    Json answer;
    for (size_t i = 0; i < std::size(kFigures); i++) {
        answer[kFigures[i]] = values[i];
    }
    std::printf("%s\n", answer.dump().c_str());
    return 0;
}

}  // namespace bench

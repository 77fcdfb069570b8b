#include "tests/bench/sparse/sparse_report.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/kernels/distance.h"
#include "tests/bench/bench_support.h"

namespace bench {
namespace {

using Json = nlohmann::ordered_json;

void Append(std::string* to, const char* format, ...) __attribute__((format(printf, 2, 3)));
void Append(std::string* to, const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    *to += text;
}

double Least(const std::vector<double>& values) {
    return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}
double Most(const std::vector<double>& values) {
    return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

// Of each round.
std::vector<double> Ratios(const std::vector<double>& of, const std::vector<double>& to) {
    std::vector<double> ratios;
    for (size_t i = 0; i < of.size(); i++) {
        ratios.push_back(of[i] / to[i]);
    }
    return ratios;
}

std::string Facts(const SparseReport& report) {
    std::string facts;
    Append(&facts, "%s: %zu records, %.1f million postings, %zu queries, superblocks of %u, %s",
           report.set.c_str(), report.records, static_cast<double>(report.postings) / 1e6,
           report.queries, report.superblock_rows, report.ordered ? "reordered" : "in given order");
    return facts;
}

// Bars: one for each way, its mean as a share of the floor's, with a mark for the p99.
std::string DrawBars(const SparseReport& report) {
    constexpr double kBar = 17;
    constexpr double kWide = 420;
    constexpr double kLeft = 200;
    std::string bars;
    double y = 64;
    size_t k = 0;
    double scale = 1;
    for (const SparseCell& cell : report.cells) {
        if (cell.k != k) {
            k = cell.k;
            scale = 0;
            for (const SparseCell& other : report.cells) {
                if (other.k == k && !other.way.forward) {
                    scale = std::max(scale, Median(other.p99s));
                }
            }
            y += 22;
            Append(&bars, "<text x='20' y='%.0f' font-weight='bold'>k = %zu</text>\n", y, k);
            y += 8;
        }
        if (cell.way.forward) {
            continue;
        }
        const double mean = Median(cell.means) / scale * kWide;
        const double p99 = Median(cell.p99s) / scale * kWide;
        Append(&bars, "<text x='%.0f' y='%.1f' text-anchor='end'>%s</text>\n", kLeft - 8, y + 13,
               cell.way.label.c_str());
        Append(&bars,
               "<rect x='%.0f' y='%.1f' width='%.1f' height='%.0f' fill='%s'/>\n"
               "<line x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f' stroke='#555' stroke-width='2'/>\n",
               kLeft, y, mean, kBar - 3,
               cell.way.slug == "floor" ? "#8c8c8c"
               : cell.way.exact()       ? "#0072b2"
                                        : "#56b4e9",
               kLeft + p99, kLeft + p99, y, y + kBar - 3);
        Append(&bars, "<text x='%.1f' y='%.1f'>%.0f us, x%.2f", kLeft + kWide + 12, y + 13,
               Median(cell.means), Median(cell.speedups));
        if (!cell.way.exact()) {
            Append(&bars, ", recall %.4f", cell.recall);
        }
        bars += "</text>\n";
        y += kBar;
    }
    std::string svg;
    Append(&svg,
           "<svg xmlns='http://www.w3.org/2000/svg' width='860' height='%.0f' "
           "font-family='sans-serif' font-size='12'>\n<rect width='100%%' height='100%%' "
           "fill='white'/>\n<text x='20' y='26' font-size='15'>%s</text>\n<text x='20' y='46' "
           "fill='#555'>CPU time a query: bar mean, mark p99; x: times as fast as exhaustive "
           "windows, %zu rounds</text>\n",
           y + 24, Facts(report).c_str(), report.rounds);
    return svg + bars + "</svg>\n";
}

Json CellJson(const SparseCell& cell) {
    return {{"way", cell.way.slug},
            {"k", cell.k},
            {"mean_us", cell.means},
            {"p50_us", cell.p50s},
            {"p99_us", cell.p99s},
            {"speedup", cell.speedups},
            {"p99_speedup", cell.p99_speedups},
            {"least_mean_us", cell.least.Mean()},
            {"least_p99_us", cell.least.Percentile(0.99)},
            {"least_speedup", cell.floor_least.Mean() / cell.least.Mean()},
            {"recall", cell.recall},
            {"differing_queries", cell.differing},
            {"superblocks_opened", cell.opened},
            {"postings_read", cell.read},
            {"records_scored", cell.scored}};
}

void PrintMasks(const std::vector<MaskCell>& cells) {
    std::printf("\n| allowed | share | k |");
    for (const MaskWay& way : cells[0].ways) {
        std::printf(" %s, us |", way.way.label.c_str());
    }
    std::printf(
        " best | chosen / best (least-most) |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (const MaskCell& cell : cells) {
        std::printf("| %s | %.4f | %zu |", cell.mask.c_str(), cell.allowed, cell.k);
        for (const MaskWay& way : cell.ways) {
            std::printf(" %.1f%s |", Median(way.means), way.tried_only ? " (tried)" : "");
        }
        std::printf(" %s | **%.2f** (%.2f-%.2f) |\n", cell.ways[cell.best].way.label.c_str(),
                    Median(cell.ratios), Least(cell.ratios), Most(cell.ratios));
    }
}

Json MaskJson(const MaskCell& cell) {
    Json json = {{"mask", cell.mask}, {"allowed", cell.allowed}, {"k", cell.k}};
    for (const MaskWay& way : cell.ways) {
        json["mean_us"][way.way.slug] = way.means;
    }
    json["best"] = cell.ways[cell.best].way.slug;
    json["chosen_to_best"] = cell.ratios;
    return json;
}

}  // namespace

void PrintSparseReport(const SparseReport& report) {
    std::printf(
        "\n## %s\n\n%s. SIMD level %s, medians of %zu rounds, and in [ ] "
        "what each query's least time of these comes to.\n",
        Facts(report).c_str(), report.origin.c_str(), quern::kernels::SimdLevel(), report.rounds);
    std::printf("Bytes a posting: %.2f hot, %.2f with the forward copy (weights as %s). ",
                report.hot_bytes, report.full_bytes, report.weights.c_str());
    if (report.build_us > 0) {
        std::printf("Microseconds a posting: %.3f to build, %.3f to order, %.3f for the graph.",
                    report.build_us, report.order_us, report.link_us);
    }
    std::printf("\n");
    if (!report.builds.empty()) {
        std::printf(
            "\n| threads | to order, us a posting by the clock | times one thread (least-most) | "
            "to build | times one thread |\n|---|---|---|---|---|\n");
    }
    for (const BuildTime& time : report.builds) {
        const std::vector<double> order = Ratios(report.builds[0].order_us, time.order_us);
        const std::vector<double> build = Ratios(report.builds[0].build_us, time.build_us);
        std::printf("| %d | %.3f | %.2f (%.2f-%.2f) | %.3f | %.2f (%.2f-%.2f) |\n", time.threads,
                    Median(time.order_us), Median(order), Least(order), Most(order),
                    Median(time.build_us), Median(build), Least(build), Most(build));
    }
    std::string under = "?";
    for (const SparseCell& cell : report.cells) {
        const std::string condition = "k = " + std::to_string(cell.k);
        if (condition != under) {
            under = condition;
            std::printf("\n**%s**\n\n", condition.c_str());
            std::printf(
                "| way | mean us | p50 | p99 | times the floor (least-most) | p99 times | "
                "recall | differ | superblocks | postings read | scored |\n"
                "|---|---|---|---|---|---|---|---|---|---|---|\n");
        }
        const Pass& least = cell.least;
        const Pass& floor = cell.floor_least;
        std::printf(
            "| %s | %.0f [%.0f] | %.0f | %.0f [%.0f] | **%.2f** (%.2f-%.2f) [%.2f] | %.2f [%.2f] | "
            "%.4f | %zu | %.1f | %.0f | %.1f |\n",
            cell.way.label.c_str(), Median(cell.means), least.Mean(), Median(cell.p50s),
            Median(cell.p99s), least.Percentile(0.99), Median(cell.speedups), Least(cell.speedups),
            Most(cell.speedups), floor.Mean() / least.Mean(), Median(cell.p99_speedups),
            floor.Percentile(0.99) / least.Percentile(0.99), cell.recall, cell.differing,
            cell.opened, cell.read, cell.scored);
    }
    if (!report.masks.empty()) {
        PrintMasks(report.masks);
    }
    std::fflush(stdout);
}

void WriteSparseReport(const SparseReport& report, const std::string& directory) {
    std::filesystem::create_directories(directory);
    const std::string stem = directory + "/sparse-" + report.set;
    Json json = {{"set", report.set},
                 {"origin", report.origin},
                 {"records", report.records},
                 {"postings", report.postings},
                 {"queries", report.queries},
                 {"superblock_rows", report.superblock_rows},
                 {"ordered", report.ordered},
                 {"simd_level", quern::kernels::SimdLevel()},
                 {"order_us_per_posting", report.order_us},
                 {"build_us_per_posting", report.build_us},
                 {"link_us_per_posting", report.link_us},
                 {"hot_bytes_per_posting", report.hot_bytes},
                 {"full_bytes_per_posting", report.full_bytes},
                 {"weights", report.weights}};
    for (const BuildTime& time : report.builds) {
        json["builds"].push_back({{"threads", time.threads},
                                  {"order_us_per_posting", time.order_us},
                                  {"build_us_per_posting", time.build_us}});
    }
    for (const SparseCell& cell : report.cells) {
        json["cells"].push_back(CellJson(cell));
    }
    for (const MaskCell& cell : report.masks) {
        json["masks"].push_back(MaskJson(cell));
    }
    std::ofstream(stem + ".json") << json.dump(1) << "\n";
    std::ofstream(stem + ".svg") << DrawBars(report);
}

}  // namespace bench

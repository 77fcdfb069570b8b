#include "tests/bench/dense/dense_report.h"

#include <quern.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "tests/bench/bench_support.h"
#include "tests/bench/dense/curve.h"
#include "tests/bench/dense/curve_svg.h"

namespace bench {
namespace {

// What all others are set beside, where it takes part; else the first engine.
constexpr const char* kBase = "hnswlib";

const EngineReport& BaseOf(const SetReport& report) {
    for (const EngineReport& engine : report.engines) {
        if (engine.contestant.kind.slug == kBase) {
            return engine;
        }
    }
    return report.engines.front();
}

std::string Format(const char* format, double value) {
    char text[64];
    std::snprintf(text, sizeof text, format, value);
    return text;
}

std::string SpeedCell(const EngineReport& engine, const EngineReport& base, double recall,
                      size_t rounds) {
    const auto ratio =
        RatioAt(Front(engine.contestant.points), Front(base.contestant.points), recall, rounds);
    if (!ratio) {
        // Either has no such recall: the plain figure says more than nothing.
        const auto speed = MedianAt(Front(engine.contestant.points), recall);
        return speed ? Format("(%.0f/s)", *speed) : "-";
    }
    const int digits = ratio->median < 0.1 ? 3 : 2;
    char text[96];
    std::snprintf(text, sizeof text, "**%.*f** (%.*f-%.*f)", digits, ratio->median, digits,
                  ratio->least, digits, ratio->most);
    return text;
}

std::string ServingCell(const EngineReport& engine, const char* figure, const char* format) {
    return engine.serving.contains(figure) ? Format(format, engine.serving[figure].get<double>())
                                           : "-";
}

// The file's size to that of what it holds; nothing where the engine does not tell.
std::optional<double> FileRatio(const EngineReport& engine) {
    const double content =
        engine.serving.is_object() ? engine.serving.value("content_mib", 0.0) : 0;
    return content > 0 ? std::optional<double>(engine.file_mib / content) : std::nullopt;
}

std::string Facts(const SetReport& report) {
    const VectorSet& set = *report.set;
    return std::to_string(set.base.rows()) + " x " + std::to_string(set.space.dim) + ", " +
           MetricName(set.space.metric) + ", " + std::to_string(set.queries.rows()) +
           " queries, k = " + std::to_string(kNearest) + ", " + std::to_string(report.threads) +
           (report.threads == 1 ? " thread" : " threads") + ", medians of " +
           std::to_string(report.rounds) + " rounds";
}

void PrintSpeeds(const SetReport& report) {
    const EngineReport& base = BaseOf(report);
    const auto base_front = Front(base.contestant.points);
    std::printf("%s answers", base.contestant.kind.label.c_str());
    const char* separator = " ";
    for (const double recall : kTargets) {
        const auto speed = MedianAt(base_front, recall);
        std::printf("%s%s at %.3g", separator, speed ? Format("%.0f", *speed).c_str() : "-",
                    recall);
        separator = ", ";
    }
    std::printf(
        " queries per CPU second at that recall.\nTimes as many (median of the ratios of single "
        "rounds; least and most):\n\n| engine |");
    for (const double recall : kTargets) {
        std::printf(" recall %.3g |", recall);
    }
    std::printf(
        " best recall | build s | file MiB | file / content | resident MiB | first answer ms "
        "|\n|---|");
    for (size_t i = 0; i < std::size(kTargets) + 6; i++) {
        std::printf("---|");
    }
    std::printf("\n");
    for (const EngineReport& engine : report.engines) {
        std::printf("| %s |", engine.contestant.kind.label.c_str());
        for (const double recall : kTargets) {
            std::printf(" %s |", SpeedCell(engine, base, recall, report.rounds).c_str());
        }
        const auto front = Front(engine.contestant.points);
        const auto file_ratio = FileRatio(engine);
        std::printf(" %s | %s | %.1f | %s | %s | %s |\n",
                    front.empty() ? "-" : Format("%.4f", front.back()->recall).c_str(),
                    engine.build_seconds < 0 ? "-" : Format("%.1f", engine.build_seconds).c_str(),
                    engine.file_mib, file_ratio ? Format("%.2f", *file_ratio).c_str() : "-",
                    ServingCell(engine, "resident_all_mib", "%.0f").c_str(),
                    ServingCell(engine, "first_answer_ms", "%.1f").c_str());
    }
}

void PrintInserts(const SetReport& report) {
    if (report.inserts.empty()) {
        return;
    }
    std::printf(
        "\nOne thread inserts into %zu rows, another searches; medians:\n\n"
        "| engine | rows/s | searches/s | p50 ms (alone) | p99 ms (alone) "
        "|\n|---|---|---|---|---|\n",
        report.inserts.front()["start_rows"].get<size_t>());
    for (const Json& way : report.inserts) {
        const auto figure = [&](const char* name) { return way[name].get<double>(); };
        std::printf("| %s | %.0f | %.0f | %.3f (%.3f) | %.3f (%.3f) |\n",
                    way["label"].get<std::string>().c_str(), figure("rows_per_second"),
                    figure("searches_per_second"), figure("during_p50_ms"), figure("alone_p50_ms"),
                    figure("during_p99_ms"), figure("alone_p99_ms"));
    }
}

Json PointJson(const Point& point) {
    Json json = {{"effort", point.effort}, {"recall", point.recall}};
    json["warm_up_cpu_seconds"] = point.warm_up.cpu_seconds;
    if (!point.rounds.empty()) {
        json["cpu_qps"] = point.CpuQps();
        json["wall_qps"] = point.WallQps();
        for (const Pass& pass : point.rounds) {
            json["cpu_seconds"].push_back(pass.cpu_seconds);
            json["wall_seconds"].push_back(pass.wall_seconds);
        }
    }
    return json;
}

Json EngineJson(const EngineReport& engine, const EngineReport& base, size_t rounds) {
    const auto front = Front(engine.contestant.points);
    Json json = {{"engine", engine.contestant.kind.slug}, {"label", engine.contestant.kind.label}};
    if (engine.build_seconds >= 0) {
        json["build_seconds"] = engine.build_seconds;
    }
    json["built_in_this_run"] = engine.built_now;
    json["file_mib"] = engine.file_mib;
    if (const auto ratio = FileRatio(engine)) {
        json["file_to_content"] = *ratio;
    }
    json["serving"] = engine.serving;
    for (const double recall : kTargets) {
        Json at = {{"recall", recall}};
        if (const auto speed = MedianAt(front, recall)) {
            at["cpu_qps"] = *speed;
        }
        if (const auto ratio = RatioAt(front, Front(base.contestant.points), recall, rounds)) {
            at["to"] = base.contestant.kind.slug;
            at["ratio_of_medians"] = ratio->of_medians;
            at["median_of_ratios"] = ratio->median;
            at["least"] = ratio->least;
            at["most"] = ratio->most;
        }
        json["at"].push_back(at);
    }
    for (const Point& point : engine.contestant.points) {
        json["points"].push_back(PointJson(point));
    }
    return json;
}

void WriteText(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    if (!file.flush()) {
        std::fprintf(stderr, "%s: cannot be written\n", path.c_str());
    }
}

}  // namespace

Json DescribeMachine() {
    std::string model = "unknown";
    std::ifstream processors("/proc/cpuinfo");
    for (std::string line; std::getline(processors, line);) {
        if (line.starts_with("model name")) {
            model = line.substr(line.find(':') + 2);
            break;
        }
    }
    return {{"processor", model},
            {"processors", std::thread::hardware_concurrency()},
            {"quern", quern_build_info()}};
}

void PrintReport(const SetReport& report) {
    std::printf("\n## %s\n\n%s; %s.\n", report.set->name.c_str(), Facts(report).c_str(),
                report.set->origin.c_str());
    PrintSpeeds(report);
    PrintInserts(report);
    std::fflush(stdout);
}

void WriteReport(const SetReport& report, const std::string& directory) {
    const VectorSet& set = *report.set;
    const EngineReport& base = BaseOf(report);
    Json json;
    json["machine"] = DescribeMachine();
    json["set"] = {{"name", set.name},
                   {"rows", set.base.rows()},
                   {"dim", set.space.dim},
                   {"metric", MetricName(set.space.metric)},
                   {"queries", set.queries.rows()},
                   {"origin", set.origin}};
    json["k"] = kNearest;
    json["rounds"] = report.rounds;
    json["threads"] = report.threads;
    json["build_threads"] = report.build_threads;
    CurvePicture picture;
    picture.title = set.name;
    picture.subtitle = Facts(report);
    for (const EngineReport& engine : report.engines) {
        json["engines"].push_back(EngineJson(engine, base, report.rounds));
        picture.lines.push_back({engine.contestant.kind.label, Front(engine.contestant.points),
                                 engine.contestant.kind.slug.starts_with("quern")});
    }
    json["insert_while_search"] = report.inserts;
    std::filesystem::create_directories(directory);
    WriteText(directory + "/" + set.name + ".json", json.dump(1) + "\n");
    WriteText(directory + "/" + set.name + ".svg", DrawCurves(picture));
}

}  // namespace bench

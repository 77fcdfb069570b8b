#include "run_figures.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "progress_bar.h"
#include "result_cells.h"
#include "search_figures.h"

namespace quern::shell {

double RunFigures::Recall() const {
    return wanted == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(wanted);
}

double RunFigures::PerSecond(size_t queries) const {
    return total_seconds > 0 ? static_cast<double>(queries) / total_seconds : 0;
}

std::string RunFigures::Json(size_t queries, bool with_truth, bool batch) const {
    nlohmann::ordered_json figures{{"queries", queries}};
    if (with_truth) {
        figures["recall"] = Recall();
        figures["true_ids_found"] = hits;
        figures["true_ids"] = wanted;
    }
    figures["mode"] = batch ? "batch" : "single";
    figures["queries_per_second"] = PerSecond(queries);
    figures["first_query_ms"] = first_seconds * 1e3;
    if (!batch) {
        figures["latency_ms"] = {{"p50", Percentile(latencies, 0.50) * 1e3},
                                 {"p95", Percentile(latencies, 0.95) * 1e3},
                                 {"p99", Percentile(latencies, 0.99) * 1e3}};
    }
    const std::string text = figures.dump();
    return "," + text.substr(1, text.size() - 2);
}

void RunFigures::Print(size_t queries, size_t k, bool batch, bool behind_hits) const {
    std::string text = behind_hits ? "\n" : "";
    text += "queries      " + WithCommas(queries) + "\n";
    if (k > 0) {
        char recall[32];
        std::snprintf(recall, sizeof(recall), "%.4f", Recall());
        const std::string name = "recall@" + std::to_string(k);
        text += name + std::string(name.size() < 12 ? 13 - name.size() : 1, ' ') + recall + "  (" +
                WithCommas(hits) + " of " + WithCommas(wanted) +
                " true ids found; ids decide, so a tie at the last place may count as a miss)\n";
    }
    text += "queries/s    " + WithCommas(static_cast<uint64_t>(PerSecond(queries) + 0.5)) +
            (batch ? "  (all in one call)\n" : "  (one by one)\n");
    if (!batch) {
        text += "latency      p50 " + DurationText(Percentile(latencies, 0.50)) + "  p95 " +
                DurationText(Percentile(latencies, 0.95)) + "  p99 " +
                DurationText(Percentile(latencies, 0.99)) + "\n";
    }
    text += "first query  " + DurationText(first_seconds) +
            "  (loads the vectors; not counted above)\n";
    shell::Print(text);
}

}  // namespace quern::shell

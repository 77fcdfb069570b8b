#include "engine/dense/insertion_order.h"

#include <algorithm>
#include <atomic>

#include "engine/dense/node_inserter.h"
#include "storage/base/parallel.h"

namespace quern::dense {

namespace {

class Arranger {
public:
    Arranger(const VectorRows& rows, const InsertionCodes& codes, BuildingGraph* graph, int threads,
             Work* work)
        : rows_(rows),
          codes_(codes),
          graph_(*graph),
          threads_(threads),
          work_(work),
          ranks_(rows.count, 0) {}

    // Ranks the nodes of a level, all of them, by those of the level above; the highest comes
    // first.
    Status Rank(const std::vector<uint32_t>& nodes, int level) {
        QUERN_TRY(Place(nodes, level + 1));
        for (size_t i = 0; i < placed_.size(); i++) {
            ranks_[placed_[i].node] = static_cast<uint32_t>(i);
        }
        return {};
    }
    // Puts nodes into the order of the ranks of a level.
    Status Place(const std::vector<uint32_t>& nodes, int level) {
        placed_.resize(nodes.size());
        std::atomic<size_t> next{0};
        QUERN_TRY(RunOnThreads(threads_, [&](int) -> Status {
            NodeInserter inserter(rows_, codes_, 1, &graph_);
            while (true) {
                const size_t first = next.fetch_add(kAtOnce);
                if (first >= nodes.size()) {
                    return {};
                }
                for (size_t i = first; i < std::min(nodes.size(), first + kAtOnce); i++) {
                    const uint32_t near = graph_.Level(nodes[i]) >= level
                                              ? nodes[i]
                                              : inserter.Approach(nodes[i], level);
                    placed_[i] = {near == kNoNode ? 0 : ranks_[near], nodes[i], near};
                }
                QUERN_TRY(work_->Check("order nodes", first, nodes.size()));
            }
        }));
        std::stable_sort(placed_.begin(), placed_.end(),
                         [](const Placed& a, const Placed& b) { return a.rank < b.rank; });
        return {};
    }
    void Take(InsertionOrder* order) const {
        for (const Placed& placed : placed_) {
            order->nodes.push_back(placed.node);
            order->near.push_back(placed.near);
        }
    }

private:
    static constexpr size_t kAtOnce = 64;
    struct Placed {
        uint32_t rank;  // of the node that it is near to
        uint32_t node;
        uint32_t near;
    };
    const VectorRows& rows_;
    const InsertionCodes& codes_;
    BuildingGraph& graph_;
    int threads_;
    Work* work_;
    std::vector<uint32_t> ranks_;
    std::vector<Placed> placed_;
};

}  // namespace

Result<InsertionOrder> InsertionOrder::Of(const std::vector<uint32_t>& base,
                                          const std::vector<uint32_t>& upper,
                                          const VectorRows& rows, const InsertionCodes& codes,
                                          BuildingGraph* graph, int threads, Work* work) {
    Arranger arranger(rows, codes, graph, threads, work);
    std::vector<uint32_t> on;
    for (int level = graph->entry().level; level > 0; level--) {
        on.clear();
        std::copy_if(upper.begin(), upper.end(), std::back_inserter(on),
                     [&](uint32_t node) { return graph->Level(node) >= level; });
        QUERN_TRY(arranger.Rank(on, level));
    }
    QUERN_TRY(arranger.Place(base, 1));
    InsertionOrder order;
    arranger.Take(&order);
    return Result<InsertionOrder>(std::move(order));
}

}  // namespace quern::dense

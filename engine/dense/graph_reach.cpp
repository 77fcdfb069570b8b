#include "engine/dense/graph_reach.h"

#include <algorithm>

#include "engine/dense/graph_walk.h"
#include "engine/dense/row_query.h"
#include "engine/dense/row_scorer.h"

namespace quern::dense {

namespace {

constexpr size_t kPool = 64;        // of the walk to the neighbourhood of a node nobody leads to
constexpr size_t kLargePool = 512;  // where all of these have full lists

class Mender {
public:
    Mender(const VectorRows& rows, GraphLinks* links)
        : rows_(rows),
          links_(links),
          base_(reinterpret_cast<uint32_t*>(links->base.data())),
          parents_(links->count, kNoNode) {}

    Status Run(const std::vector<uint32_t>& nodes, Work* work) {
        Reach(links_->entry, links_->entry);
        for (size_t i = 0; i < nodes.size(); i++) {
            if (Seen(nodes[i])) {
                continue;
            }
            QUERN_TRY(work->Check("build index", i, nodes.size()));
            QUERN_TRY(LeadTo(nodes[i], nodes, work));
        }
        FindLeavers();
        for (size_t i = 0; i < nodes.size(); i++) {
            if (!leaves_[nodes[i]]) {
                QUERN_TRY(work->Check("build index", i, nodes.size()));
                QUERN_TRY(LeadOutOf(nodes[i], work));
            }
        }
        return {};
    }

private:
    bool Seen(uint32_t node) const { return parents_[node] != kNoNode; }
    uint32_t* List(uint32_t node) { return base_ + static_cast<size_t>(node) * links_->degree; }

    // The node, and all that its links lead to.
    void Reach(uint32_t node, uint32_t parent) {
        parents_[node] = parent;
        open_.push_back(node);
        while (!open_.empty()) {
            const uint32_t from = open_.back();
            open_.pop_back();
            const uint32_t* list = List(from);
            for (uint32_t i = 0; i < links_->degree && list[i] != kNoNode; i++) {
                if (!Seen(list[i])) {
                    parents_[list[i]] = from;
                    open_.push_back(list[i]);
                }
            }
        }
    }

    // Takes a free place of a node's list, or else one of the first `spare`, whose link nothing
    // depends on: lists have the farthest first.
    bool Place(uint32_t from, uint32_t to, size_t spare) {
        uint32_t* list = List(from);
        uint32_t* const end = list + links_->degree;
        uint32_t* place = std::find(list, end, kNoNode);
        if (place == end) {
            uint32_t* const kept = list + spare;
            place = std::find_if(list, kept, [&](uint32_t node) { return parents_[node] != from; });
            if (place == kept) {
                return false;
            }
        }
        *place = to;
        return true;
    }
    bool Link(uint32_t from, uint32_t to, size_t spare) {
        if (!Seen(from) || !Place(from, to, spare)) {
            return false;
        }
        Reach(to, from);
        return true;
    }

    // Free places first, wherever they are: under inner product a whole group leads to its longest
    // vector, and when each that nobody led to took a place there, it lost its links to the next
    // longest, which most of its queries look for (.80 to .95 of what pools of 500 should find).
    Status LeadTo(uint32_t node, const std::vector<uint32_t>& nodes, Work* work) {
        near_.clear();
        // Insertion has measured these: they are near.
        for (uint32_t i = 0; i < links_->degree && List(node)[i] != kNoNode; i++) {
            near_.push_back(List(node)[i]);
            if (Link(near_.back(), node, 0)) {
                return {};
            }
        }
        query_.Set(rows_, node);
        RowScorer scorer(rows_, query_.get());
        for (const size_t pool : {kPool, kLargePool}) {
            QUERN_TRY(Walk(*links_, scorer, WalkEnd{pool}, &space_, work));
            // Upper levels may have led to where base links do not.
            for (size_t i = 0; i < space_.size; i++) {
                near_.push_back(space_.node(i));
                if (Link(near_.back(), node, 0)) {
                    return {};
                }
            }
        }
        if (std::any_of(near_.begin(), near_.end(),
                        [&](uint32_t near) { return Link(near, node, links_->degree / 2); })) {
            return {};
        }
        for (; any_ < nodes.size(); any_++) {
            if (Link(nodes[any_], node, links_->degree)) {
                return {};
            }
        }
        any_ = 0;
        return {};
    }

    // Which nodes have links that lead to the entry in the end: those that links lead to it from.
    void FindLeavers() {
        const size_t count = links_->count;
        ends_.assign(count + 1, 0);
        const auto for_links = [&](const auto& use) {
            for (uint32_t node = 0; node < count; node++) {
                const uint32_t* list = List(node);
                for (uint32_t i = 0; i < links_->degree && list[i] != kNoNode; i++) {
                    use(node, list[i]);
                }
            }
        };
        for_links([&](uint32_t, uint32_t to) { ends_[to]++; });
        size_t sum = 0;
        for (size_t& end : ends_) {
            sum += end;
            end = sum;
        }
        from_.resize(sum);
        // Afterwards ends_ are where each begins; the last entry is where all end.
        for_links([&](uint32_t from, uint32_t to) { from_[--ends_[to]] = from; });
        leaves_.assign(count, false);
        Leaves(links_->entry);
    }

    // The node can leave, and all from which links lead to it.
    void Leaves(uint32_t node) {
        leaves_[node] = true;
        open_.push_back(node);
        while (!open_.empty()) {
            const uint32_t to = open_.back();
            open_.pop_back();
            for (size_t i = ends_[to]; i < ends_[to + 1]; i++) {
                if (!leaves_[from_[i]]) {
                    leaves_[from_[i]] = true;
                    open_.push_back(from_[i]);
                }
            }
        }
    }

    // A link from a node of a group without a way out to the nearest outside that is found.
    Status LeadOutOf(uint32_t node, Work* work) {
        query_.Set(rows_, node);
        RowScorer scorer(rows_, query_.get());
        const WalkEnd end{kPool};
        uint32_t entry = links_->entry;
        float distance = 0;
        scorer.Score(&entry, 1, &distance);
        space_.Begin(links_->count, end);
        space_.Mark(entry);
        space_.Insert(entry, distance);
        QUERN_TRY(WalkOn(*links_, scorer, end, &space_, work));
        uint32_t outside = entry;
        for (size_t i = 0; i < space_.size; i++) {
            if (leaves_[space_.node(i)]) {
                outside = space_.node(i);
                break;
            }
        }
        if (Place(node, outside, links_->degree)) {
            Leaves(node);
        }
        return {};
    }

    const VectorRows& rows_;
    GraphLinks* links_;
    uint32_t* base_;
    std::vector<bool> leaves_;       // whose links lead to the entry in the end
    std::vector<uint32_t> from_;     // of each node those that have links to it ...
    std::vector<size_t> ends_;       // ... which begin there
    std::vector<uint32_t> parents_;  // from where a node was met; kNoNode: it was not
    std::vector<uint32_t> open_;
    std::vector<uint32_t> near_;  // to the one that is to be led to
    size_t any_ = 0;  // of the nodes, the first that may have a place for a link to anywhere
    RowQuery query_;
    WalkSpace space_;
};

}  // namespace

Status MendReach(const VectorRows& rows, const std::vector<uint32_t>& nodes, GraphLinks* links,
                 Work* work) {
    if (links->entry == kNoNode) {
        return {};
    }
    return Mender(rows, links).Run(nodes, work);
}

}  // namespace quern::dense

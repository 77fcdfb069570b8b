#include "engine/dense/graph_reach.h"

#include "engine/dense/graph_walk.h"
#include "engine/dense/row_query.h"
#include "engine/dense/row_scorer.h"

namespace quern::dense {

namespace {

constexpr size_t kPool = 64;  // of the walk to the neighbourhood of a node nobody leads to

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

    // Takes a free place of a node's list, or else the last whose link nothing depends on.
    bool Link(uint32_t from, uint32_t to) {
        uint32_t* list = List(from);
        for (uint32_t i = links_->degree; i-- > 0;) {
            const bool is_first_free = list[i] == kNoNode && (i == 0 || list[i - 1] != kNoNode);
            if (is_first_free || (list[i] != kNoNode && parents_[list[i]] != from)) {
                list[i] = to;
                Reach(to, from);
                return true;
            }
        }
        return false;
    }

    Status LeadTo(uint32_t node, const std::vector<uint32_t>& nodes, Work* work) {
        // Insertion has measured these: they are near.
        for (uint32_t i = 0; i < links_->degree && List(node)[i] != kNoNode; i++) {
            if (Seen(List(node)[i]) && Link(List(node)[i], node)) {
                return {};
            }
        }
        query_.Set(rows_, node);
        RowScorer scorer(rows_, query_.get());
        QUERN_TRY(Walk(*links_, scorer, WalkEnd{kPool}, &space_, work));
        for (size_t i = 0; i < space_.size; i++) {
            // Upper levels may have led to where base links do not.
            if (Seen(space_.node(i)) && Link(space_.node(i), node)) {
                return {};
            }
        }
        for (; any_ < nodes.size(); any_++) {
            if (Seen(nodes[any_]) && Link(nodes[any_], node)) {
                return {};
            }
        }
        any_ = 0;
        return {};
    }

    const VectorRows& rows_;
    GraphLinks* links_;
    uint32_t* base_;
    std::vector<uint32_t> parents_;  // from where a node was met; kNoNode: it was not
    std::vector<uint32_t> open_;
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

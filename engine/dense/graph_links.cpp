#include "engine/dense/graph_links.h"

namespace quern::dense {

namespace {

Status BadLinks(const char* what) {
    return Status::Error(Code::kCorrupt, "graph: %s", what);
}

// Numbers below `limit`, then only kNoNode. Without branches: millions of lists are proved before
// the first answer.
bool IsList(const uint32_t* links, uint32_t degree, uint32_t limit) {
    uint32_t bad = links[0] >= limit && links[0] != kNoNode ? 1 : 0;
    for (uint32_t i = 1; i < degree; i++) {
        const uint32_t is_number = links[i] != kNoNode ? 1 : 0;
        const uint32_t too_large = links[i] >= limit ? 1 : 0;
        const uint32_t behind_end = links[i - 1] == kNoNode ? 1 : 0;
        bad |= is_number & (too_large | behind_end);
    }
    return bad == 0;
}

}  // namespace

Status GraphLinks::Validate() {
    if (degree < 1 || degree > kDegreeMax || upper_degree < 1 || upper_degree > kDegreeMax) {
        return BadLinks("impossible degree");
    }
    if (base.bytes() != static_cast<size_t>(count) * degree * sizeof(uint32_t)) {
        return BadLinks("its links have the wrong size");
    }
    if (count >= UINT32_MAX / 2 || (entry != kNoNode && entry >= count)) {
        return BadLinks("no such entry");
    }
    for (uint32_t node = 0; node < count; node++) {
        if (!IsList(Neighbours(node), degree, count)) {
            return BadLinks("a link goes nowhere");
        }
    }
    upper_offsets.clear();
    size_t at = 0;
    uint32_t previous = 0;
    while (at < upper_words.size()) {
        if (upper_words.size() - at < 2 || upper_words[at] >= count || upper_words[at + 1] < 1 ||
            upper_words[at + 1] > kLevelMax ||
            (!upper_offsets.empty() && upper_words[at] <= previous)) {
            return BadLinks("an upper node is damaged");
        }
        const size_t words = 2 + static_cast<size_t>(upper_words[at + 1]) * upper_degree;
        if (upper_words.size() - at < words) {
            return BadLinks("an upper list is cut short");
        }
        previous = upper_words[at];
        upper_offsets.push_back(static_cast<uint32_t>(at));
        at += words;
    }
    if (at > UINT32_MAX) {
        return BadLinks("too many upper links");
    }
    const auto uppers = static_cast<uint32_t>(upper_offsets.size());
    for (uint32_t upper = 0; upper < uppers; upper++) {
        for (uint32_t level = 1; level <= UpperLevel(upper); level++) {
            const uint32_t* links = UpperNeighbours(upper, level);
            if (!IsList(links, upper_degree, uppers)) {
                return BadLinks("an upper link goes nowhere");
            }
            for (uint32_t i = 0; i < upper_degree && links[i] != kNoNode; i++) {
                if (UpperLevel(links[i]) < level) {
                    return BadLinks("an upper link ends below its level");
                }
            }
        }
    }
    if (upper_entry != kNoNode && (upper_entry >= uppers || UpperNode(upper_entry) != entry)) {
        return BadLinks("no such upper entry");
    }
    return {};
}

void GraphLinks::Pack() {
    constexpr uint32_t kShortMask = 0xffffff;
    constexpr size_t kSpare = 4;  // the last place is read as four bytes
    const size_t places = static_cast<size_t>(count) * degree;
    if (count >= kShortMask || place_bytes != 4 || places < kSpare) {
        return;
    }
    char* bytes = base.data();
    // Each writes a byte too many, which the next one, or nobody, needs: it never is one of a place
    // that was not read yet.
    for (size_t i = 0; i < places; i++) {
        std::memmove(bytes + i * 3, bytes + i * 4, 4);
    }
    base.Shrink(places * 3 + kSpare);
    place_bytes = 3;
    place_mask = kShortMask;
}

std::vector<bool> GraphLinks::Reachable() const {
    std::vector<bool> seen(count, false);
    std::vector<uint32_t> open;
    if (entry != kNoNode) {
        seen[entry] = true;
        open.push_back(entry);
    }
    while (!open.empty()) {
        const uint32_t from = open.back();
        open.pop_back();
        ForNeighbours(from, [&](uint32_t neighbour) {
            if (!seen[neighbour]) {
                seen[neighbour] = true;
                open.push_back(neighbour);
            }
        });
    }
    return seen;
}

}  // namespace quern::dense

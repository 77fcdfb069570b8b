// A search over cells that vectors known to be good lead to, beside those whose centres are near.
// Which cells: the overlap rule of CluSD (Yang et al., 2024), the most of the best records first;
// its learned selector is not here.
#include <algorithm>

#include "engine/dense/list_index.h"

namespace quern::dense {

namespace {

// A guide of rank r (from 0) counts for 1 / (kRankShare + r): the first ten about alike, the
// hundredth for a tenth of them.
constexpr float kRankShare = 10;

}  // namespace

void ListIndex::CellOfEach(uint32_t* out) const {
    std::fill_n(out, count_, kNoCell);
    for (size_t cell = 0; cell < cell_count(); cell++) {
        const auto [begin, end] = Cell(cell);
        for (size_t place = begin; place < end; place++) {
            out[NumberAt(place)] = static_cast<uint32_t>(cell);
        }
    }
}

void ListIndex::ChooseGuided(const ListQuery& query, ListSpace* space) const {
    std::vector<std::pair<uint32_t, float>> overlaps;  // cell, how much of the guides is in it
    for (size_t rank = 0; rank < query.guides.size(); rank++) {
        if (query.guides[rank] != kNoCell) {
            overlaps.emplace_back(query.guides[rank], 1 / (kRankShare + static_cast<float>(rank)));
        }
    }
    std::stable_sort(overlaps.begin(), overlaps.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    size_t cells = 0;
    for (size_t i = 0; i < overlaps.size(); i++) {
        if (cells > 0 && overlaps[cells - 1].first == overlaps[i].first) {
            overlaps[cells - 1].second += overlaps[i].second;
        } else {
            overlaps[cells++] = overlaps[i];
        }
    }
    overlaps.resize(cells);
    std::sort(overlaps.begin(), overlaps.end(), [&](const auto& a, const auto& b) {
        return a.second != b.second ? a.second > b.second
               : space->nearness[a.first] != space->nearness[b.first]
                   ? space->nearness[a.first] < space->nearness[b.first]
                   : a.first < b.first;
    });
    const size_t probes = std::min(std::max<size_t>(1, query.effort.nprobe), cell_count());
    Rank(probes, space);
    space->cells.clear();
    space->seen.assign(cell_count(), 0);
    const auto add = [&](uint32_t cell) {
        const bool fresh = space->seen[cell] == 0;
        if (fresh) {
            space->seen[cell] = 1;
            space->cells.push_back(cell);
        }
        return fresh;
    };
    if (!query.guides_within) {
        for (size_t i = 0; i < probes; i++) {
            add(space->order[i]);
        }
        for (size_t i = 0; i < overlaps.size() && space->guided < probes; i++) {
            space->guided += add(overlaps[i].first) ? 1 : 0;
        }
        return;
    }
    // The nearest one first, then in turn.
    size_t next = 0;
    for (size_t i = 0; i < probes && space->cells.size() < probes; i++) {
        add(space->order[i]);
        while (next < overlaps.size() && space->cells.size() < probes) {
            if (add(overlaps[next++].first)) {
                space->guided++;
                break;
            }
        }
    }
}

// Those of the `wanted` nearest cells that were not looked at yet.
Status ListIndex::ScanUnseen(const ListQuery& query, size_t wanted, CellRows* rows,
                             ListSpace* space, Work* work) const {
    Rank(wanted, space);
    space->cells.clear();
    for (size_t i = 0; i < wanted; i++) {
        if (space->seen[space->order[i]] == 0) {
            space->seen[space->order[i]] = 1;
            space->cells.push_back(space->order[i]);
        }
    }
    return Scan(query, space->cells.data(), space->cells.size(), rows, space, work);
}

Status ListIndex::SearchGuided(const ListQuery& query, CellRows* rows, ListSpace* space,
                               Work* work) const {
    ChooseGuided(query, space);
    QUERN_TRY(Scan(query, space->cells.data(), space->cells.size(), rows, space, work));
    for (size_t wanted = std::max<size_t>(1, query.effort.nprobe);
         space->pool.size() < query.k && !space->stopped && wanted < cell_count();) {
        wanted = std::min(cell_count(), wanted * 2);
        QUERN_TRY(ScanUnseen(query, wanted, rows, space, work));
    }
    return {};
}

}  // namespace quern::dense

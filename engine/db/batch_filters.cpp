#include "engine/db/batch_filters.h"

#include <map>

#include "engine/db/query_choice.h"

namespace quern {

namespace {

// The arguments of a query: its own where it has any.
RecordFilter FilterOf(const RecordFilter& all, size_t query) {
    RecordFilter filter = all;
    filter.of_queries.clear();
    const auto own = all.of_queries.find(query);
    for (size_t i = 0; own != all.of_queries.end() && i < own->second.size(); i++) {
        if (own->second[i].bound) {
            filter.arguments[i] = own->second[i];
        }
    }
    return filter;
}

// The queries that have the same filter, in the order of the first of each.
struct Group {
    RecordFilter filter;
    std::vector<size_t> queries;
    ResultTable table;
};

// Adds the rows of one query of a table to another.
void AddRows(const ResultTable& from, size_t query, size_t bytes_at, ResultTable* to) {
    const size_t begin = from.offsets[query];
    const size_t end = from.offsets[query + 1];
    const auto add = [&](const auto& source, size_t width, auto* out) {
        if (!source.empty()) {
            out->insert(out->end(), source.begin() + static_cast<ptrdiff_t>(begin * width),
                        source.begin() + static_cast<ptrdiff_t>(end * width));
        }
    };
    add(from.int_keys, 1, &to->int_keys);
    add(from.text_keys, 1, &to->text_keys);
    add(from.distances, 1, &to->distances);
    add(from.scores, 1, &to->scores);
    add(from.leg_scores, from.leg_count, &to->leg_scores);
    add(from.leg_shares, from.leg_count, &to->leg_shares);
    add(from.groups, 1, &to->groups);
    const size_t first = to->values.size();
    add(from.values, from.columns.size(), &to->values);
    for (size_t i = first; i < to->values.size(); i++) {
        to->values[i].offset += bytes_at;
    }
    to->offsets.push_back(to->offsets.back() + (end - begin));
}

// All is as exact as the least exact of the searches.
void AddTold(const ResultTable& from, bool first, ResultTable* to) {
    constexpr uint32_t kExact = 1;
    to->flags = first ? from.flags
                      : ((to->flags | from.flags) & ~kExact) | (to->flags & from.flags & kExact);
    to->tally.expected_recall =
        first ? from.tally.expected_recall
              : std::min(to->tally.expected_recall, from.tally.expected_recall);
    to->tally.Add(from.tally);
    to->trace.Add(from.trace);
    to->legs.resize(from.legs.size());
    for (size_t leg = 0; leg < from.legs.size(); leg++) {
        to->legs[leg].tally.Add(from.legs[leg].tally);
        to->legs[leg].lists += from.legs[leg].lists;
        to->legs[leg].hits += from.legs[leg].hits;
        to->legs[leg].looked_up += from.legs[leg].looked_up;
    }
}

}  // namespace

Status SearchWithFilters(
    const SearchRequest& request, bool each, uint64_t rows_max, ResultTable* table,
    const std::function<Status(const SearchRequest& request, ResultTable* table)>& search) {
    const size_t count = QueryCount(request);
    const auto& own = request.filter.of_queries;
    const size_t last = own.empty() ? 0 : own.rbegin()->first;
    if (last >= count) {
        return Status::Error(Code::kInvalid,
                             "values are bound for query number %zu, and there are %zu queries",
                             last, count);
    }
    std::vector<Group> groups;
    std::map<std::string, size_t> known;
    std::vector<std::pair<size_t, size_t>> where(count);  // group, and query there
    for (size_t q = 0; q < count; q++) {
        RecordFilter filter = FilterOf(request.filter, q);
        const std::string name = each ? std::to_string(q) : NameOf(filter);
        const auto [place, fresh] = known.emplace(name, groups.size());
        if (fresh) {
            groups.emplace_back().filter = std::move(filter);
        }
        Group& group = groups[place->second];
        where[q] = {place->second, group.queries.size()};
        group.queries.push_back(q);
    }
    std::vector<size_t> bytes_at;
    uint64_t rows = 0;
    for (size_t g = 0; g < groups.size(); g++) {
        Group& group = groups[g];
        QueryChoice choice(group.queries);
        SearchRequest some;
        QUERN_TRY(choice.Take(request, &some));
        some.filter = group.filter;
        const Status status = search(some, &group.table);
        if (!status.ok()) {
            return groups.size() == 1
                       ? status
                       : Status(status).WithContext("query " + std::to_string(group.queries[0]));
        }
        AddTold(group.table, g == 0, table);
        rows += group.table.row_count();
        if (rows > rows_max) {
            return Status::Error(Code::kLimit, "the result has more than %llu rows",
                                 static_cast<unsigned long long>(rows_max));
        }
        table->bytes.resize((table->bytes.size() + 15) / 16 * 16);
        bytes_at.push_back(table->bytes.size());
        table->bytes.append(group.table.bytes);
        Bytes().swap(group.table.bytes);
    }
    table->columns = groups[0].table.columns;
    table->key_type = groups[0].table.key_type;
    table->leg_count = groups[0].table.leg_count;
    for (const auto& [group, query] : where) {
        AddRows(groups[group].table, query, bytes_at[group], table);
    }
    return {};
}

}  // namespace quern

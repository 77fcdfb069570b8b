#include "engine/filter/record_order.h"

#include <algorithm>
#include <bit>

namespace quern::filter {

namespace {

class OrderReader {
public:
    OrderReader(const std::vector<Token>& tokens, const Subject& subject)
        : tokens_(tokens), subject_(subject) {}

    Result<RecordOrder> Read() {
        while (true) {
            QUERN_TRY(ReadTerm());
            if (tokens_[at_].kind == TokenKind::kEnd) {
                return std::move(order_);
            }
            if (!tokens_[at_].Is(",")) {
                return Wrong("a comma, asc, desc, nulls first or nulls last is needed here");
            }
            at_++;
        }
    }

private:
    Status Wrong(const std::string& what) const {
        return Mistake(Code::kSql, tokens_[at_].begin, what, kOrderSubject);
    }
    bool TakeWord(const char* word) {
        const bool is = tokens_[at_].IsWord(word);
        at_ += is ? 1 : 0;
        return is;
    }

    Status ReadTerm() {
        const Token& name = tokens_[at_];
        if (name.kind != TokenKind::kName && name.kind != TokenKind::kQuotedName) {
            return Wrong("the name of an attribute, or of the key, is needed here");
        }
        const Schema& schema = *subject_.schema;
        const bool key = SameName(name.text, schema.key_name);
        OrderTerm term;
        term.column = schema.FindAttr(name.text);
        if (!key && term.column < 0) {
            return Mistake(Code::kUnknownField, name.begin,
                           "there is no attribute '" + name.text + "'", kOrderSubject);
        }
        at_++;
        term.descending = TakeWord("desc");
        if (!term.descending) {
            TakeWord("asc");
        }
        if (TakeWord("nulls")) {
            term.nulls_first = TakeWord("first");
            if (!term.nulls_first && !TakeWord("last")) {
                return Wrong("first or last is needed behind nulls");
            }
        }
        Add(key, term);
        return {};
    }

    // What comes behind the key, or comes a second time, decides nothing.
    void Add(bool key, const OrderTerm& term) {
        const bool known =
            std::any_of(order_.terms.begin(), order_.terms.end(),
                        [&](const OrderTerm& other) { return other.column == term.column; });
        if (by_key_ || (!key && known)) {
            return;
        }
        if (key) {
            by_key_ = true;
            order_.keys_descend = term.descending;
        } else {
            order_.terms.push_back(term);
        }
    }

    const std::vector<Token>& tokens_;
    const Subject& subject_;
    size_t at_ = 0;
    bool by_key_ = false;
    RecordOrder order_;
};

bool IsNull(const Value& value) {
    return value.kind == Cell::Kind::kNull;
}

}  // namespace

Result<RecordOrder> ReadOrder(std::string_view text, const Subject& subject) {
    if (text.empty()) {
        return RecordOrder();
    }
    QUERN_ASSIGN(const Tokens tokens, ReadTokens(text, kOrderSubject));
    return OrderReader(tokens.list, subject).Read();
}

int CompareSpots(const RecordOrder& order, const Spot& a, const Spot& b) {
    for (size_t t = 0; t < order.terms.size(); t++) {
        const OrderTerm& term = order.terms[t];
        const bool null = IsNull(a.values[t]);
        if (null != IsNull(b.values[t])) {
            return null == term.nulls_first ? -1 : 1;
        }
        const int compared = null ? 0 : CompareValues(a.values[t].cell(), b.values[t]);
        if (compared != 0) {
            return term.descending ? -compared : compared;
        }
    }
    const int by_key = a.key < b.key ? -1 : (b.key < a.key ? 1 : 0);
    return order.keys_descend ? -by_key : by_key;
}

Value ValueOf(const Cell& cell) {
    return {cell.kind, cell.number, cell.real, std::string(cell.text)};
}

Value RecordRun::ValueOf(size_t term, uint32_t record) const {
    const uint32_t code = columns_[term]->code(record);
    return code == 0 ? Value() : filter::ValueOf(columns_[term]->value(code));
}

// Even numbers are those of values, so that one which is not there can stand between two.
RecordRun::Rank RecordRun::RankOf(size_t term, uint32_t record) const {
    const uint32_t code = columns_[term]->code(record);
    if (code == 0) {
        return order_.terms[term].nulls_first ? 0 : UINT64_MAX;
    }
    return 2 * Rank{order_.terms[term].descending ? columns_[term]->code_count() - code : code};
}

RecordRun::Rank RecordRun::RankOf(size_t term, const Value& value) const {
    const bool descending = order_.terms[term].descending;
    if (IsNull(value)) {
        return order_.terms[term].nulls_first ? 0 : UINT64_MAX;
    }
    const auto [low, high] = columns_[term]->Equal(value);
    const Rank at = 2 * Rank{descending ? columns_[term]->code_count() - low : low};
    return low < high ? at : (descending ? at + 1 : at - 1);
}

bool RecordRun::Before(const Entry& a, const Entry& b) const {
    if (a.first != b.first) {
        return a.first < b.first;
    }
    for (size_t t = 1; t < columns_.size(); t++) {
        const Rank left = RankOf(t, a.record);
        const Rank right = RankOf(t, b.record);
        if (left != right) {
            return left < right;
        }
    }
    return order_.keys_descend ? a.record > b.record : a.record < b.record;
}

bool RecordRun::Behind(const Entry& entry, const std::vector<Rank>& ranks, size_t record) const {
    for (size_t t = 0; t < ranks.size(); t++) {
        const Rank rank = t == 0 ? entry.first : RankOf(t, entry.record);
        if (rank != ranks[t]) {
            return rank > ranks[t];
        }
    }
    return order_.keys_descend ? entry.record < record : entry.record >= record;
}

size_t RecordRun::NextWanted(size_t record) const {
    return NextOutside(excluded_, record);
}

size_t RecordRun::NextOutside(const Bits* excluded, size_t record) const {
    if (excluded == nullptr || record >= records_) {
        return std::min(record, records_);
    }
    uint64_t word = ~(*excluded)[record / 64] & ~uint64_t{0} << (record % 64);
    size_t base = record / 64 * 64;
    while (word == 0) {
        base += 64;
        if (base >= records_) {
            return records_;
        }
        word = ~(*excluded)[base / 64];
    }
    return std::min(base + static_cast<size_t>(std::countr_zero(word)), records_);
}

std::vector<uint32_t> RecordRun::FirstByKey(size_t k, const std::optional<Start>& start) const {
    std::vector<uint32_t> found;
    if (order_.keys_descend) {
        for (size_t record = start ? start->record : records_; record > 0 && found.size() < k;) {
            if (Wanted(--record)) {
                found.push_back(static_cast<uint32_t>(record));
            }
        }
        return found;
    }
    for (size_t record = NextWanted(start ? start->record : 0);
         record < records_ && found.size() < k; record = NextWanted(record + 1)) {
        found.push_back(static_cast<uint32_t>(record));
    }
    return found;
}

size_t RecordRun::WantedCount() const {
    size_t count = records_;
    for (size_t w = 0; excluded_ != nullptr && w < excluded_->size(); w++) {
        count -= std::min(count, static_cast<size_t>(std::popcount((*excluded_)[w])));
    }
    return count;
}

bool RecordRun::ExcludeLater(Rank from, size_t count, Bits* excluded) const {
    const OrderTerm& term = order_.terms[0];
    const Rank values = columns_[0]->code_count() - 1;
    // The place of a value in this order, from 1; between two, that of the later.
    const Rank first = std::max<Rank>(1, from / 2 + from % 2);
    if (from == UINT64_MAX || first > values || count >= values - first) {
        return false;
    }
    const auto low = static_cast<uint32_t>(
        term.descending ? columns_[0]->code_count() - first - count + 1 : first);
    const auto high = static_cast<uint32_t>(low + count);
    Bits marked((records_ + 63) / 64, 0);
    columns_[0]->Mark({{low, high}}, &marked);
    if (term.nulls_first) {
        columns_[0]->Mark({{0, 1}}, &marked);
    }
    excluded->resize(marked.size());
    for (size_t w = 0; w < marked.size(); w++) {
        (*excluded)[w] = ~marked[w] | (excluded_ != nullptr ? (*excluded_)[w] : 0);
    }
    return true;
}

// Values are in order, so the first records are among those that have the first values, and to mark
// these takes a sixth of the time of a look at each record.
std::vector<uint32_t> RecordRun::First(size_t k, const std::optional<Start>& start) const {
    if (order_.by_key()) {
        return FirstByKey(k, start);
    }
    std::vector<Rank> ranks;
    for (size_t t = 0; start && t < columns_.size(); t++) {
        ranks.push_back(RankOf(t, start->values[t]));
    }
    const size_t record = start ? start->record : 0;
    const size_t wanted = WantedCount();
    // So many values have four times as many records as needed, if these are spread evenly.
    constexpr size_t kSpare = 4;
    constexpr size_t kWider = 8;
    constexpr size_t kMost = 1 << 20;  // beyond, what is marked is no smaller than all
    size_t values = k < std::min(kMost, wanted / kSpare)
                        ? kSpare * k * (columns_[0]->code_count() - 1) / wanted + 1
                        : SIZE_MAX;
    Bits excluded;
    while (values < columns_[0]->code_count() / 2 &&
           ExcludeLater(ranks.empty() ? 0 : ranks[0], values, &excluded)) {
        std::vector<uint32_t> found = FirstAmong(&excluded, k, ranks, record);
        if (found.size() == k) {
            return found;
        }
        values *= kWider;
    }
    return FirstAmong(excluded_, k, ranks, record);
}

std::vector<uint32_t> RecordRun::FirstAmong(const Bits* excluded, size_t k,
                                            const std::vector<Rank>& ranks, size_t from) const {
    const auto before = [this](const Entry& a, const Entry& b) { return Before(a, b); };
    std::vector<Entry> heap;  // the last one of them in front
    for (size_t record = NextOutside(excluded, 0); record < records_ && k > 0;
         record = NextOutside(excluded, record + 1)) {
        const auto number = static_cast<uint32_t>(record);
        const Entry entry{RankOf(0, number), number};
        if ((heap.size() == k && !Before(entry, heap.front())) ||
            (!ranks.empty() && !Behind(entry, ranks, from))) {
            continue;
        }
        if (heap.size() == k) {
            std::pop_heap(heap.begin(), heap.end(), before);
            heap.pop_back();
        }
        heap.push_back(entry);
        std::push_heap(heap.begin(), heap.end(), before);
    }
    std::sort_heap(heap.begin(), heap.end(), before);
    std::vector<uint32_t> found;
    found.reserve(heap.size());
    for (const Entry& entry : heap) {
        found.push_back(entry.record);
    }
    return found;
}

}  // namespace quern::filter

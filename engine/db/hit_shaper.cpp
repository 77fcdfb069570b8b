#include "engine/db/hit_shaper.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/db/attr_values.h"
#include "engine/db/query_choice.h"
#include "engine/db/stored_distances.h"
#include "engine/filter/bookmark.h"
#include "engine/kernels/distance.h"
#include "engine/query/diversity.h"

namespace quern {

namespace {

constexpr size_t kPoolFactor = 5;
// A cosine that is so near to 1 is 1: the spacing of f32 there. Two vectors of one direction, each
// of them rounded to f32, are nearer than 1e-13.
constexpr double kOneWithin = 0x1p-24;

// What tells one value of an attribute from all others; empty: null.
std::string NameOf(const Cell& cell) {
    std::string name;
    switch (cell.kind) {
        case Cell::Kind::kNull: break;
        case Cell::Kind::kInt: name.append("i").append(std::to_string(cell.number)); break;
        case Cell::Kind::kReal: {
            const double real = cell.real == 0 ? 0 : cell.real;  // -0 is 0
            name.append("r").append(reinterpret_cast<const char*>(&real), sizeof(real));
            break;
        }
        default: name.append("t").append(cell.text);
    }
    return name;
}

// Cosines of hits by their stored vectors; of bits, those of vectors of +1 and -1.
class Cosines {
public:
    Cosines(const DenseDef& def, size_t count)
        : def_(def),
          row_bytes_(VectorBytes(def.element, def.dim)),
          rows_(count * row_bytes_, '\0'),
          known_(count, 0) {}

    void Set(size_t i, BytesView value) {
        if (value.data() != nullptr) {
            std::copy_n(value.data(), row_bytes_, rows_.data() + i * row_bytes_);
            known_[i] = 1;
        }
    }
    void Finish() {
        if (def_.element != Element::kBit) {
            norms_.resize(known_.size());
            kernels::InverseNorms(def_.element, rows_.data(), known_.size(), def_.dim,
                                  norms_.data());
        }
    }

    void Of(size_t i, double* similarities) const {
        const bool bits = def_.element == Element::kBit;
        const Metric metric = bits ? Metric::kHamming : Metric::kCosine;
        const char* const row = rows_.data() + i * row_bytes_;
        std::vector<float> vector(bits ? 0 : def_.dim);
        if (!bits) {
            kernels::ToF32(def_.element, row, 1, def_.dim, vector.data());
        }
        const kernels::Query query = kernels::PrepareQuery(
            def_.element, metric, bits ? static_cast<const void*>(row) : vector.data(), def_.dim);
        std::vector<float> distances(known_.size());
        kernels::Distances(def_.element, metric, query, rows_.data(), known_.size(),
                           bits ? nullptr : norms_.data(), distances.data());
        for (size_t j = 0; j < known_.size(); j++) {
            const double far =
                bits ? 2.0 * static_cast<double>(distances[j]) / static_cast<double>(def_.dim)
                     : static_cast<double>(distances[j]);
            similarities[j] = known_[i] != 0 && known_[j] != 0 ? 1 - far : 0;
            if (!bits && similarities[j] >= 1 - doubtful_) {
                similarities[j] = CosineInDouble(vector, j);
            }
        }
    }

private:
    // Of a vector and a hit's; neither is zero. Sums in f32 do not tell whether it is 1.
    double CosineInDouble(const std::vector<float>& a, size_t j) const {
        std::vector<float> b(def_.dim);
        kernels::ToF32(def_.element, rows_.data() + j * row_bytes_, 1, def_.dim, b.data());
        const double squares = kernels::ProductInDouble(a.data(), a.data(), def_.dim) *
                               kernels::ProductInDouble(b.data(), b.data(), def_.dim);
        const double cosine =
            kernels::ProductInDouble(a.data(), b.data(), def_.dim) / std::sqrt(squares);
        return cosine >= 1 - kOneWithin ? 1 : cosine;
    }

    const DenseDef& def_;
    size_t row_bytes_;
    Bytes rows_;
    // More than sums in f32 may be wrong by: of a product, of two norms, and of what makes a
    // distance of them.
    double doubtful_ = 2 * static_cast<double>(kernels::InnerProductError(def_.dim)) + 1e-6;
    std::vector<uint8_t> known_;
    std::vector<float> norms_;
};

class Shaper : public HitShaper {
public:
    Shaper(Database* database, Snapshot* snapshot, std::shared_ptr<const CollectionView> view,
           const SearchRequest& request, ResultTable* table)
        : database_(database),
          snapshot_(snapshot),
          view_(std::move(view)),
          request_(request),
          shape_(request.shape),
          limit_(request.limit),
          tally_(&table->tally),
          values_(database, snapshot, view_, tally_) {}

    Status Open() {
        const Schema& schema = view_->info->schema;
        if (!shape_.group_by.empty()) {
            QUERN_TRY(FindGroupColumn(schema));
            QUERN_TRY(values_.Open({column_}));
        }
        if (!shape_.order.empty()) {
            QUERN_ASSIGN(order_, filter::ReadOrder(shape_.order, {view_->info->name, &schema}));
            std::vector<int> columns;
            for (const filter::OrderTerm& term : order_.terms) {
                columns.push_back(term.column);
            }
            QUERN_TRY(values_.Open(columns));
        }
        if (!shape_.after.empty()) {
            if (QueryCount(request_) != 1) {
                return Status::Error(Code::kInvalid,
                                     "a bookmark is of a search with one query, this one has %zu",
                                     QueryCount(request_));
            }
            QUERN_ASSIGN(after_, filter::ReadHitBookmark(shape_.after, MarkOf(request_), schema));
        }
        if (!shape_.similar_by.empty()) {
            const int field = schema.FindField(shape_.similar_by);
            if (field < 0) {
                return Status::Error(Code::kUnknownField, "collection '%s' has no field '%s'",
                                     view_->info->name.c_str(), shape_.similar_by.c_str());
            }
            field_ = static_cast<size_t>(field);
            if (!schema.is_dense(field_)) {
                return Status::Error(Code::kType,
                                     "field '%s' is %s: hits are compared by a dense one",
                                     shape_.similar_by.c_str(), schema.field_kind(field_));
            }
        }
        return {};
    }

    size_t first_depth() const override {
        if (limit_ == 0) {
            return 0;
        }
        const auto records = static_cast<uint64_t>(view_->state.records);
        const size_t passed =
            after_ ? static_cast<size_t>(std::min(after_->passed, records)) : shape_.offset;
        const size_t page = passed + limit_;
        const size_t grouped = shape_.group_by.empty() ? page : page * shape_.per_group * 2;
        const size_t distinct = shape_.duplicates ? grouped * 2 : grouped;
        return std::max(distinct, shape_.lambda ? Pool() : 0);
    }

    Result<bool> Shape(size_t depth, std::vector<std::vector<Winner>>* hits,
                       ResultTable* table) override {
        table->groups.clear();
        for (std::vector<Winner>& of_query : *hits) {
            const bool whole = depth == 0 || of_query.size() < depth ||
                               of_query.size() >= static_cast<size_t>(view_->state.records);
            if (!whole) {
                // Of equals behind these some places gave all that they have, and others did not.
                of_query.resize(depth);
            }
            bool settled = true;
            if (!shape_.similar_by.empty()) {
                QUERN_ASSIGN(settled, Distinct(whole, &of_query));
            }
            if (settled && column_ != filter::kNoColumn) {
                QUERN_ASSIGN(settled, Group(whole, &of_query, &table->groups));
            } else if (settled) {
                const size_t passed = PassedBy(of_query);
                settled = whole || limit_ == 0 || of_query.size() >= passed + limit_;
                Page(passed, &of_query);
                if (shape_.similar_by.empty() && limit_ > 0 && hits->size() == 1) {
                    TellLast(of_query, table);
                }
                QUERN_TRY(Order(&of_query));
            }
            if (!settled) {
                return false;
            }
        }
        return true;
    }

private:
    size_t Pool() const {
        return std::max(shape_.offset + limit_,
                        shape_.pool > 0 ? shape_.pool : kPoolFactor * (shape_.offset + limit_));
    }

    Status FindGroupColumn(const Schema& schema) {
        if (SameName(shape_.group_by, schema.key_name)) {
            column_ = filter::kKeyColumn;
            return {};
        }
        column_ = schema.FindAttr(shape_.group_by);
        if (column_ < 0) {
            return Status::Error(Code::kUnknownField, "collection '%s' has no attribute '%s'",
                                 view_->info->name.c_str(), shape_.group_by.c_str());
        }
        const AttrType type = schema.attrs[static_cast<size_t>(column_)].type;
        if (type != AttrType::kInt && type != AttrType::kReal && type != AttrType::kText &&
            type != AttrType::kBool) {
            return Status::Error(Code::kType,
                                 "'%s' cannot be grouped by: it is not int, real, "
                                 "text or bool",
                                 shape_.group_by.c_str());
        }
        return {};
    }

    // Leaves distinct hits, in the order of marginal relevance if that is wanted.
    Result<bool> Distinct(bool whole, std::vector<Winner>* hits) {
        const DenseDef& def = view_->info->schema.dense[field_];
        const auto bytes_max = static_cast<uint64_t>(database_->limits().search_bytes.load());
        if (hits->size() > bytes_max / (VectorBytes(def.element, def.dim) + 64)) {
            return Status::Error(
                Code::kLimit, "%zu hits to be compared with each other need more than %llu bytes",
                hits->size(), static_cast<unsigned long long>(bytes_max));
        }
        Cosines cosines(def, hits->size());
        std::vector<RecordPlace> places;
        for (const Winner& hit : *hits) {
            places.push_back(hit.place);
        }
        QUERN_TRY(ReadStoredValues(
            snapshot_, *view_, field_, places,
            [&](size_t i, BytesView value) -> Status {
                cosines.Set(i, value);
                return {};
            },
            &tally_->reads));
        cosines.Finish();
        const query::Similarities similarities = [&](size_t i, double* out) { cosines.Of(i, out); };
        std::vector<size_t> kept(hits->size());
        for (size_t i = 0; i < kept.size(); i++) {
            kept[i] = i;
        }
        if (shape_.duplicates) {
            const size_t wanted = limit_ == 0 || column_ != filter::kNoColumn ? hits->size()
                                  : shape_.lambda                             ? Pool()
                                                  : shape_.offset + limit_;
            kept = query::WithoutDuplicates(hits->size(), wanted, *shape_.duplicates, similarities);
        }
        if (shape_.lambda && limit_ > 0) {
            if (!whole && kept.size() < Pool()) {
                return false;
            }
            kept.resize(std::min(kept.size(), Pool()));
        }
        if (shape_.lambda) {
            Diversify(*hits, similarities, &kept);
        }
        std::vector<Winner> distinct;
        for (const size_t i : kept) {
            distinct.push_back(std::move((*hits)[i]));
        }
        *hits = std::move(distinct);
        return true;
    }

    void Diversify(const std::vector<Winner>& hits, const query::Similarities& similarities,
                   std::vector<size_t>* kept) const {
        std::vector<double> relevance;
        for (const size_t i : *kept) {
            relevance.push_back(-hits[i].distance);
        }
        if (shape_.scaled) {
            relevance = query::ScaledToOne(relevance);
        }
        std::vector<double> all(hits.size());
        const query::Similarities among = [&](size_t i, double* out) {
            similarities((*kept)[i], all.data());
            for (size_t j = 0; j < kept->size(); j++) {
                out[j] = all[(*kept)[j]];
            }
        };
        const size_t wanted = limit_ == 0 ? kept->size() : shape_.offset + limit_;
        std::vector<size_t> order =
            query::MarginalRelevance(relevance, wanted, *shape_.lambda, among);
        for (size_t& i : order) {
            i = (*kept)[i];
        }
        *kept = std::move(order);
    }

    // How many come before the page.
    size_t PassedBy(const std::vector<Winner>& hits) const {
        if (!after_) {
            return std::min(shape_.offset, hits.size());
        }
        const auto first = std::find_if(hits.begin(), hits.end(), [&](const Winner& hit) {
            return hit.distance != after_->distance ? hit.distance > after_->distance
                                                    : after_->key < hit.key;
        });
        return static_cast<size_t>(first - hits.begin());
    }

    void TellLast(const std::vector<Winner>& page, ResultTable* table) const {
        table->last_hit.reset();
        const uint64_t before = after_ ? after_->passed : shape_.offset;
        if (!page.empty()) {
            table->last_hit = {page.back().distance, page.back().key, before + page.size()};
        } else if (after_) {
            table->last_hit = {after_->distance, after_->key, after_->passed};
        }
    }

    // By the values of attributes, of equals by key.
    Status Order(std::vector<Winner>* hits) {
        if (shape_.order.empty()) {
            return {};
        }
        std::vector<RecordPlace> places;
        std::vector<filter::Spot> spots(hits->size());
        for (size_t i = 0; i < hits->size(); i++) {
            places.push_back((*hits)[i].place);
            spots[i].key = (*hits)[i].key;
            spots[i].values.resize(order_.terms.size());
        }
        for (size_t t = 0; t < order_.terms.size(); t++) {
            QUERN_TRY(values_.Read(places, order_.terms[t].column, [&](size_t i, const Cell& cell) {
                spots[i].values[t] = filter::ValueOf(cell);
            }));
        }
        std::vector<size_t> numbers(hits->size());
        for (size_t i = 0; i < numbers.size(); i++) {
            numbers[i] = i;
        }
        std::sort(numbers.begin(), numbers.end(), [&](size_t a, size_t b) {
            return filter::CompareSpots(order_, spots[a], spots[b]) < 0;
        });
        std::vector<Winner> ordered;
        for (const size_t i : numbers) {
            ordered.push_back(std::move((*hits)[i]));
        }
        *hits = std::move(ordered);
        return {};
    }

    void Page(size_t passed, std::vector<Winner>* hits) const {
        hits->erase(hits->begin(), hits->begin() + static_cast<ptrdiff_t>(passed));
        if (limit_ > 0 && hits->size() > limit_) {
            hits->resize(limit_);
        }
    }

    // The first groups by their best hits, each with its first hits, one after the other.
    Result<bool> Group(bool whole, std::vector<Winner>* hits, std::vector<uint32_t>* numbers) {
        std::vector<RecordPlace> places;
        for (const Winner& hit : *hits) {
            places.push_back(hit.place);
        }
        const size_t most = limit_ == 0 ? hits->size() : shape_.offset + limit_;
        std::map<std::string, size_t> known;
        std::vector<std::vector<size_t>> groups;
        std::vector<std::string> names(hits->size());
        // Not in the order of hits: values of the log are read last.
        QUERN_TRY(values_.Read(places, column_,
                               [&](size_t i, const Cell& cell) { names[i] = NameOf(cell); }));
        for (size_t i = 0; i < hits->size(); i++) {
            if (names[i].empty()) {
                continue;
            }
            auto place = known.find(names[i]);
            if (place == known.end()) {
                if (groups.size() == most) {
                    continue;
                }
                place = known.emplace(names[i], groups.size()).first;
                groups.emplace_back();
            }
            if (groups[place->second].size() < shape_.per_group) {
                groups[place->second].push_back(i);
            }
        }
        const bool full = groups.size() == most &&
                          std::all_of(groups.begin(), groups.end(), [&](const auto& group) {
                              return group.size() == shape_.per_group;
                          });
        if (!whole && !full) {
            return false;
        }
        std::vector<Winner> grouped;
        for (size_t g = shape_.offset; g < groups.size(); g++) {
            for (const size_t i : groups[g]) {
                grouped.push_back(std::move((*hits)[i]));
                numbers->push_back(static_cast<uint32_t>(g));
            }
        }
        *hits = std::move(grouped);
        return true;
    }

    Database* database_;
    Snapshot* snapshot_;
    std::shared_ptr<const CollectionView> view_;
    const SearchRequest& request_;
    const HitShape& shape_;
    size_t limit_;
    SearchTally* tally_;
    AttrValues values_;
    filter::RecordOrder order_;
    std::optional<filter::HitSpot> after_;
    int column_ = filter::kNoColumn;
    size_t field_ = 0;
};

}  // namespace

Result<std::unique_ptr<HitShaper>> OpenShaper(Database* database, Snapshot* snapshot,
                                              std::shared_ptr<const CollectionView> view,
                                              const SearchRequest& request, ResultTable* table) {
    auto shaper = std::make_unique<Shaper>(database, snapshot, std::move(view), request, table);
    QUERN_TRY(shaper->Open());
    return Result<std::unique_ptr<HitShaper>>(std::move(shaper));
}

}  // namespace quern

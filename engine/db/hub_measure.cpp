#include "engine/db/hub_measure.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "engine/dense/codes/code_training.h"
#include "engine/dense/flat.h"
#include "storage/base/parallel.h"

namespace quern {

namespace {

constexpr size_t kRecordsAtOnce = 4096;
// The k nearest of few are chance; means of all need fewer.
constexpr size_t kSampleOfNearest = 10000;
constexpr size_t kSampleOfAll = 1000;
constexpr uint32_t kNobody = ~uint32_t{0};

// What is known of one record.
struct HubNumbers {
    Key key;
    bool known = false;
    double number = 0;
    double squares = 0;  // kZScore: the mean of squared scores until the end
    std::string group;
};

class HubMeter {
public:
    HubMeter(const std::shared_ptr<Database>& database, const std::string& collection,
             const std::string& field, const std::string& attribute, const HubOptions& options)
        : database_(database),
          collection_(collection),
          field_name_(field),
          attribute_(attribute),
          options_(options),
          work_(database->NewWork()) {}

    Status Run(const HubReference& reference) {
        QUERN_ASSIGN(snapshot_, database_->NewSnapshot());
        QUERN_ASSIGN(info_, snapshot_->Info(collection_));
        const Status status = [&]() -> Status {
            QUERN_TRY(Check(reference));
            QUERN_TRY(reference.count > 0 ? Take(reference) : TakeSample());
            return MeasureAll();
        }();
        return status.ok() ? Write() : InCollection(*info_, status);
    }

private:
    bool of_nearest() const {
        return options_.kind != HubOptions::Kind::kSoftmax &&
               options_.kind != HubOptions::Kind::kZScore;
    }

    Status CheckAttribute(const std::string& name) const {
        const int attr = info_->schema.FindAttr(name);
        if (attr < 0) {
            return Status::Error(Code::kUnknownField, "there is no attribute '%s'", name.c_str());
        }
        if (info_->schema.attrs[static_cast<size_t>(attr)].type != AttrType::kReal) {
            return Status::Error(Code::kType, "attribute '%s' is not real", name.c_str());
        }
        return {};
    }

    Status Check(const HubReference& reference) {
        const Schema& schema = info_->schema;
        const int field = schema.FindField(field_name_);
        if (field < 0) {
            return Status::Error(Code::kUnknownField, "there is no field '%s'",
                                 field_name_.c_str());
        }
        if (!schema.is_dense(static_cast<size_t>(field)) ||
            schema.dense[static_cast<size_t>(field)].element == Element::kBit) {
            return Status::Error(Code::kType, "field '%s' has no dense vectors of numbers",
                                 field_name_.c_str());
        }
        def_ = &schema.dense[static_cast<size_t>(field)];
        QUERN_TRY(CheckAttribute(attribute_));
        if (!options_.deviation.empty()) {
            QUERN_TRY(CheckAttribute(options_.deviation));
        }
        if (!options_.by.empty() && schema.FindAttr(options_.by) < 0) {
            return Status::Error(Code::kUnknownField, "there is no attribute '%s'",
                                 options_.by.c_str());
        }
        if (reference.count > 0 && reference.dim != def_->dim) {
            return Status::Error(Code::kDimension, "the vectors have dimension %zu, the field %zu",
                                 reference.dim, static_cast<size_t>(def_->dim));
        }
        return {};
    }

    Status Take(const HubReference& reference) {
        size_t bad = 0;
        if (!kernels::AllFinite(Element::kF32, reference.rows, reference.count, reference.dim,
                                &bad)) {
            return Status::Error(Code::kNotFinite, "element %zu of the vectors is not finite", bad);
        }
        rows_.assign(reference.rows, reference.rows + reference.count * reference.dim);
        return TakeRows(reference.count);
    }

    Status TakeRows(size_t count) {
        if (count == 0) {
            return Status::Error(Code::kInvalid, "there is nothing to measure records against");
        }
        count_ = count;
        if (def_->metric == Metric::kCosine) {
            inverse_norms_.resize(count);
            kernels::InverseNorms(Element::kF32, rows_.data(), count, def_->dim,
                                  inverse_norms_.data());
        }
        return {};
    }

    // All records in key order, some at a time: the field, and what they are grouped by.
    Status EachRecord(const std::function<Status(const ResultTable& table, size_t rows)>& take) {
        std::string columns = Quoted(field_name_);
        if (!options_.by.empty()) {
            columns.push_back(' ');
            columns.append(Quoted(options_.by));
        }
        QUERN_ASSIGN(const auto cursor, Cursor::Open(database_, snapshot_, collection_, columns));
        while (true) {
            ResultTable table;
            QUERN_TRY(cursor->Next(kRecordsAtOnce, &table));
            if (table.row_count() == 0) {
                return {};
            }
            QUERN_TRY(take(table, table.row_count()));
        }
    }

    static std::string Quoted(const std::string& name) {
        std::string quoted = "\"";
        for (const char c : name) {
            quoted += c == '"' ? "\"\"" : std::string(1, c);
        }
        return quoted + "\"";
    }

    static const ResultValue& VectorOf(const ResultTable& table, size_t row) {
        return table.values[row * table.columns.size()];
    }
    void ToFloats(const ResultTable& table, size_t row, float* out) const {
        kernels::ToF32(def_->element, table.bytes.data() + VectorOf(table, row).offset, 1,
                       def_->dim, out);
    }

    // Spread evenly over the records in key order.
    Status TakeSample() {
        uint64_t records = 0;
        QUERN_TRY(Count(snapshot_.get(), collection_, &records));
        const size_t wanted = options_.sample > 0 ? options_.sample
                              : of_nearest()      ? kSampleOfNearest
                                                  : kSampleOfAll;
        const uint64_t step = std::max<uint64_t>(1, (records + wanted - 1) / wanted);
        uint64_t number = 0;
        QUERN_TRY(EachRecord([&](const ResultTable& table, size_t rows) -> Status {
            for (size_t row = 0; row < rows; row++, number++) {
                if (number % step == 0 && VectorOf(table, row).type != 0) {
                    owners_.push_back(number);
                    rows_.resize(rows_.size() + def_->dim);
                    ToFloats(table, row, &rows_[rows_.size() - def_->dim]);
                }
            }
            return work_.Check("measure", 0, 0);
        }));
        return TakeRows(owners_.size());
    }

    Status MeasureAll() {
        uint64_t number = 0;
        return EachRecord([&](const ResultTable& table, size_t rows) -> Status {
            const size_t first = numbers_.size();
            std::vector<float> vectors(rows * def_->dim);
            for (size_t row = 0; row < rows; row++) {
                HubNumbers& of = numbers_.emplace_back();
                of.key = table.int_keys.empty() ? Key::Text(table.text_keys[row])
                                                : Key::Int(table.int_keys[row]);
                of.known = VectorOf(table, row).type != 0;
                if (of.known) {
                    ToFloats(table, row, &vectors[row * def_->dim]);
                }
                if (!options_.by.empty()) {
                    of.group = GroupOf(table, table.values[row * table.columns.size() + 1]);
                }
            }
            const int wanted = options_.threads > 0 ? options_.threads : database_->threads();
            const auto pieces = std::min(static_cast<size_t>(wanted), rows);
            QUERN_TRY(RunOnThreads(static_cast<int>(pieces), [&](int piece) -> Status {
                const auto at = static_cast<size_t>(piece);
                return Measure(vectors.data(), rows * at / pieces, rows * (at + 1) / pieces, number,
                               &numbers_[first]);
            }));
            number += rows;
            return work_.Check("measure", number, static_cast<uint64_t>(0));
        });
    }

    // What tells one value from all others of its attribute.
    static std::string GroupOf(const ResultTable& table, const ResultValue& value) {
        if (value.type == 0) {
            return "n";
        }
        const std::string number = std::to_string(value.number) + " " + std::to_string(value.real);
        return "v" + (value.size > 0 ? std::string(table.bytes.data() + value.offset, value.size)
                                     : number);
    }

    // number: of the first record of the block, in the collection.
    Status Measure(const float* vectors, size_t first, size_t end, uint64_t number,
                   HubNumbers* numbers) {
        dense::FlatRows rows;
        rows.rows = reinterpret_cast<const char*>(rows_.data());
        rows.count = count_;
        rows.inverse_norms = inverse_norms_.empty() ? nullptr : inverse_norms_.data();
        const dense::FlatField field{Element::kF32, def_->metric, def_->dim};
        constexpr size_t kAtOnce = 64;
        std::vector<float> distances(count_);
        for (size_t begin = first; begin < end; begin += kAtOnce) {
            const size_t last = std::min(end, begin + kAtOnce);
            std::vector<dense::FlatQuery> queries;
            for (size_t i = begin; i < last; i++) {
                const float* const vector = vectors + i * def_->dim;
                // One more: it may be there itself.
                dense::FlatQuery& query = queries.emplace_back(options_.k + 1);
                query.query = kernels::PrepareQuery(Element::kF32, def_->metric, vector, def_->dim);
                query.norm = std::sqrt(dense::Dot(vector, vector, def_->dim));
            }
            if (of_nearest()) {
                dense::FlatScan scan(field, queries.data(), queries.size());
                QUERN_TRY(scan.Run(rows, &work_));
            }
            for (size_t i = begin; i < last; i++) {
                const uint32_t self = SelfOf(number + i);
                dense::FlatQuery& query = queries[i - begin];
                if (of_nearest()) {
                    OfNearest(self, &query, &numbers[i]);
                } else {
                    kernels::Distances(Element::kF32, def_->metric, query.query, rows.rows, count_,
                                       rows.inverse_norms, distances.data());
                    OfAll(self, distances, &numbers[i]);
                }
            }
        }
        return {};
    }

    // Where a record stands in the sample.
    uint32_t SelfOf(uint64_t number) const {
        const auto place = std::lower_bound(owners_.begin(), owners_.end(), number);
        return place != owners_.end() && *place == number
                   ? static_cast<uint32_t>(place - owners_.begin())
                   : kNobody;
    }

    double ScoreOf(float distance) const {
        return static_cast<double>(def_->metric == Metric::kCosine ? 1.0f - distance : -distance);
    }
    // Of Euclid's kind, whatever the metric.
    double LengthOf(float distance) const {
        const auto of = static_cast<double>(distance);
        return def_->metric == Metric::kCosine ? std::sqrt(2 * std::max(of, 0.0))
               : def_->metric == Metric::kL2   ? std::sqrt(std::max(of, 0.0))
                                               : of;
    }

    void OfNearest(uint32_t self, dense::FlatQuery* query, HubNumbers* of) const {
        std::vector<kernels::Hit> hits;
        for (const auto& hit : query->top.Take()) {
            if (hit.position != self && hits.size() < options_.k) {
                hits.push_back(hit);
            }
        }
        of->known = of->known && !hits.empty();
        double sum = 0;
        for (const kernels::Hit& hit : hits) {
            sum += options_.kind == HubOptions::Kind::kCsls ? ScoreOf(hit.distance)
                                                            : LengthOf(hit.distance);
        }
        of->number = hits.empty() ? 0
                     : options_.kind == HubOptions::Kind::kScaling
                         ? LengthOf(hits.back().distance)
                         : sum / static_cast<double>(hits.size());
    }

    void OfAll(uint32_t self, const std::vector<float>& distances, HubNumbers* of) const {
        double most = -std::numeric_limits<double>::infinity();
        double sum = 0;
        double squares = 0;
        size_t count = 0;
        for (size_t i = 0; i < distances.size(); i++) {
            if (i == self) {
                continue;
            }
            const double score = ScoreOf(distances[i]);
            most = std::max(most, score);
            sum += score;
            squares += score * score;
            count++;
        }
        of->known = of->known && count > 0;
        if (!of->known) {
            return;
        }
        if (options_.kind == HubOptions::Kind::kZScore) {
            of->number = sum / static_cast<double>(count);
            of->squares = squares / static_cast<double>(count);
            return;
        }
        const double t = options_.temperature;
        double exponentials = 0;
        for (size_t i = 0; i < distances.size(); i++) {
            exponentials += i == self ? 0 : std::exp((ScoreOf(distances[i]) - most) / t);
        }
        of->number = most + t * std::log(exponentials);
    }

    // Means of means: each record has been measured as often as any other.
    void Group() {
        struct Sum {
            double number = 0;
            double squares = 0;
            double count = 0;
        };
        std::map<std::string, Sum> groups;
        for (const HubNumbers& of : numbers_) {
            if (of.known) {
                Sum& sum = groups[of.group];
                sum.number += of.number;
                sum.squares += of.squares;
                sum.count++;
            }
        }
        for (HubNumbers& of : numbers_) {
            if (of.known) {
                const Sum& sum = groups[of.group];
                of.number = sum.number / sum.count;
                of.squares = sum.squares / sum.count;
            }
        }
    }

    Status Write() {
        if (!options_.by.empty()) {
            Group();
        }
        QUERN_ASSIGN(const std::unique_ptr<Transaction> transaction, database_->Begin());
        for (size_t first = 0; first < numbers_.size(); first += kRecordsAtOnce) {
            const size_t count = std::min(kRecordsAtOnce, numbers_.size() - first);
            std::vector<int64_t> int_keys;
            std::vector<const char*> text_keys;
            std::vector<double> means;
            std::vector<double> deviations;
            std::vector<uint8_t> known;
            for (size_t i = first; i < first + count; i++) {
                const HubNumbers& of = numbers_[i];
                int_keys.push_back(of.key.number);
                text_keys.push_back(of.key.text.c_str());
                means.push_back(of.number);
                deviations.push_back(std::sqrt(std::max(of.squares - of.number * of.number, 0.0)));
                known.push_back(of.known ? 1 : 0);
            }
            RecordBatch batch;
            batch.collection = collection_;
            batch.count = count;
            (numbers_[0].key.type == KeyType::kInt)
                ? static_cast<void>(batch.int_keys = int_keys.data())
                : static_cast<void>(batch.text_keys = text_keys.data());
            batch.attrs.push_back(
                {attribute_, AttrType::kReal, means.data(), nullptr, known.data()});
            if (!options_.deviation.empty()) {
                batch.attrs.push_back({options_.deviation, AttrType::kReal, deviations.data(),
                                       nullptr, known.data()});
            }
            size_t affected = 0;
            QUERN_TRY(transaction->Write(WriteKind::kUpdate, batch, &affected));
        }
        return transaction->Commit();
    }

    const std::shared_ptr<Database>& database_;
    const std::string& collection_;
    const std::string& field_name_;
    const std::string& attribute_;
    const HubOptions& options_;
    Work work_;
    std::shared_ptr<Snapshot> snapshot_;
    std::shared_ptr<const storage::CollectionInfo> info_;
    const DenseDef* def_ = nullptr;
    std::vector<float> rows_;  // of what is measured against
    std::vector<float> inverse_norms_;
    size_t count_ = 0;
    std::vector<uint64_t> owners_;  // numbers of the sample's records, in key order
    std::vector<HubNumbers> numbers_;
};

}  // namespace

Status MeasureHubs(const std::shared_ptr<Database>& database, const std::string& collection,
                   const std::string& field, const std::string& attribute,
                   const HubReference& reference, const HubOptions& options) {
    return HubMeter(database, collection, field, attribute, options).Run(reference);
}

}  // namespace quern

#include "engine/db/score_formula.h"

#include <algorithm>
#include <limits>

#include "engine/db/attr_values.h"
#include "engine/db/field_search.h"
#include "engine/query/fused_search.h"

namespace quern {

namespace {

constexpr double kNull = std::numeric_limits<double>::quiet_NaN();

// The variables of a formula: the legs by their numbers, then the attributes that it names.
class Scorer : public FormulaScorer {
public:
    Scorer(Database* database, Snapshot* snapshot, const SearchedViews& views,
           const SearchRequest& request, SearchTally* tally)
        : schema_(views.whole->info->schema),
          request_(request),
          values_(database, snapshot, views.whole, tally) {}

    Status Open() {
        const query::ParsedFormula& parsed = *request_.formula.parsed;
        std::vector<double> parameters;
        for (size_t i = 0; i < parsed.parameters.size(); i++) {
            if (!request_.formula.arguments[i]) {
                const auto step = std::find_if(
                    parsed.steps.begin(), parsed.steps.end(), [&](const query::FormulaStep& of) {
                        return of.op == query::FormulaOp::kParameter && of.index == i;
                    });
                std::string what = "no value is bound to ";
                return query::FormulaMistake(Code::kInvalid, step->byte,
                                             what.append(parsed.parameters[i]));
            }
            parameters.push_back(*request_.formula.arguments[i]);
        }
        QUERN_ASSIGN(formula_, query::Formula::Compile(
                                   parsed,
                                   [this](const std::string& name, size_t byte) {
                                       return Resolve(name, byte);
                                   },
                                   parameters));
        QUERN_TRY(values_.Open(columns_));
        fusion_.formula = &formula_;
        for (const int column : columns_) {
            fusion_.others.push_back(RangeOf(column));
        }
        fusion_.values_of = [this](size_t other, const std::vector<uint64_t>& records,
                                   double* values) {
            return ValuesOf(columns_[other], records, values);
        };
        return {};
    }

    const query::FormulaFusion& fusion() const override { return fusion_; }
    const std::string& NameOf(size_t other) const override {
        const int column = columns_[other];
        return column == filter::kKeyColumn ? schema_.key_name
                                            : schema_.attrs[static_cast<size_t>(column)].name;
    }

private:
    // A given name of a leg, an attribute or the key, the field of one leg, a leg's number.
    Result<uint32_t> Resolve(const std::string& name, size_t byte) {
        const std::vector<SearchLeg>& legs = request_.legs;
        size_t of_field = 0;
        size_t leg = legs.size();
        for (size_t l = 0; l < legs.size(); l++) {
            if (!legs[l].name.empty() && SameName(legs[l].name, name)) {
                return static_cast<uint32_t>(l);
            }
            if (legs[l].name.empty() && SameName(legs[l].request.field, name)) {
                of_field++;
                leg = l;
            }
        }
        if (SameName(name, schema_.key_name)) {
            return Column(filter::kKeyColumn, schema_.key_type == KeyType::kInt, name, byte);
        }
        if (const int attr = schema_.FindAttr(name); attr >= 0) {
            const AttrType type = schema_.attrs[static_cast<size_t>(attr)].type;
            const bool number =
                type == AttrType::kInt || type == AttrType::kReal || type == AttrType::kBool;
            return Column(attr, number, name, byte);
        }
        if (of_field > 1) {
            return query::FormulaMistake(
                Code::kInvalid, byte,
                "several legs search field '" + name + "': give them names, or say l0, l1, ...");
        }
        if (of_field == 1) {
            return static_cast<uint32_t>(leg);
        }
        for (size_t l = 0; l < legs.size(); l++) {
            std::string number = std::to_string(l);
            if (SameName(number.insert(0, 1, 'l'), name)) {
                return static_cast<uint32_t>(l);
            }
        }
        return query::FormulaMistake(Code::kUnknownField, byte,
                                     "there is no leg and no attribute '" + name + "'");
    }

    Result<uint32_t> Column(int column, bool number, const std::string& name, size_t byte) {
        if (!number) {
            return query::FormulaMistake(
                Code::kType, byte, "'" + name + "' is no number: it is not int, real or bool");
        }
        auto known = std::find(columns_.begin(), columns_.end(), column);
        if (known == columns_.end()) {
            known = columns_.insert(known, column);
        }
        return static_cast<uint32_t>(request_.legs.size() +
                                     static_cast<size_t>(known - columns_.begin()));
    }

    query::ValueRange RangeOf(int column) const {
        query::ValueRange range;
        if (column >= 0 && schema_.attrs[static_cast<size_t>(column)].type == AttrType::kBool) {
            range.low = 0;
            range.high = 1;
        }
        values_.RangeOf(column, &range.low, &range.high);
        return range;
    }

    Status ValuesOf(int column, const std::vector<uint64_t>& records, double* values) {
        std::vector<RecordPlace> places;
        places.reserve(records.size());
        for (const uint64_t record : records) {
            places.push_back(PlaceOf(record));
        }
        return values_.Read(places, column, [&](size_t i, const Cell& cell) {
            values[i] = cell.kind == Cell::Kind::kReal  ? cell.real
                        : cell.kind == Cell::Kind::kInt ? static_cast<double>(cell.number)
                                                        : kNull;
        });
    }

    const Schema& schema_;
    const SearchRequest& request_;
    AttrValues values_;
    std::vector<int> columns_;  // of attributes, by the numbers that filters have for them
    query::Formula formula_;
    query::FormulaFusion fusion_;
};

}  // namespace

Result<ScoreFormula> ScoreFormula::Read(std::string_view text) {
    QUERN_ASSIGN(query::ParsedFormula parsed, query::ParseFormula(text));
    ScoreFormula formula;
    formula.text = text;
    formula.arguments.resize(parsed.parameters.size());
    formula.parsed = std::make_shared<const query::ParsedFormula>(std::move(parsed));
    return formula;
}

Status ScoreFormula::Bind(std::string_view parameter, double value) {
    const size_t count = parsed == nullptr ? 0 : parsed->parameters.size();
    for (size_t i = 0; i < count; i++) {
        if (parsed->parameters[i] == parameter) {
            arguments[i] = value;
            return {};
        }
    }
    return Status::Error(Code::kInvalid, "the formula has no parameter '%.*s'",
                         static_cast<int>(std::min<size_t>(parameter.size(), 100)),
                         parameter.data());
}

Result<std::unique_ptr<FormulaScorer>> OpenFormula(Database* database, Snapshot* snapshot,
                                                   const SearchedViews& views,
                                                   const SearchRequest& request,
                                                   SearchTally* tally) {
    auto scorer = std::make_unique<Scorer>(database, snapshot, views, request, tally);
    QUERN_TRY(scorer->Open());
    return Result<std::unique_ptr<FormulaScorer>>(std::move(scorer));
}

}  // namespace quern

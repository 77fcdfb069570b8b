// Formulas against a plain evaluator of the same trees, and what is said of their range.
#include "engine/query/formula.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <random>

#include "engine/query/fused_search.h"

using namespace quern;
using namespace quern::query;

namespace {

using Value = std::optional<double>;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kVariables = 3;

Value Number(double x) {
    return std::isnan(x) ? Value() : Value(x);
}

// A formula as a tree: its text, and its value without columns, steps or NaN.
struct Term {
    std::string text;
    std::function<Value(const std::vector<Value>&)> value;
};

Term Strict(std::string text, const Term& a, const Term& b,
            const std::function<double(double, double)>& op) {
    return {std::move(text), [=](const std::vector<Value>& v) -> Value {
                const Value x = a.value(v);
                const Value y = b.value(v);
                return x && y ? Number(op(*x, *y)) : Value();
            }};
}
Term Strict(std::string text, const Term& a, const std::function<double(double)>& op) {
    return {std::move(text), [=](const std::vector<Value>& v) -> Value {
                const Value x = a.value(v);
                return x ? Number(op(*x)) : Value();
            }};
}

class Maker {
public:
    explicit Maker(uint32_t seed) : random(seed) {}
    size_t Pick(size_t from, size_t to) {
        return std::uniform_int_distribution<size_t>(from, to)(random);
    }

    Term Leaf() {
        if (Pick(0, 1) == 0) {
            const size_t v = Pick(0, kVariables - 1);
            return {std::string(1, static_cast<char>('a' + v)),
                    [v](const std::vector<Value>& values) { return values[v]; }};
        }
        static constexpr std::pair<const char*, double> kNumbers[] = {
            {"0", 0}, {"1", 1}, {"2", 2}, {"0.5", 0.5}, {".25", 0.25}, {"1e2", 100}, {"3", 3}};
        const auto [text, number] = kNumbers[Pick(0, 6)];
        return {text, [n = number](const std::vector<Value>&) { return Value(n); }};
    }

    Term Make(size_t depth) {
        if (depth == 0) {
            return Leaf();
        }
        const Term a = Make(depth - 1);
        const Term b = Make(Pick(0, depth - 1));
        const std::string x = "(" + a.text + ")";
        const std::string y = "(" + b.text + ")";
        switch (Pick(0, 21)) {
            case 0: return Strict(x + "+" + y, a, b, [](double p, double q) { return p + q; });
            case 1: return Strict(x + " - " + y, a, b, [](double p, double q) { return p - q; });
            case 2: return Strict(x + "*" + y, a, b, [](double p, double q) { return p * q; });
            case 3:
                return Strict(x + "/" + y, a, b,
                              [](double p, double q) { return q == 0 ? std::nan("") : p / q; });
            case 4:
            case 5: {
                const std::string text =
                    Pick(0, 1) == 0 ? x + "^" + y : "pow(" + a.text + ", " + b.text + ")";
                return Strict(text, a, b, [](double p, double q) {
                    const bool no_root = p < 0 && std::isinf(p) && q != std::trunc(q);
                    return (p == 0 && q < 0) || no_root ? std::nan("") : std::pow(p, q);
                });
            }
            case 6: return Strict(x + "<" + y, a, b, [](double p, double q) { return p < q; });
            case 7: return Strict(x + ">=" + y, a, b, [](double p, double q) { return p >= q; });
            case 8: return Strict(x + "=" + y, a, b, [](double p, double q) { return p == q; });
            case 9: return Strict(x + "<>" + y, a, b, [](double p, double q) { return p != q; });
            case 10:
                return Strict("min(" + a.text + "," + b.text + ")", a, b,
                              [](double p, double q) { return std::min(p, q); });
            case 11:
                return Strict("MAX(" + a.text + ", " + b.text + ", 1)", a, b,
                              [](double p, double q) {
                                  return std::max({p, q, 1.0});
                              });
            case 12: return Strict("-" + x, a, [](double p) { return -p; });
            case 13: return Strict("abs(" + a.text + ")", a, [](double p) { return std::abs(p); });
            case 14: return Strict("exp(" + a.text + ")", a, [](double p) { return std::exp(p); });
            case 15:
                return Strict("sqrt" + x, a,
                              [](double p) { return p < 0 ? std::nan("") : std::sqrt(p); });
            case 16:
                return Strict("ln" + x, a,
                              [](double p) { return p <= 0 ? std::nan("") : std::log(p); });
            case 17:
                return {"coalesce(" + a.text + "," + b.text + ")",
                        [=](const std::vector<Value>& v) {
                            const Value p = a.value(v);
                            return p ? p : b.value(v);
                        }};
            case 18: {
                const Term c = Leaf();
                return {"if(" + c.text + "," + a.text + "," + b.text + ")",
                        [=](const std::vector<Value>& v) {
                            const Value p = c.value(v);
                            return p && *p != 0 ? a.value(v) : b.value(v);
                        }};
            }
            case 19: return Logic(x, y, a, b);
            case 20:
                return Strict("gauss_decay(" + a.text + "," + b.text + ",2, 1)", a, b,
                              [](double p, double q) {
                                  const double u = std::max(0.0, std::abs(p - q) - 1) / 2;
                                  return std::isnan(p - q) ? p - q : std::pow(0.5, u * u);
                              });
            default:
                return Strict("linear_decay(" + a.text + ",1,4,0,0.25)", a, [](double p) {
                    return std::max(0.0, 1 - 0.75 * (std::abs(p - 1) / 4));
                });
        }
    }

    Term Logic(const std::string& x, const std::string& y, const Term& a, const Term& b) {
        const bool both = Pick(0, 1) == 0;
        return {"not " + x + (both ? " and " : " or ") + y, [=](const std::vector<Value>& v) {
                    const Value p = a.value(v);
                    const Value q = b.value(v);
                    const Value no = p ? Value(*p == 0) : Value();
                    const Value yes = q ? Value(*q != 0) : Value();
                    // One of this kind decides, whatever the other is.
                    const double decisive = both ? 0 : 1;
                    if ((no && *no == decisive) || (yes && *yes == decisive)) {
                        return Value(decisive);
                    }
                    return no && yes ? Value(1 - decisive) : Value();
                }};
    }

    std::mt19937 random;
};

Result<uint32_t> Letter(const std::string& name, size_t byte) {
    if (name.size() != 1 || name[0] < 'a' || static_cast<size_t>(name[0] - 'a') >= kVariables) {
        return FormulaMistake(Code::kUnknownField, byte, "no " + name);
    }
    return static_cast<uint32_t>(name[0] - 'a');
}

Result<Formula> Compile(const std::string& text, const std::vector<double>& parameters = {}) {
    QUERN_ASSIGN(const ParsedFormula parsed, ParseFormula(text));
    return Formula::Compile(parsed, Letter, parameters);
}

double ValueOf(const std::string& text, const std::vector<double>& parameters = {}) {
    auto formula = Compile(text, parameters);
    INFO(text << ": " << (formula.ok() ? "" : formula.status().message()));
    REQUIRE(formula.ok());
    const double variables[kVariables] = {2, -1, std::nan("")};
    double value = 0;
    formula->Evaluate({&variables[0], &variables[1], &variables[2]}, 1, &value);
    return value;
}

bool Same(double value, const Value& wanted) {
    return wanted ? value == *wanted || (std::isinf(value) && value == *wanted) : std::isnan(value);
}

}  // namespace

TEST_CASE("formulas compute what their trees do, within the ranges they tell") {
    Maker maker(5);
    static constexpr double kValues[] = {-kInfinity, -100, -2,  -1, -0.5, 0,
                                         0.25,       1,    1.5, 2,  100,  kInfinity};
    for (int round = 0; round < 4000; round++) {
        const Term term = maker.Make(maker.Pick(0, 5));
        CAPTURE(round, term.text);
        auto formula = Compile(term.text);
        REQUIRE(formula.ok());
        const size_t count = round % 40 == 0 ? 300 : 12;
        std::vector<std::vector<double>> columns(kVariables, std::vector<double>(count));
        std::vector<ValueRange> ranges;
        for (std::vector<double>& column : columns) {
            // A part of the values, with or without null.
            size_t low = maker.Pick(0, 11);
            size_t high = maker.Pick(0, 11);
            if (low > high) {
                std::swap(low, high);
            }
            const bool nullable = maker.Pick(0, 1) == 0;
            ranges.push_back({kValues[low], kValues[high], nullable});
            for (double& value : column) {
                value = nullable && maker.Pick(0, 3) == 0 ? std::nan("")
                                                          : kValues[maker.Pick(low, high)];
            }
        }
        std::vector<double> values(count);
        formula->Evaluate({columns[0].data(), columns[1].data(), columns[2].data()}, count,
                          values.data());
        const ValueRange range = formula->RangeOf(ranges);
        bool same = true;
        bool within = true;
        for (size_t i = 0; i < count; i++) {
            std::vector<Value> variables;
            for (const std::vector<double>& column : columns) {
                variables.push_back(Number(column[i]));
            }
            same = same && Same(values[i], term.value(variables));
            within = within &&
                     (std::isnan(values[i]) ? range.nullable
                                            : range.low <= values[i] && values[i] <= range.high);
        }
        REQUIRE(same);
        REQUIRE(within);
    }
}

TEST_CASE("operators bind as in mathematics") {
    CHECK(ValueOf("1 + 2 * 3 - 4 / 2") == 5);
    CHECK(ValueOf("-2 ^ 2") == -4);
    CHECK(ValueOf("2 ^ 3 ^ 2") == 512);
    CHECK(ValueOf("2 ^ -1") == 0.5);
    CHECK(std::isnan(ValueOf("(-1e308 * 10) ^ 0.5")));
    CHECK(std::isinf(ValueOf("(-1e308 * 10) ^ 2")));
    CHECK(ValueOf("8 - 2 - 1") == 5);
    CHECK(ValueOf("1 < 2 and not 2 <= 1 or a = 7") == 1);
    CHECK(ValueOf("- - 3 + + 1") == 4);
    CHECK(ValueOf("if(a >= 2, 10, 20) + if(b > a, 1, 2)") == 12);
    CHECK(ValueOf("min(3, a, 5) + max(a)") == 4);
    CHECK(ValueOf("coalesce(c, null, a)") == 2);
    CHECK(std::isnan(ValueOf("c + 1")));
    CHECK(std::isnan(ValueOf("1 / 0")));
    CHECK(std::isnan(ValueOf("c = c")));
    CHECK(ValueOf("if(c, 1, 2)") == 2);
    CHECK(ValueOf("false and c") == 0);
    CHECK(std::isnan(ValueOf("true and c")));
    CHECK(ValueOf("\"a\" + A") == 4);
    CHECK(ValueOf(":x * 2 + ?1 + :x", {3, 1}) == 10);
    CHECK(ValueOf("gauss_decay(a, 2, 5)") == 1);
    CHECK(ValueOf("gauss_decay(a, 12, 5)") == Approx(0.0625));
    CHECK(ValueOf("exp_decay(a, 12, 5)") == Approx(0.25));
    CHECK(ValueOf("exp_decay(a, 12, 5, 10)") == 1);
    CHECK(ValueOf("linear_decay(a, 7, 10)") == Approx(0.75));
    CHECK(ValueOf("linear_decay(a, 7, ?9, 0, 0.2)", {10}) == Approx(0.6));
    CHECK(ValueOf("log2(8) + log10(1000) + ln(exp(2))") == Approx(8));
    CHECK(Compile("2 * 3 + exp(1) - sqrt(:x)", {4})->step_count() == 1);
}

TEST_CASE("mistakes in formulas are told with their byte") {
    const std::tuple<const char*, Code, const char*> cases[] = {
        {"", Code::kMalformed, "byte 0"},
        {"   ", Code::kMalformed, "byte 3"},
        {"a +", Code::kMalformed, "byte 3"},
        {"a b", Code::kMalformed, "byte 2: an operator"},
        {"(a", Code::kMalformed, "byte 0: this bracket is not closed"},
        {"a)", Code::kMalformed, "byte 1: this bracket closes nothing"},
        {"(a b)", Code::kMalformed, "byte 3"},
        {"1 + * 2", Code::kMalformed, "byte 4"},
        {"1..2", Code::kMalformed, "byte 0: this is no number"},
        {"1e999", Code::kMalformed, "byte 0"},
        {"2x", Code::kMalformed, "byte 0"},
        {"a < b < 3", Code::kMalformed, "byte 6: comparisons"},
        {"log(a)", Code::kMalformed, "byte 0: which logarithm"},
        {"1 + sin(a)", Code::kMalformed, "byte 4: there is no function 'sin'"},
        {"pow(a)", Code::kMalformed, "byte 0: pow has 2 arguments"},
        {"a + min( )", Code::kMalformed, "byte 4: min has 1 or more arguments"},
        {"pow()", Code::kMalformed, "byte 0: pow has 2 arguments"},
        {"abs(a, b)", Code::kMalformed, "abs has 1"},
        {"min()", Code::kMalformed, "byte 0: min has 1"},
        {"if(a, 1)", Code::kMalformed, "if has 3"},
        {"gauss_decay(a, 1)", Code::kMalformed, "3 to 5"},
        {"gauss_decay(a, 1, b)", Code::kInvalid, "byte 0: a decay"},
        {"gauss_decay(a, 1, 0)", Code::kInvalid, "scale"},
        {"exp_decay(a, 1, 1, 0, 1)", Code::kInvalid, "scale"},
        {"linear_decay(a, 1, 1, -1)", Code::kInvalid, "offset"},
        {"a # b", Code::kMalformed, "byte 2"},
        {"a ! b", Code::kMalformed, "byte 2"},
        {"# 1", Code::kMalformed, "byte 0: this has no meaning"},
        {"\"a", Code::kMalformed, "byte 0: this name does not end"},
        {"? + 1", Code::kMalformed, "byte 0: a parameter"},
        {"a + d", Code::kUnknownField, "byte 4: no d"},
        {"and", Code::kMalformed, "byte 0"},
        {"\xff", Code::kMalformed, "UTF-8"},
    };
    for (const auto& [text, code, piece] : cases) {
        const Status status = Compile(text).status();
        CAPTURE(text, status.message());
        CHECK(status.code() == code);
        CHECK(status.message().find(piece) != std::string::npos);
    }
    const auto repeated = [](const char* piece, size_t times) {
        std::string text;
        for (size_t i = 0; i < times; i++) {
            text += piece;
        }
        return text;
    };
    CHECK(Compile(repeated("(", 60) + "a" + repeated(")", 60)).ok());
    CHECK(Compile(repeated("(", 70) + "a" + repeated(")", 70)).status().code() == Code::kLimit);
    CHECK(Compile(repeated("-", 70) + "a").status().code() == Code::kLimit);
    CHECK(Compile(repeated("not ", 70) + "a").status().code() == Code::kLimit);
    CHECK(Compile(repeated("a^", 70) + "a").status().code() == Code::kLimit);
    CHECK(Compile(repeated("a+", 2000) + "a").ok());
    CHECK(Compile(repeated("a+", 3000) + "a").status().code() == Code::kLimit);
    CHECK(Compile(std::string(70000, ' ')).status().code() == Code::kLimit);
}

namespace {

// A leg that knows the scores of all records it matches.
class MapLeg : public Leg {
public:
    Result<LegList> Best(size_t depth) override {
        std::vector<ScoredRecord> all;
        for (const auto& [record, score] : scores) {
            all.push_back({record, score});
        }
        std::stable_sort(all.begin(), all.end(), [](const ScoredRecord& a, const ScoredRecord& b) {
            return a.score > b.score;
        });
        size_t end = std::min(depth, all.size());
        while (end > 0 && end < all.size() && all[end].score == all[end - 1].score) {
            end++;
        }
        deepest = std::max(deepest, depth);
        const bool complete = end == all.size();
        all.resize(end);
        return LegList{std::move(all), complete, true};
    }
    Status ScoresOf(const std::vector<uint64_t>& records, std::vector<double>* out) override {
        for (size_t i = 0; i < records.size(); i++) {
            const auto found = scores.find(records[i]);
            (*out)[i] = found == scores.end() ? kNoScore : found->second;
        }
        return {};
    }
    std::map<uint64_t, double> scores;
    size_t deepest = 0;
};

// Two legs, a and b, and c, which is the number of a record modulo 10, null for every seventh.
struct Sample {
    explicit Sample(Maker* maker, size_t count) : records(count) {
        for (uint64_t i = 0; i < count; i++) {
            for (MapLeg& leg : legs) {
                if (maker->Pick(0, 3) > 0) {
                    leg.scores[i] = static_cast<double>(maker->Pick(0, 1000)) / 500 - 1;
                }
            }
        }
    }
    static double Other(uint64_t record) {
        return record % 7 == 0 ? kNoScore : static_cast<double>(record % 10);
    }
    Result<FusedList> Search(const Formula& formula, size_t k, size_t depth) {
        FormulaFusion fusion;
        fusion.formula = &formula;
        fusion.others = {{0, 9, true}};
        fusion.values_of = [](size_t, const std::vector<uint64_t>& of, double* values) -> Status {
            for (size_t i = 0; i < of.size(); i++) {
                values[i] = Other(of[i]);
            }
            return {};
        };
        FusionOptions options;
        options.kind = FusionKind::kFormula;
        FusionLeg first{&legs[0], 1, depth};
        FusionLeg second{&legs[1], 1, depth, 0, false, true};
        return SearchFused(options, {first, second}, k, records, &fusion);
    }
    MapLeg legs[2];
    size_t records;
};

}  // namespace

TEST_CASE("fused search by a formula finds what enumeration finds where it says so") {
    Maker maker(9);
    size_t exact = 0;
    for (int round = 0; round < 1500; round++) {
        const Term term = maker.Make(maker.Pick(1, 4));
        CAPTURE(round, term.text);
        auto formula = Compile(term.text);
        REQUIRE(formula.ok());
        Sample sample(&maker, maker.Pick(1, 60));
        const size_t k = maker.Pick(1, 8);
        auto list = sample.Search(*formula, k, maker.Pick(1, 10));
        REQUIRE(list.ok());
        std::vector<std::pair<double, uint64_t>> want;
        for (uint64_t i = 0; i < sample.records; i++) {
            const auto a = sample.legs[0].scores.find(i);
            const auto b = sample.legs[1].scores.find(i);
            if (a == sample.legs[0].scores.end() && b == sample.legs[1].scores.end()) {
                continue;
            }
            const Value score =
                term.value({a == sample.legs[0].scores.end() ? 0 : a->second,
                            b == sample.legs[1].scores.end() ? Value() : Value(b->second),
                            Number(Sample::Other(i))});
            if (score && *score != -kInfinity) {
                want.emplace_back(-*score, i);
            }
        }
        std::sort(want.begin(), want.end());
        // Always as many as there can be, and with true scores.
        REQUIRE(list->records.size() >= std::min(k, want.size()));
        for (const FusedRecord& record : list->records) {
            REQUIRE(std::find(want.begin(), want.end(), std::pair(-record.score, record.record)) !=
                    want.end());
        }
        if (list->exact) {
            exact++;
            for (size_t i = 0; i < std::min(k, want.size()); i++) {
                REQUIRE(list->records[i].record == want[i].second);
            }
        }
    }
    CHECK(exact > 700);
}

TEST_CASE("a formula of a weighted sum is the weighted sum") {
    Maker maker(3);
    for (int round = 0; round < 200; round++) {
        Sample sample(&maker, 200);
        auto formula = Compile("0.7 * a + 0.3 * coalesce(b, 0)");
        REQUIRE(formula.ok());
        auto by_formula = sample.Search(*formula, 10, 20);
        const std::vector<FusionLeg> legs = {{&sample.legs[0], 0.7, 20, 0},
                                             {&sample.legs[1], 0.3, 20, 0}};
        auto by_sum = SearchFused({}, legs, 10, 200);
        REQUIRE(by_formula.ok());
        REQUIRE(by_sum.ok());
        CHECK(by_formula->exact);
        CHECK(by_formula->rounds == by_sum->rounds);
        REQUIRE(by_formula->records.size() == by_sum->records.size());
        for (size_t i = 0; i < by_sum->records.size(); i++) {
            CHECK(by_formula->records[i].record == by_sum->records[i].record);
            CHECK(by_formula->records[i].score == by_sum->records[i].score);
        }
    }
}

TEST_CASE("lists grow for a formula only where that can prove something") {
    Maker maker(4);
    Sample sample(&maker, 1000);
    // Bounded by the ends of the lists and by the range of c.
    auto boost = Compile("a + 0.01 * coalesce(c, 0)");
    auto list = sample.Search(*boost, 5, 20);
    REQUIRE(list.ok());
    CHECK(list->exact);
    // b may have any sign, so a * b has no bound.
    auto product = Compile("a * b");
    sample.legs[0].deepest = 0;
    list = sample.Search(*product, 5, 20);
    REQUIRE(list.ok());
    CHECK_FALSE(list->exact);
    CHECK(list->rounds == 1);
    CHECK(sample.legs[0].deepest == 20);
    // Unless there would be too few: hardly any record of the first lists counts.
    auto choosy = Compile("if(c = 3, a * b, null)");
    list = sample.Search(*choosy, 40, 20);
    REQUIRE(list.ok());
    CHECK(list->rounds > 1);
    CHECK(list->records.size() >= 40);
}

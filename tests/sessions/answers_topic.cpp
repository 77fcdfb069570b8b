// Whole queries, of every kind, at every SIMD level and with several numbers of threads: the same
// answers. The number of threads that search makes no difference, not in a bit; nor does the number
// that has built indexes, to exact answers (a graph depends on the order in which several threads
// come to insert). Nor do SIMD levels where elements are whole numbers; where sums are rounded,
// levels add up in different orders: scores may differ by a few units in the last place, and hits
// that are so near to each other may change places.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "engine/kernels/simd_level.h"
#include "tests/sessions/model_record.h"
#include "tests/sessions/topics.h"
#include "tests/sessions/violation.h"

namespace sessions {
namespace {

struct Shape {
    const char* name;
    size_t dim;
    int32_t metric;
    const char* options;
};
constexpr Shape kShapes[] = {{"near", 24, QUERN_L2, "index=graph codes=4bit"},
                             {"far", 24, QUERN_L2, "index=graph codes=f32"},
                             {"along", 20, QUERN_IP, "index=lists"},
                             {"round", 28, QUERN_COSINE, "index=graph codes=i8"},
                             {"steps", 28, QUERN_IP, "type=i8 index=graph codes=1bit"},
                             {"half", 20, QUERN_L2, "type=f16 index=graph codes=lvq8"}};
constexpr size_t kShapeCount = std::size(kShapes);
constexpr size_t kTermCount = 400;
using Vector = std::vector<float>;

// What is the same for all files and questions of a kind of data.
struct Source {
    bool whole;
    Random random;
    float Next(float scale) {
        if (whole) {
            return static_cast<float>(Pick(random, 0, 16)) - 8;
        }
        return std::normal_distribution<float>(0, scale)(random);
    }
    Vector Row(const Shape& shape) {
        Vector row(shape.dim);
        const bool bytes = std::string(shape.options).find("type=i8") != std::string::npos;
        for (float& x : row) {
            x = Next(bytes ? 20.0f : 1.0f);
            x = bytes ? std::round(std::clamp(x, -127.0f, 127.0f)) : x;
        }
        return row;
    }
};

struct SparseRows {
    std::vector<size_t> offsets{0};
    std::vector<uint32_t> dims;
    std::vector<float> weights;
    void Add(Source* source) {
        std::set<uint32_t> chosen;
        for (size_t i = Pick(source->random, 3, 12); i > 0; i--) {
            const size_t a = Pick(source->random, 0, kTermCount - 1);
            chosen.insert(
                static_cast<uint32_t>(std::min(a, Pick(source->random, 0, kTermCount - 1))));
        }
        for (const uint32_t dimension : chosen) {
            dims.push_back(dimension);
            weights.push_back(std::abs(source->Next(1)) + 0.5f);
        }
        offsets.push_back(dims.size());
    }
};

std::string SomeWords(Random& random, size_t count) {
    std::string text;
    for (size_t i = 0; i < count; i++) {
        text.append(i > 0 ? " w" : "w")
            .append(std::to_string(Pick(random, 0, 60) * Pick(random, 0, 3)));
    }
    return text;
}

quern_db* OpenThreads(const std::string& path, size_t threads) {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    const std::string options = "threads=" + std::to_string(threads);
    Ok(quern_open(path.c_str(), options.c_str(), &db, &err), err, "quern_open");
    return db;
}

void Build(const std::string& path, bool whole, uint64_t seed, size_t threads, size_t records) {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = OpenThreads(path, threads);
    const std::shared_ptr<quern_db> owner(db, quern_close);
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "year", QUERN_INT, nullptr);
    for (const Shape& shape : kShapes) {
        quern_schema_dense(schema, shape.name, shape.dim, shape.metric, shape.options);
    }
    quern_schema_sparse(schema, "terms", "approx=graph");
    quern_schema_text(schema, "body", nullptr);
    int32_t status = quern_create(db, "docs", schema, &err);
    quern_schema_free(schema);
    Ok(status, err, "quern_create");
    Source source{whole, Random(seed)};
    // Two segments with indexes, and a log.
    for (const size_t part : {records * 5 / 8, records * 2 / 8, records / 8}) {
        std::vector<int64_t> keys, years;
        std::vector<Vector> matrices(kShapeCount);
        std::vector<std::string> texts;
        std::vector<const char*> pointers;
        SparseRows terms;
        for (size_t i = 0; i < part; i++) {
            keys.push_back(static_cast<int64_t>(source.random() >> 20));
            years.push_back(static_cast<int64_t>(Pick(source.random, 1990, 2020)));
            for (size_t s = 0; s < kShapeCount; s++) {
                const Vector row = source.Row(kShapes[s]);
                matrices[s].insert(matrices[s].end(), row.begin(), row.end());
            }
            terms.Add(&source);
            texts.push_back(SomeWords(source.random, Pick(source.random, 2, 20)));
        }
        for (const std::string& text : texts) {
            pointers.push_back(text.c_str());
        }
        quern_batch* batch = quern_batch_new(db, "docs", part);
        quern_batch_key_int(batch, keys.data());
        quern_batch_int(batch, "year", years.data(), nullptr);
        for (size_t s = 0; s < kShapeCount; s++) {
            quern_batch_dense(batch, kShapes[s].name, matrices[s].data(), kShapes[s].dim, nullptr);
        }
        quern_batch_sparse(batch, "terms", terms.offsets.data(), terms.dims.data(),
                           terms.weights.data(), nullptr);
        quern_batch_text(batch, "body", pointers.data(), nullptr);
        status = quern_upsert(batch, nullptr, &err);
        quern_batch_free(batch);
        Ok(status, err, "quern_upsert");
        if (part > records / 8) {
            Ok(quern_optimize(db, nullptr, 0, &err), err, "quern_optimize");
        }
    }
}

struct Answer {
    std::string question;
    std::vector<std::pair<int64_t, float>> hits;  // key, score
    bool exact = false;
    bool rounded = false;  // at some place on the way to the score, whatever the elements
};

class Questioner {
public:
    Questioner(quern_db* db, bool whole, uint64_t seed)
        : db_(db), source_{whole, Random(seed + 99)} {}

    std::vector<Answer> AskAll(size_t rounds) {
        for (size_t round = 0; round < rounds; round++) {
            for (const char* options :
                 {"recall=exact", "recall=0.9", "ef=25 nprobe=3", "recall=0.99"}) {
                for (const char* filter : {"", "year >= 2010", "year = 2001"}) {
                    for (const Shape& shape : kShapes) {
                        Dense(shape, options, filter);
                    }
                }
            }
            for (const char* filter : {"", "year < 2000"}) {
                Sparse(nullptr, filter);
                Sparse("recall=0.9", filter);
                Text(filter);
                Legs("recall=exact", filter);
                Legs("recall=0.95", filter);
                Formula(filter);
            }
        }
        return std::move(answers_);
    }

private:
    void Dense(const Shape& shape, const char* options, const char* filter) {
        Vector rows;
        for (int i = 0; i < 3; i++) {
            const Vector row = source_.Row(shape);
            rows.insert(rows.end(), row.begin(), row.end());
        }
        quern_query* query = quern_query_new(db_, "docs");
        quern_query_dense(query, shape.name, rows.data(), 3, shape.dim);
        Run(query, std::string(shape.name) + " " + options, options, filter);
    }
    void Sparse(const char* options, const char* filter) {
        SparseRows rows;
        rows.Add(&source_);
        rows.Add(&source_);
        quern_query* query = quern_query_new(db_, "docs");
        quern_query_sparse(query, "terms", rows.offsets.data(), rows.dims.data(),
                           rows.weights.data(), 2);
        Run(query, "terms", options, filter);
    }
    void Text(const char* filter) {
        const std::string words = SomeWords(source_.random, 3);
        const char* const text = words.c_str();
        quern_query* query = quern_query_new(db_, "docs");
        quern_query_text(query, "body", &text, 1);
        Run(query, "body", nullptr, filter);
    }
    // A leg in a dense field, one in terms, one in the text.
    quern_query* WithLegs(const char* options, Vector* vector, SparseRows* terms) {
        *vector = source_.Row(kShapes[0]);
        terms->Add(&source_);
        const std::string words = SomeWords(source_.random, 2);
        const char* const text = words.c_str();
        quern_query* query = quern_query_new(db_, "docs");
        for (int l = 0; l < 3; l++) {
            quern_query* leg = quern_query_new(db_, "docs");
            if (l == 0) {
                quern_query_dense(leg, "near", vector->data(), 1, vector->size());
                quern_query_options(leg, options);
            } else if (l == 1) {
                quern_query_sparse(leg, "terms", terms->offsets.data(), terms->dims.data(),
                                   terms->weights.data(), 1);
            } else {
                quern_query_text(leg, "body", &text, 1);
            }
            quern_query_leg(query, leg, 1, l == 0 ? "name=emb" : nullptr);
            quern_query_free(leg);
        }
        return query;
    }
    void Legs(const char* options, const char* filter) {
        Vector vector;
        SparseRows terms;
        quern_query* query = WithLegs(options, &vector, &terms);
        quern_query_fusion(query, "normalize=minmax");
        Run(query, std::string("legs ") + options, nullptr, filter);
    }
    void Formula(const char* filter) {
        Vector vector;
        SparseRows terms;
        quern_query* query = WithLegs("recall=0.9", &vector, &terms);
        quern_query_formula(query, "emb / 50 + terms + 0.5 * body * if(year > 2005, 1.5, 1)");
        Run(query, "formula", nullptr, filter);
    }
    void Run(quern_query* query, std::string question, const char* options, const char* filter) {
        if (options != nullptr) {
            quern_query_options(query, options);
        }
        if (filter[0] != '\0') {
            quern_query_filter(query, filter);
            question.append(" where ").append(filter);
        }
        quern_query_limit(query, 20);
        quern_error err = QUERN_ERROR_INIT;
        quern_result* result = nullptr;
        const int32_t status = quern_search(query, &result, &err);
        quern_query_free(query);
        Ok(status, err, question.c_str());
        for (size_t q = 0; q < quern_result_queries(result); q++) {
            Answer answer;
            answer.question = question;
            answer.rounded = question.rfind("round", 0) == 0;  // cosines
            answer.exact = (quern_result_flags(result) & QUERN_FLAG_EXACT) != 0;
            for (size_t i = quern_result_offset(result, q); i < quern_result_offset(result, q + 1);
                 i++) {
                answer.hits.emplace_back(quern_result_key_int(result, i),
                                         quern_result_score(result, i));
            }
            answers_.push_back(std::move(answer));
        }
        quern_result_free(result);
    }

    quern_db* db_;
    Source source_;
    std::vector<Answer> answers_;
};

// How far apart two scores are that are sums of products, relative to the larger one of the answer.
bool Near(float a, float b, float scale) {
    return std::abs(a - b) <= 2e-6f * std::max(scale, 1e-3f);
}

// Exact answers must have the same hits up to rounding; others may lose or win one, where a walk
// turned another way at two nodes that are as far but for rounding.
bool SameUpToRounding(const Answer& a, const Answer& b) {
    if (a.hits.size() != b.hits.size() || a.exact != b.exact) {
        return false;
    }
    float scale = 1;
    for (const auto& hit : a.hits) {
        scale = std::max(scale, std::abs(hit.second));
    }
    if (!a.exact) {
        size_t common = 0;
        for (const auto& hit : a.hits) {
            common += static_cast<size_t>(
                std::count_if(b.hits.begin(), b.hits.end(),
                              [&](const auto& other) { return other.first == hit.first; }));
        }
        return common + 3 >= a.hits.size();
    }
    for (size_t i = 0; i < a.hits.size(); i++) {
        if (!Near(a.hits[i].second, b.hits[i].second, scale)) {
            return false;
        }
    }
    return true;
}

struct Comparison {
    size_t answers = 0;
    size_t other_bits = 0;
    size_t other_keys = 0;
    size_t broken = 0;
};

enum class Same { kBits, kBitsOfWhole, kBitsOfExact, kRounding };

void Compare(const std::vector<Answer>& want, const std::vector<Answer>& got, Same same,
             const std::string& what, Comparison* sum) {
    Want(want.size() == got.size(), "another number of answers");
    for (size_t i = 0; i < want.size(); i++) {
        sum->answers++;
        const bool equal = want[i].hits == got[i].hits && want[i].exact == got[i].exact;
        if (equal || (same == Same::kBitsOfExact && !(want[i].exact && got[i].exact))) {
            continue;
        }
        sum->other_bits++;
        sum->other_keys +=
            std::equal(want[i].hits.begin(), want[i].hits.end(), got[i].hits.begin(),
                       got[i].hits.end(),
                       [](const auto& a, const auto& b) { return a.first == b.first; })
                ? 0
                : 1;
        const bool to_the_bit =
            same == Same::kBitsOfWhole ? !want[i].rounded : same != Same::kRounding;
        if (to_the_bit || !SameUpToRounding(want[i], got[i])) {
            if (sum->broken++ < 5) {
                std::printf("VIOLATION: %s: answer %zu differs: %s\n", what.c_str(), i,
                            want[i].question.c_str());
            }
        }
    }
}

int OneKind(const Arguments& arguments, bool whole, uint64_t seed) {
    const size_t records = arguments.steps > 0 ? arguments.steps : 1800;
    const size_t rounds = 1;
    const std::string path = FreshFile(arguments, "answers");
    const std::string other = FreshFile(arguments, "answers_threads");
    Build(path, whole, seed, 1, records);
    Build(other, whole, seed, 3, records);
    const auto ask = [&](const std::string& file, size_t threads) {
        const std::shared_ptr<quern_db> db(OpenThreads(file, threads), quern_close);
        return Questioner(db.get(), whole, seed).AskAll(rounds);
    };
    const std::vector<Answer> want = ask(path, 1);
    Comparison threads, levels;
    Compare(want, ask(path, 2), Same::kBits, "2 threads", &threads);
    Compare(want, ask(path, 5), Same::kBits, "5 threads", &threads);
    Compare(want, ask(other, 1), Same::kBitsOfExact, "built by 3 threads", &threads);
    for (const std::string& level : quern::kernels::SimdLevels()) {
        Want(quern::kernels::SetSimdLevel(level.c_str()), level);
        Comparison one;
        Compare(want, ask(path, 1), whole ? Same::kBitsOfWhole : Same::kRounding, "level " + level,
                &one);
        std::printf(
            "%s elements, level %s: %zu answers, %zu with other bits, %zu with other hits or "
            "order\n",
            whole ? "whole" : "real", level.c_str(), one.answers, one.other_bits, one.other_keys);
        levels.broken += one.broken;
    }
    quern::kernels::SetSimdLevel(nullptr);
    std::printf(
        "%s elements, threads 1, 2, 5, built by 1 and 3: %zu answers, %zu with other bits\n",
        whole ? "whole" : "real", threads.answers, threads.other_bits);
    RemoveFile(path);
    RemoveFile(other);
    return static_cast<int>(threads.broken + levels.broken);
}

}  // namespace

int RunAnswers(const Arguments& arguments) {
    int violations = 0;
    for (uint64_t i = 0; i < std::max<uint64_t>(1, arguments.count); i++) {
        for (const bool whole : {true, false}) {
            try {
                violations += OneKind(arguments, whole, arguments.seed + i);
            } catch (const Violation& violation) {
                std::printf("VIOLATION: %s (seed %llu)\n", violation.what(),
                            static_cast<unsigned long long>(arguments.seed + i));
                violations++;
            }
        }
    }
    return violations;
}

}  // namespace sessions

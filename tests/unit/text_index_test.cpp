// Text search against the formula: random texts in several sources, some of them deleted, and every
// kind of clause, beside a straightforward count over the live records.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>

#include "engine/sparse/text_search.h"

using namespace quern;
using namespace quern::sparse;

namespace {

using Words = std::vector<std::string>;

uint32_t Draw(std::mt19937* random, uint32_t below) {
    return static_cast<uint32_t>((*random)() % below);
}

std::string Word(uint32_t number) {
    std::string word = std::to_string(number);
    word.insert(word.begin(), static_cast<char>('a' + number % 5));
    return word;
}

struct Sample {
    std::vector<std::vector<Words>> texts;  // of each source
    std::vector<std::vector<uint64_t>> live;
    std::vector<std::unique_ptr<TextIndex>> indexes;
    std::vector<TextSource> sources;
    TextStatistics statistics;

    bool IsLive(size_t s, size_t row) const { return (live[s][row / 64] >> (row % 64) & 1) != 0; }
};

TextParts PartsOf(const std::vector<Words>& texts, bool with_positions) {
    TextIndexBuilder builder(with_positions);
    for (const Words& words : texts) {
        std::vector<TextTerm> terms;
        for (uint32_t i = 0; i < words.size(); i++) {
            terms.push_back({words[i], i, 0, 0});
        }
        REQUIRE(builder.Add(terms).ok());
    }
    Work work;
    auto parts = builder.Finish(&work);
    REQUIRE(parts.ok());
    return std::move(*parts);
}

std::unique_ptr<TextIndex> IndexOf(const std::vector<Words>& texts, bool with_positions = true) {
    Work work;
    auto index = TextIndex::Load(PartsOf(texts, with_positions), &work);
    REQUIRE(index.ok());
    return std::move(*index);
}

Sample MakeSample(std::mt19937* random, std::vector<size_t> sizes) {
    Sample sample;
    for (const size_t size : sizes) {
        std::vector<Words>& texts = sample.texts.emplace_back(size);
        std::vector<uint64_t>& live = sample.live.emplace_back(size / 64 + 1);
        for (size_t row = 0; row < size; row++) {
            const size_t length = (*random)() % 97 == 0 ? 600 : (*random)() % 12;
            for (size_t i = 0; i < length; i++) {
                // Some words everywhere, many rare; in the long texts one more than 255 times.
                const uint32_t low = Draw(random, 60);
                texts[row].push_back(Word(length == 600 ? low % 2 : low * Draw(random, 4)));
            }
            live[row / 64] |= uint64_t{(*random)() % 5 != 0} << (row % 64);
        }
        sample.indexes.push_back(IndexOf(texts));
    }
    for (size_t s = 0; s < sizes.size(); s++) {
        sample.sources.push_back({sample.indexes[s].get(), sample.live[s].data()});
        const TextStatistics one = sample.indexes[s]->Statistics(sample.live[s].data());
        sample.statistics.records += one.records;
        sample.statistics.length += one.length;
    }
    return sample;
}

uint32_t Occurrences(const TextClause& clause, const Words& words) {
    uint32_t count = 0;
    for (size_t i = 0; i < words.size(); i++) {
        bool is_here = true;
        for (size_t t = 0; t < clause.terms.size() && is_here; t++) {
            const size_t at = i + clause.positions[t];
            is_here =
                at < words.size() && (clause.is_prefix ? words[at].rfind(clause.terms[t], 0) == 0
                                                       : words[at] == clause.terms[t]);
        }
        for (const std::string& synonym : clause.synonyms) {
            is_here |= words[i] == synonym;
        }
        count += is_here ? 1 : 0;
    }
    return count;
}

// The textbook: counts everything anew.
std::vector<SparseHit> Expected(const Sample& sample, const TextQuery& query,
                                const Bm25Options& options, size_t k) {
    double records = 0;
    double length = 0;
    std::vector<double> df(query.clauses.size());
    for (size_t s = 0; s < sample.texts.size(); s++) {
        for (size_t row = 0; row < sample.texts[s].size(); row++) {
            if (sample.IsLive(s, row)) {
                records++;
                length += static_cast<double>(sample.texts[s][row].size());
                for (size_t c = 0; c < df.size(); c++) {
                    df[c] += Occurrences(query.clauses[c], sample.texts[s][row]) > 0 ? 1 : 0;
                }
            }
        }
    }
    std::vector<SparseHit> hits;
    for (uint32_t s = 0; s < sample.texts.size(); s++) {
        for (uint32_t row = 0; row < sample.texts[s].size(); row++) {
            const Words& words = sample.texts[s][row];
            double score = 0;
            bool is_out = !sample.IsLive(s, row);
            for (size_t c = 0; c < df.size(); c++) {
                const TextClause& clause = query.clauses[c];
                const double tf = Occurrences(clause, words);
                is_out |= (clause.occur == TextOccur::kMust && tf == 0) ||
                          (clause.occur == TextOccur::kMustNot && tf > 0);
                if (tf > 0 && clause.occur != TextOccur::kMustNot) {
                    const double idf = std::log(1 + (records - df[c] + 0.5) / (df[c] + 0.5));
                    const double size = static_cast<double>(words.size());
                    score +=
                        clause.boost * idf * tf /
                        (tf + options.k1 * (1 - options.b + options.b * size / length * records));
                }
            }
            if (score > 0 && !is_out) {
                hits.push_back({score, s, row});
            }
        }
    }
    std::sort(hits.begin(), hits.end());
    hits.resize(std::min(k, hits.size()));
    return hits;
}

std::vector<SparseHit> Found(const Sample& sample, const TextQuery& query,
                             const Bm25Options& options, size_t k) {
    Work work;
    auto prepared = PreparedText::Prepare(query, sample.sources, sample.statistics, options, &work);
    REQUIRE(prepared.ok());
    TopHits hits(k);
    for (uint32_t s = 0; s < sample.sources.size(); s++) {
        REQUIRE((*prepared)->Search(s, nullptr, &hits, &work).ok());
    }
    return hits.Take();
}

TextClause MakeClause(std::mt19937* random) {
    TextClause clause;
    clause.is_prefix = (*random)() % 5 == 0;
    clause.terms = {Word(Draw(random, 60))};
    clause.positions = {0};
    if (clause.is_prefix) {
        clause.terms[0].resize(1 + (*random)() % clause.terms[0].size());
        const std::string synonym = Word(Draw(random, 80));  // some of them nowhere
        if (Draw(random, 2) == 0 && synonym.rfind(clause.terms[0], 0) != 0) {
            clause.synonyms = {synonym};
        }
    } else if ((*random)() % 4 == 0) {
        clause.terms = {Word(Draw(random, 2)), Word(Draw(random, 2)), Word(Draw(random, 2))};
        clause.positions = {0, 1, 3};
    }
    const uint32_t occur = Draw(random, 8);
    clause.occur = occur == 0   ? TextOccur::kMust
                   : occur == 1 ? TextOccur::kMustNot
                                : TextOccur::kShould;
    clause.boost = 1 + Draw(random, 2);
    return clause;
}

}  // namespace

TEST_CASE("text search equals the formula on the live records", "[text]") {
    std::mt19937 random(11);
    for (const std::vector<size_t>& sizes : std::vector<std::vector<size_t>>{
             {1}, {300, 0, 70}, {kTextBlockRows * 2 + 100}, {kTextBlockRows, 500}}) {
        const Sample sample = MakeSample(&random, sizes);
        for (int i = 0; i < 60; i++) {
            TextQuery query;
            for (uint32_t c = Draw(&random, 6); c > 0; c--) {
                query.clauses.push_back(MakeClause(&random));
            }
            const Bm25Options options{i % 7 == 0 ? 0 : 0.9, (i % 3) * 0.5};
            const size_t k = i % 10 == 0 ? 100000 : 1 + random() % 20;
            const std::vector<SparseHit> found = Found(sample, query, options, k);
            // The order among scores that are equal but for the last bit may differ.
            const std::vector<SparseHit> expected = Expected(sample, query, options, k);
            REQUIRE(found.size() == expected.size());
            for (size_t h = 0; h < found.size(); h++) {
                REQUIRE(found[h].score == Approx(expected[h].score).epsilon(1e-12));
            }
        }
    }
}

TEST_CASE("text search finds the same whatever is asked first", "[text]") {
    // All records of a full search, cut at k: skipped superblocks change nothing, bit for bit.
    std::mt19937 random(5);
    const Sample sample = MakeSample(&random, {kTextBlockRows * 4, 900});
    for (int i = 0; i < 40; i++) {
        TextQuery query;
        for (uint32_t c = 1 + Draw(&random, 4); c > 0; c--) {
            query.clauses.push_back(MakeClause(&random));
        }
        std::vector<SparseHit> all = Found(sample, query, {}, 1000000);
        const std::vector<SparseHit> few = Found(sample, query, {}, 10);
        all.resize(std::min<size_t>(all.size(), 10));
        REQUIRE(few.size() == all.size());
        for (size_t h = 0; h < few.size(); h++) {
            REQUIRE(few[h].score == all[h].score);
            REQUIRE(few[h].source == all[h].source);
            REQUIRE(few[h].position == all[h].position);
        }
    }
}

TEST_CASE("text scores that are looked up are those of a search", "[text]") {
    std::mt19937 random(7);
    const Sample sample = MakeSample(&random, {kTextBlockRows * 2 + 50, 0, 300});
    Work work;
    for (int i = 0; i < 60; i++) {
        TextQuery query;
        for (uint32_t c = Draw(&random, 5); c > 0; c--) {
            query.clauses.push_back(MakeClause(&random));
        }
        std::map<std::pair<uint32_t, uint32_t>, double> all;
        for (const SparseHit& hit : Found(sample, query, {}, 1000000)) {
            all[{hit.source, hit.position}] = hit.score;
        }
        const auto prepared =
            PreparedText::Prepare(query, sample.sources, sample.statistics, {}, &work);
        REQUIRE(prepared.ok());
        for (uint32_t s = 0; s < sample.sources.size(); s++) {
            std::vector<uint32_t> rows(sample.sources[s].index->records());
            std::iota(rows.begin(), rows.end(), 0);
            std::vector<double> scores(rows.size());
            (*prepared)->ScoreRows(s, rows.data(), rows.size(), scores.data());
            for (const uint32_t row : rows) {
                const auto found = all.find({s, row});
                REQUIRE(
                    (found == all.end() ? std::isnan(scores[row]) : scores[row] == found->second));
            }
        }
    }
}

TEST_CASE("text search: what is allowed, and what is no search", "[text]") {
    const auto index = IndexOf({{"a"}, {"a", "b"}, {}, {"a"}}, false);
    Work work;
    TextQuery query;
    query.clauses.push_back({TextOccur::kShould, false, {"a"}, {0}, {}, 1});
    const std::vector<TextSource> sources{{index.get(), nullptr}};
    const TextStatistics all = index->Statistics(nullptr);
    CHECK(all.records == 4);
    CHECK(all.length == 4);
    auto prepared = PreparedText::Prepare(query, sources, all, {}, &work);
    REQUIRE(prepared.ok());
    CHECK((*prepared)->Frequency(0) == 3);
    const uint64_t allowed = 0b0110;
    TopHits hits(5);
    REQUIRE((*prepared)->Search(0, &allowed, &hits, &work).ok());
    const std::vector<SparseHit> found = hits.Take();
    REQUIRE(found.size() == 1);
    CHECK(found[0].position == 1);
    TopHits none(0);
    REQUIRE((*prepared)->Search(0, nullptr, &none, &work).ok());
    CHECK(none.Take().empty());

    CHECK(!PreparedText::Prepare(query, sources, all, {-1, 0.5}, &work).ok());
    CHECK(!PreparedText::Prepare(query, sources, all, {1, 1.5}, &work).ok());
    query.clauses[0].boost = 0;
    CHECK(!PreparedText::Prepare(query, sources, all, {}, &work).ok());
    query.clauses[0] = {TextOccur::kShould, false, {"a", "b"}, {0, 1}, {}, 1};
    CHECK(PreparedText::Prepare(query, sources, all, {}, &work).status().code() == Code::kInvalid);
}

TEST_CASE("text dictionary: terms, places and prefixes", "[text]") {
    std::mt19937 random(7);
    std::set<std::string> terms{std::string(kTermBytesMax, '\xff'), "\xff", "a"};
    while (terms.size() < 500) {
        std::string term(1 + random() % 4, 'a');
        for (char& c : term) {
            c = random() % 50 == 0 ? '\xff' : static_cast<char>('a' + random() % 6);
        }
        terms.insert(term);
    }
    const std::vector<std::string_view> sorted(terms.begin(), terms.end());
    auto loaded =
        TermDictionary::Load(TermDictionary::Build(sorted).bytes(), uint32_t(sorted.size()));
    REQUIRE(loaded.ok());
    for (uint32_t i = 0; i < sorted.size(); i++) {
        CHECK(loaded->Find(sorted[i]) == i);
        CHECK(loaded->Term(i) == sorted[i]);
    }
    CHECK(loaded->Find("zzzz") == TermDictionary::kNone);
    CHECK(loaded->Find("") == TermDictionary::kNone);
    for (const std::string prefix : {"", "a", "ab", "f", "z", "\xff", "\xff\xff", "aaaaaa"}) {
        const auto [first, end] = loaded->PrefixRange(prefix);
        for (uint32_t i = 0; i < sorted.size(); i++) {
            CHECK((sorted[i].substr(0, prefix.size()) == prefix) == (first <= i && i < end));
        }
    }
    CHECK(!TermDictionary::Load(loaded->bytes(), 499).ok());
    CHECK(!TermDictionary::Load(loaded->bytes(), 501).ok());
}

TEST_CASE("text index: damaged parts are refused or safe", "[text]") {
    std::mt19937 random(13);
    const Sample sample = MakeSample(&random, {120});
    const TextParts good = PartsOf(sample.texts[0], true);
    Work work;
    size_t refused = 0;
    const int rounds = 2000;
    for (int i = 0; i < rounds; i++) {
        TextParts parts = good;
        Bytes* const all[] = {&parts.dictionary, &parts.lengths, &parts.postings, &parts.positions};
        Bytes& bytes = *all[random() % 4];
        if (random() % 4 == 0) {
            bytes.resize(random() % bytes.size());
        } else {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        auto index = TextIndex::Load(std::move(parts), &work);
        if (!index.ok()) {
            CHECK(index.status().code() == Code::kCorrupt);
            refused++;
            continue;
        }
        TextQuery query;
        for (int c = 0; c < 4; c++) {
            query.clauses.push_back(MakeClause(&random));
        }
        auto prepared = PreparedText::Prepare(query, {{index->get(), nullptr}},
                                              (*index)->Statistics(nullptr), {}, &work);
        REQUIRE(prepared.ok());
        TopHits hits(10);
        REQUIRE((*prepared)->Search(0, nullptr, &hits, &work).ok());
    }
    CHECK(refused > rounds / 2);
    TextParts parts = good;
    parts.records = UINT32_MAX;
    CHECK(!TextIndex::Load(parts, &work).ok());
    parts = good;
    parts.terms = UINT32_MAX;
    CHECK(!TextIndex::Load(parts, &work).ok());
}

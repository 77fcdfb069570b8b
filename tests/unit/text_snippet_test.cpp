// Marks and pieces of texts: what matches, phrases whole, and the offsets of the record's own
// bytes.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <string>

#include "engine/sparse/text_snippet.h"
#include "storage/text_tokens.h"

using namespace quern;
using namespace quern::sparse;

namespace {

std::unique_ptr<TextAnalyzer> Analyzer() {
    auto analyzer = TextAnalyzer::Open("porter stop=english synonyms=whale:cetacean:cete",
                                       storage::OpenTokenizer);
    REQUIRE(analyzer.ok());
    return std::move(*analyzer);
}

// The text with its marks in brackets.
std::string Bracketed(const std::string& text, TextSpan piece, const std::vector<TextSpan>& marks) {
    std::string out;
    uint32_t at = piece.begin;
    for (const TextSpan& mark : marks) {
        out.append(text, at, mark.begin - at).append("[");
        out.append(text, mark.begin, mark.end - mark.begin).append("]");
        at = mark.end;
    }
    return out.append(text, at, piece.end - at);
}

std::string Marked(const std::string& query, const std::string& text) {
    auto analyzer = Analyzer();
    auto parsed = ParseTextQuery(query, analyzer.get());
    REQUIRE(parsed.ok());
    Work work;
    auto marks = FindHighlights(text, *parsed, analyzer.get(), &work);
    REQUIRE(marks.ok());
    return Bracketed(text, {0, static_cast<uint32_t>(text.size())}, *marks);
}

std::string Piece(const std::string& query, const std::string& text, size_t tokens) {
    auto analyzer = Analyzer();
    auto parsed = ParseTextQuery(query, analyzer.get());
    REQUIRE(parsed.ok());
    Work work;
    auto snippet = MakeSnippet(text, *parsed, tokens, analyzer.get(), &work);
    REQUIRE(snippet.ok());
    return Bracketed(text, snippet->piece, snippet->marks);
}

}  // namespace

TEST_CASE("text snippets: a phrase counts where all of it is", "[text]") {
    CHECK(Piece("d \"n d\"", "n d x y d", 1) == "[d]");
    CHECK(Piece("o \"g h i\"", "a b g h i c d o f", 2) == "[o] f");
    CHECK(Piece("\"g h i\"", "a b g h i c d o f", 2) == "g h");
    // Near the end there are more words before than behind.
    CHECK(Piece("o", "a b g h i c d o f", 5) == "i c d [o] f");
    CHECK(Piece("f", "b c d e f", 24) == "b c d e [f]");
}

TEST_CASE("text highlights: words, phrases, prefixes", "[text]") {
    CHECK(Marked("run", "Running, ran: RUNS!") == "[Running], ran: [RUNS]!");
    CHECK(Marked("\"state of the art\"", "A state of the art; art of state") ==
          "A [state of the art]; art of state");
    CHECK(Marked("caf*", "caf\xc3\xa9 and Caf\xc3\xa9s") == "[caf\xc3\xa9] and [Caf\xc3\xa9s]");
    CHECK(Marked("\"a1 b1\" \"b1 c1\"", "a1 b1 c1 b1") == "[a1 b1 c1] b1");
    CHECK(Marked("one -two +three", "one two three") == "[one] two [three]");
    CHECK(Marked("cetac*", "Cetaceans, whales; cetera") == "[Cetaceans], [whales]; cetera");
    CHECK(Marked("wha* -ceta*", "a cetacean, what") == "a [cetacean], [what]");
    CHECK(Marked("x", "") == "");
}

TEST_CASE("text snippets: the piece with most of the query", "[text]") {
    const std::string text = "one w w w w w w one w two w w w w one one one w";
    CHECK(Piece("one two", text, 4) == "w [one] w [two]");
    CHECK(Piece("one two", text, 3) == "[one] w [two]");
    CHECK(Piece("one", text, 4) == "w [one] [one] [one]");
    CHECK(Piece("two", text, 4) == "w [two] w w");
    CHECK(Piece("none", text, 3) == "one w w");
    CHECK(Piece("one", "one", 10) == "[one]");
    CHECK(Piece("one", "", 10) == "");
    // A phrase that is longer than the piece is not marked by half.
    CHECK(Piece("\"a1 b1 c1\"", "x a1 b1 c1 y", 2) == "a1 b1");
    auto analyzer = Analyzer();
    Work work;
    CHECK(MakeSnippet("x", {}, 0, analyzer.get(), &work).status().code() == Code::kInvalid);
    std::atomic<uint64_t> epoch{0};
    Work stopped(&epoch, nullptr);
    epoch++;
    CHECK(MakeSnippet("x", {}, 1, analyzer.get(), &stopped).status().code() == Code::kInterrupted);
}

TEST_CASE("text snippets: stop words take no place, boosts choose nothing", "[text]") {
    CHECK(Piece("one", "one of the two and a three", 2) == "[one] of the two");
    CHECK(Piece("one two^100", "one w w w two", 2) == "[one] w");
}

TEST_CASE("text snippets: what is said twice in a query counts twice", "[text]") {
    CHECK(Piece("two two one", "one w w w two w w w", 2) == "[two] w");
    CHECK(Piece("two tw* one", "one w w w two w w w", 2) == "[two] w");
    CHECK(Piece("\"b1 c1\" \"b1 c1\" a1", "a1 w w w b1 c1 w w", 2) == "[b1 c1]");
    CHECK(Piece("o* on* one*", "one x one y y y one one", 3) == "[one] x [one]");
}

TEST_CASE("text snippets: many beginnings of every word cost little more than one", "[text]") {
    constexpr size_t kWords = 30000;
    auto analyzer = Analyzer();
    std::string text;
    for (size_t i = 0; i < kWords; i++) {
        text += "b ";
    }
    std::string many;
    for (size_t i = 0; i < 1000; i++) {
        many += "b* ";
    }
    const auto seconds = [&](const std::string& words) {
        const auto query = ParseTextQuery(words, analyzer.get());
        REQUIRE(query.ok());
        double least = 1e9;
        for (int round = 0; round < 3; round++) {
            Work work;
            const auto begin = std::chrono::steady_clock::now();
            const auto snippet = MakeSnippet(text, *query, 5, analyzer.get(), &work);
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
            REQUIRE(snippet.ok());
            CHECK(snippet->marks.size() == 5);
            least = std::min(least, took.count());
        }
        return least;
    };
    // It was 100 times as much while each was matched by itself.
    CHECK(seconds(many) < 10 * seconds("b*"));
}

TEST_CASE("text snippets lie in the text whatever it is", "[text]") {
    auto analyzer = Analyzer();
    std::mt19937 random(23);
    const std::string letters = "ab \xc3\xa9\"*";
    for (int i = 0; i < 1000; i++) {
        std::string text(random() % 60, ' ');
        for (char& c : text) {
            c = letters[random() % letters.size()];
        }
        auto query =
            ParseTextQuery(i % 2 == 0 ? "a* \"b a\" +b" : "ab \"a b a\" b*", analyzer.get());
        REQUIRE(query.ok());
        const size_t tokens = 1 + random() % 8;
        Work work;
        auto snippet = MakeSnippet(text, *query, tokens, analyzer.get(), &work);
        REQUIRE(snippet.ok());
        REQUIRE(snippet->piece.begin <= snippet->piece.end);
        REQUIRE(snippet->piece.end <= text.size());
        uint32_t at = snippet->piece.begin;
        for (const TextSpan& mark : snippet->marks) {
            REQUIRE(at <= mark.begin);
            REQUIRE(mark.begin < mark.end);
            at = mark.end;
        }
        REQUIRE(at <= snippet->piece.end);
    }
}

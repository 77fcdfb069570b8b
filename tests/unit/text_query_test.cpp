// The language of text queries: what each sign means, and where mistakes are.
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "engine/sparse/text_query.h"
#include "storage/text_tokens.h"

using namespace quern;
using namespace quern::sparse;

namespace {

std::unique_ptr<TextAnalyzer> Analyzer(std::string_view options) {
    auto analyzer = TextAnalyzer::Open(options, storage::OpenTokenizer);
    REQUIRE(analyzer.ok());
    return std::move(*analyzer);
}

// Clauses as "+a.b@2*": sign, terms, gaps, star.
std::string Shape(const TextQuery& query) {
    std::string out;
    for (const TextClause& clause : query.clauses) {
        out += out.empty() ? "" : " ";
        out += clause.occur == TextOccur::kMust      ? "+"
               : clause.occur == TextOccur::kMustNot ? "-"
                                                     : "";
        for (size_t i = 0; i < clause.terms.size(); i++) {
            out += i > 0 ? "." : "";
            out += clause.terms[i];
            if (clause.positions[i] != i) {
                out += '@';
                out += std::to_string(clause.positions[i]);
            }
        }
        out += clause.is_prefix ? "*" : "";
        if (clause.boost != 1) {
            out += '^';
            out += std::to_string(static_cast<int>(clause.boost));
        }
    }
    return out;
}

std::string Parsed(std::string_view text) {
    auto query = ParseTextQuery(text, Analyzer("stop=english").get());
    return query.ok() ? Shape(*query) : query.status().message();
}

}  // namespace

TEST_CASE("text query: the signs", "[text]") {
    CHECK(Parsed("").empty());
    CHECK(Parsed(" One  two ") == "one two");
    CHECK(Parsed("+one -two th*") == "+one -two th*");
    CHECK(Parsed("-\"New York\" x") == "-new.york x");
    CHECK(Parsed("\"state of the art\"") == "state.art@3");
    CHECK(Parsed("e-mail") == "e.mail");
    CHECK(Parsed("the one") == "one");
    CHECK(Parsed("one OR two") == "one two");
    CHECK(Parsed("ORacle") == "oracle");
    CHECK(Parsed("a\"b c\"d") == "b.c d");
}

TEST_CASE("text query: white space beyond ASCII stands in a word", "[text]") {
    for (const std::string space : {"\u00a0", "\u3000"}) {
        CHECK(Parsed("one" + space + "two") == "one.two");
        CHECK(Parsed("+one" + space + "-two^2") == "+one.two^2");
        CHECK(Parsed("one" + space + "OR" + space + "two") == "one.two@2");
    }
    CHECK(Parsed("one\ttwo\nthree\rfour") == "one two three four");
}

TEST_CASE("text query: boosts", "[text]") {
    CHECK(Parsed("one^2 two") == "one^2 two");
    CHECK(Parsed("+one^3 \"New York\"^4 th*^5") == "+one^3 new.york^4 th*^5");
    CHECK(Parsed("one^1 two^1.0") == "one two");
    CHECK(Parsed("one^7 OR e-mail^8") == "one^7 e.mail^8");
    CHECK(Parsed("the^2") == "");
    const auto query = ParseTextQuery("one^0.25", Analyzer("").get());
    CHECK((query.ok() && query->clauses[0].boost == 0.25));
    const std::string wanted = "a ^ needs a number above 0, to 1000000, behind it";
    CHECK(Parsed("one^") == "text query, byte 3: " + wanted);
    CHECK(Parsed("one^ 2") == "text query, byte 3: " + wanted);
    for (const char* const bad :
         {"one^x", "one^0", "one^-1", "one^+1", "one^2x", "one^nan", "one^inf", "one^1000001",
          "one^2^3", "one^1e2", "one^2*", "one^1e6"}) {
        CAPTURE(bad);
        CHECK(Parsed(bad) == "text query, byte 3: " + wanted + ": '" + (bad + 4) + "'");
    }
    CHECK(Parsed("a \"b c\"^x") == "text query, byte 7: " + wanted + ": 'x'");
    CHECK(Parsed("one -two^2") == "text query, byte 8: a boost of what must not be there: '^2'");
    CHECK(Parsed("-\"b c\"^2") == "text query, byte 6: a boost of what must not be there: '^2'");
    CHECK(Parsed("one ^2") == "text query, byte 4: a ^ without a word before it");
    CHECK(Parsed("+^2") == "text query, byte 1: a ^ without a word before it");
}

TEST_CASE("text query: mistakes say where they are", "[text]") {
    CHECK(Parsed("one + two") == "text query, byte 4: a sign without a word");
    CHECK(Parsed("-") == "text query, byte 0: a sign without a word");
    CHECK(Parsed("one --two") == "text query, byte 4: two signs before a word: '--two'");
    CHECK(Parsed("--") == "text query, byte 0: two signs before a word: '--'");
    CHECK(Parsed("-+\"a b\"") == "text query, byte 0: two signs before a word: '-+'");
    CHECK(Parsed("one \"two") == "text query, byte 4: the phrase does not end");
    CHECK(Parsed("one *") == "text query, byte 4: a * without a beginning");
    CHECK(Parsed("e-mai*") == "text query, byte 0: a beginning before * must be one word: 'e-mai'");
    CHECK(Parsed("\"one\"two\"") == "text query, byte 8: the phrase does not end");
    CHECK(Parsed("OR one") == "text query, byte 0: OR without a word before it");
    CHECK(Parsed("one OR OR two") == "text query, byte 7: OR without a word before it");
    const std::string both = "OR and a sign do not go together: ";
    CHECK(Parsed("+one OR two") == "text query, byte 5: " + both + "'+one'");
    CHECK(Parsed("a -\"b c\" OR two") == "text query, byte 9: " + both + "'-\"b c\"'");
    CHECK(Parsed("one OR +two") == "text query, byte 7: " + both + "'+two'");
    std::string cut = "+x";
    for (int i = 0; i < 30; i++) {
        cut += "\u00e4";
    }
    CHECK(Parsed(cut + " OR two") ==
          "text query, byte 63: " + both + "'" + cut.substr(0, 40) + "...'");
    CHECK(Parsed("one OR") == "text query, byte 4: OR without a word after it");
}

TEST_CASE("text query: limits", "[text]") {
    auto analyzer = Analyzer("");
    std::string many;
    for (size_t i = 0; i <= kQueryClausesMax; i++) {
        many += 'w';
        many += std::to_string(i);
        many += ' ';
    }
    CHECK(ParseTextQuery(many, analyzer.get()).status().code() == Code::kLimit);
    CHECK(QueryOfWords(many, analyzer.get()).status().code() == Code::kLimit);
    CHECK(ParseTextQuery("\"" + many + "\"", analyzer.get()).status().code() == Code::kLimit);
    // What is too much is named, with the limit.
    const auto says = [&](const std::string& text, const char* what) {
        const std::string message = ParseTextQuery(text, analyzer.get()).status().message();
        INFO(message);
        CHECK(message.find(what) != std::string::npos);
    };
    says(many, "more than 1024 words and phrases");
    std::string parts = "w";
    for (int i = 0; i < 64; i++) {
        parts += "-w";
    }
    says(parts, "of 65 terms; the limit is 64");
    const std::string large(kQueryBytesMax + 1, 'a');
    CHECK(ParseTextQuery(large, analyzer.get()).status().code() == Code::kLimit);
    CHECK(QueryOfWords(large, analyzer.get()).status().code() == Code::kLimit);
}

TEST_CASE("text query: words of any text", "[text]") {
    auto query = QueryOfWords("+one \"two one -three* OR", Analyzer("").get());
    REQUIRE(query.ok());
    CHECK(Shape(*query) == "one^2 two three or");
}

TEST_CASE("text query: any bytes end in a query or a mistake", "[text]") {
    auto analyzer = Analyzer("porter");
    std::mt19937 random(17);
    const std::string signs = "+-\"* ORab\xc3\xff";
    for (int i = 0; i < 3000; i++) {
        std::string text(random() % 30, ' ');
        for (char& c : text) {
            c = random() % 8 == 0 ? '\0' : signs[random() % signs.size()];
        }
        const auto query = ParseTextQuery(text, analyzer.get());
        if (query.ok()) {
            for (const TextClause& clause : query->clauses) {
                REQUIRE(!clause.terms.empty());
                REQUIRE(clause.terms.size() == clause.positions.size());
            }
        } else {
            REQUIRE(query.status().code() == Code::kMalformed);
        }
    }
}

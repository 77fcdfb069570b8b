// Texts to terms: what the tokenizers of FTS5 give, with offsets, stop words and synonyms, and for
// any bytes.
#include <catch2/catch.hpp>
#include <new>
#include <random>
#include <string>

#include "engine/sparse/text_analyzer.h"
#include "storage/base/schema.h"
#include "storage/text_tokens.h"

using namespace quern;
using namespace quern::sparse;

namespace {

Result<std::unique_ptr<TextAnalyzer>> Open(std::string_view options) {
    return TextAnalyzer::Open(options, storage::OpenTokenizer);
}

// "term@position" for each, with spaces between.
std::string Terms(std::string_view options, std::string_view text) {
    auto analyzer = Open(options);
    REQUIRE(analyzer.ok());
    std::vector<TextTerm> terms;
    REQUIRE((*analyzer)->Analyze(text, &terms).ok());
    std::string out;
    for (const TextTerm& term : terms) {
        out += (out.empty() ? "" : " ") + term.term + "@" + std::to_string(term.position);
    }
    return out;
}

// The pieces of the text that are trigrams of it.
std::string TrigramsOf(const std::string& text) {
    auto analyzer = TextAnalyzer::Open("tokenizer=trigram", storage::OpenTokenizer);
    REQUIRE(analyzer.ok());
    std::vector<TextTerm> terms;
    REQUIRE((*analyzer)->Analyze(text, &terms).ok());
    std::string out;
    for (const TextTerm& term : terms) {
        out += (out.empty() ? "" : "|") + text.substr(term.begin, term.end - term.begin);
    }
    return out;
}

}  // namespace

TEST_CASE("texts: the tokenizers of FTS5", "[text]") {
    CHECK(Terms("", "Hello, W\xc3\xb6rld") == "hello@0 world@1");
    CHECK(Terms("remove_diacritics=0", "W\xc3\xb6rld") == "w\xc3\xb6rld@0");
    CHECK(Terms("porter", "running quickly") == "run@0 quickli@1");
    CHECK(Terms("tokenizer=ascii", "A-b") == "a@0 b@1");
    CHECK(Terms("tokenizer=trigram", "abcd") == "abc@0 bcd@1");
    // Where lower case has more bytes, or fewer: a trigram ends where its characters do.
    CHECK(TrigramsOf("ab\xc8\xba") == "ab\xc8\xba");
    CHECK(TrigramsOf("\xc8\xba\xc8\xba\xc8\xba") == "\xc8\xba\xc8\xba\xc8\xba");
    CHECK(TrigramsOf("gro\xe1\xba\x9e") == "gro|ro\xe1\xba\x9e");
    CHECK(TrigramsOf("\xe2\x84\xaa\xe2\x84\xaa\xe2\x84\xaa") ==
          "\xe2\x84\xaa\xe2\x84\xaa\xe2\x84\xaa");
    CHECK(Terms("tokenchars=-", "A-b c") == "a-b@0 c@1");
    CHECK(Terms("categories='L* N*'", "a1 b") == "a1@0 b@1");
    CHECK(Terms("", "").empty());
}

TEST_CASE("texts: offsets are those of the text", "[text]") {
    auto analyzer = Open("porter stop=english");
    REQUIRE(analyzer.ok());
    std::vector<TextTerm> terms;
    const std::string text = "The \xc3\x89t\xc3\xa9s, running!";
    REQUIRE((*analyzer)->Analyze(text, &terms).ok());
    REQUIRE(terms.size() == 2);
    CHECK(text.substr(terms[0].begin, terms[0].end - terms[0].begin) == "\xc3\x89t\xc3\xa9s");
    CHECK(text.substr(terms[1].begin, terms[1].end - terms[1].begin) == "running");
}

TEST_CASE("texts: stop words go before stems and leave their positions", "[text]") {
    CHECK(Terms("porter stop=english", "This being the thing") == "be@1 thing@3");
    CHECK(Terms("stop=foo,\xc3\xa9t\xc3\xa9", "Foo \xc3\x89T\xc3\x89 bar") == "bar@2");
    CHECK(Terms("stop=none", "the") == "the@0");
}

TEST_CASE("texts: synonyms are one term", "[text]") {
    CHECK(Terms("synonyms=car:auto:Automobile,big:large", "AUTO large bike") ==
          "car@0 big@1 bike@2");
    CHECK(Terms("porter synonyms=run:walk", "walking") == "run@0");
}

TEST_CASE("texts: the beginning of a word of a group stands for its term", "[text]") {
    using Words = std::vector<std::string>;
    auto opened = Open("porter synonyms=whale:cetacean:cete,ship:vessel:whaler,Cart:car");
    REQUIRE(opened.ok());
    const TextAnalyzer& analyzer = **opened;
    CHECK(analyzer.SynonymsOf("cet") == Words{"whale"});
    CHECK(analyzer.SynonymsOf("cetacean") == Words{"whale"});
    CHECK(analyzer.SynonymsOf("cetaceans").empty());
    CHECK(analyzer.SynonymsOf("whale") == Words{"ship"});  // of whaler; whale begins so itself
    CHECK(analyzer.SynonymsOf("ve") == Words{"ship"});
    CHECK(analyzer.SynonymsOf("ca").empty());
    CHECK(analyzer.SynonymsOf("x").empty());
}

TEST_CASE("texts: options that mean nothing are named, and the right ones listed", "[text]") {
    const auto says = [](const char* options) { return Open(options).status().message(); };
    const std::string own =
        "there are: tokenizer, porter, stop, synonyms, positions, k1, b; and of ";
    const std::string unicode =
        own + "unicode61: remove_diacritics, categories, tokenchars, separators";
    CHECK(says("foo=1") == "text options: unknown option 'foo'; " + unicode);
    CHECK(says("porter postions=0") == "text options: unknown option 'postions'; " + unicode);
    CHECK(says("stemmer") == "text options: unknown option 'stemmer'; " + unicode);
    CHECK(says("=1") == "text options: unknown option ''; " + unicode);
    CHECK(says("case_sensitive=1 tokenizer=ascii") ==
          "text options: unknown option 'case_sensitive'; " + own +
              "ascii: tokenchars, separators");
    CHECK(says("porter=1") == "text options: porter takes no value");
    CHECK(says("stop") == "text options: 'stop' has no value");
    // FTS5 takes these names in either case.
    CHECK(Terms("TokenChars=-", "A-b c") == "a-b@0 c@1");
    CHECK(Terms("tokenizer=trigram case_sensitive=1", "ABC") == "ABC@0");
}

TEST_CASE("texts: options that are given twice", "[text]") {
    const auto says = [](const char* options) { return CheckNewOptions(options).message(); };
    CHECK(says("stop=the stop=a") == "text options: option 'stop' is given twice");
    CHECK(says("k1=1 b=0 k1=1") == "text options: option 'k1' is given twice");
    CHECK(says("porter porter") == "text options: option 'porter' is given twice");
    CHECK(says("synonyms=a:b synonyms=c:d") == "text options: option 'synonyms' is given twice");
    CHECK(!CheckNewOptions("remove_diacritics=1 Remove_Diacritics=2").ok());
    CHECK(CheckNewOptions("tokenchars=- tokenchars=_ separators=a separators=b porter").ok());
    CHECK(Terms("tokenchars=- tokenchars=_", "a-b_c") == "a-b_c@0");
    // A file may have them.
    CHECK(Terms("stop=the stop=a", "the a") == "the@0");
}

TEST_CASE("texts: a list of stop words that there is not", "[text]") {
    const auto says = [](const char* options) { return CheckNewOptions(options).message(); };
    const char* const lists =
        ": the lists are none and english; others are given word by word, stop=a,b,c";
    CHECK(says("porter stop=german") == std::string("text options: stop=german") + lists);
    CHECK(says("stop=French") == std::string("text options: stop=French") + lists);
    CHECK(says("stop=English") == std::string("text options: stop=English") + lists);
    for (const char* const options : {"stop=english", "stop=none", "stop=the", "stop=german,the"}) {
        CHECK(CheckNewOptions(options).ok());
    }
    // A file may have it, as a word.
    CHECK(Terms("stop=german", "a German word") == "a@0 word@2");
}

TEST_CASE("texts: stop words that no word can be are named", "[text]") {
    const auto says = [](const std::string& options) {
        auto analyzer = Open(options);
        REQUIRE(analyzer.ok());
        return (*analyzer)->CheckStopWords().message();
    };
    const std::string none = ", and so would stop none";
    const auto of = [&](const char* word, const std::string& why) {
        return "text options: stop: '" + std::string(word) + "' " + why + none;
    };
    CHECK(says("stop=the,foo-bar,a") == of("foo-bar", "is not one word for this tokenizer but 2"));
    CHECK(says("stop='a b'") == of("a b", "is not one word for this tokenizer but 2"));
    CHECK(says("stop=the,---") == of("---", "holds no word for this tokenizer"));
    CHECK(says("stop=the,") == of("", "holds no word for this tokenizer"));
    CHECK(says("stop=the-") == of("the-", "is the word 'the' for this tokenizer"));
    CHECK(says("porter stop=don't").find("'don't' is not one word") != std::string::npos);
    CHECK(says("tokenizer=trigram stop=ab") == of("ab", "holds no word for this tokenizer"));
    const std::string longest(kTermBytesMax, 'x');
    CHECK(says("stop=" + longest).empty());
    CHECK(says("stop=" + longest + "x").find("is longer than a word can be") != std::string::npos);
    for (const char* const fine :
         {"stop=foo-bar,--- tokenchars=-", "stop=don't tokenchars=\"'\"", "stop=Running,was porter",
          "tokenizer=trigram stop=english", "tokenizer=trigram stop=the", "stop=\xc3\xa9-"}) {
        INFO(fine);
        CHECK(says(fine).empty());
    }
}

TEST_CASE("texts: options that mean nothing are refused", "[text]") {
    for (const char* const options :
         {"tokenizer=none_such", "tokenizer=porter", "stemmer", "stop=", "no_such=1",
          "remove_diacritics=7", "synonyms=a", "synonyms=a:b,b:c", "synonyms=a b:c",
          "synonyms='a x:c'", "categories='L*", "=1", "stop='\xc3\xa9 \xc3\xa9'"}) {
        INFO(options);
        auto analyzer = Open(options);
        REQUIRE(!analyzer.ok());
        CHECK(analyzer.status().code() == Code::kOption);
    }
    CHECK(!Open(std::string(kAnalyzerOptionsMax + 1, ' ')).ok());
}

TEST_CASE("texts: any bytes are read, none outside", "[text]") {
    using namespace std::string_literals;
    CHECK(Terms("", "ab\0cd"s) == "ab@0 cd@1");
    CHECK(Terms("tokenizer=trigram", "ab\0cde"s).find("cde@") != std::string::npos);
    CHECK(Terms("", "ab\xff\xfe"s + "cd\xc3") == "ab@0 cd@1");
    CHECK(Terms("", "ab\xed\xa0\x80"s + "cd") == "ab@0 cd@1");  // a surrogate
    std::mt19937 random(3);
    for (const char* const options : {"porter", "tokenizer=trigram", "tokenizer=ascii"}) {
        auto analyzer = Open(options);
        REQUIRE(analyzer.ok());
        std::vector<TextTerm> terms;
        for (int i = 0; i < 500; i++) {
            std::string text(random() % 40, '\0');
            for (char& c : text) {
                c = static_cast<char>(random() % (i % 2 == 0 ? 256 : 128));
            }
            REQUIRE((*analyzer)->Analyze(text, &terms).ok());
            for (const TextTerm& term : terms) {
                REQUIRE(term.end <= text.size());
                REQUIRE(term.begin <= term.end);
            }
        }
    }
}

TEST_CASE("texts: long ones are cut or refused", "[text]") {
    auto analyzer = Open("");
    REQUIRE(analyzer.ok());
    std::vector<TextTerm> terms;
    std::string word = "a";
    for (int i = 0; i < 200; i++) {
        word += "\xd1\x8f";  // two bytes: 255 is between two characters, 254 is not
    }
    REQUIRE((*analyzer)->Analyze(word, &terms).ok());
    REQUIRE(terms.size() == 1);
    CHECK(terms[0].term == word.substr(0, 255));
    REQUIRE((*analyzer)->Analyze("x" + word, &terms).ok());
    CHECK(terms[0].term == ("x" + word).substr(0, 254));
    std::string many;
    for (uint32_t i = 0; i <= kTextTokensMax; i++) {
        many += "a ";
    }
    CHECK((*analyzer)->Analyze(many, &terms).code() == Code::kLimit);
    CHECK((*analyzer)->Analyze(std::string(kTextBytesMax + 1, 'a'), &terms).code() == Code::kLimit);
}

TEST_CASE("texts: options of the ranking and of phrases are not the tokenizer's", "[text]") {
    auto options = ParseTextOptions("porter k1=0.9 b=0 positions=0 tokenchars=-");
    REQUIRE(options.ok());
    CHECK(options->k1 == 0.9);
    CHECK(options->b == 0);
    CHECK_FALSE(options->positions);
    CHECK(options->tokenizer == std::vector<std::string>{"porter", "unicode61", "tokenchars", "-"});
    CHECK(Terms("k1=2 b=0.5 positions=1", "A b") == "a@0 b@1");
    options = ParseTextOptions("");
    REQUIRE(options.ok());
    CHECK(options->k1 == 1.2);
    CHECK(options->b == 0.75);
    CHECK(options->positions);
    for (const char* bad : {"k1=-1", "k1=nan", "k1=inf", "k1=1e400", "k1=1,2", "k1", "k1=' 1'",
                            "b=1.01", "b=x", "b=0.5x", "positions=2", "positions=yes"}) {
        INFO(bad);
        CHECK(ParseTextOptions(bad).status().code() == Code::kOption);
    }
}

TEST_CASE("a tokenizer that is none is refused, and what its tokens meet comes back") {
    CHECK(storage::OpenTokenizer({}).status().code() == Code::kOption);
    CHECK(storage::OpenTokenizer({"none"}).status().code() == Code::kOption);
    auto tokens = storage::OpenTokenizer({"unicode61"});
    REQUIRE(tokens.ok());
    const auto fail = [](const Token&) { return Status::Error(Code::kLimit, "no more"); };
    const auto take = [](const Token&) { return Status(); };
    CHECK((*tokens)->Tokenize("a b", fail).code() == Code::kLimit);
    CHECK((*tokens)->Tokenize("", fail).ok());
    CHECK((*tokens)->Tokenize(std::string(kTextBytesMax + 1, 'a'), take).code() == Code::kLimit);
    const auto lack = [](const Token&) -> Status { throw std::bad_alloc(); };
    CHECK_THROWS_AS((*tokens)->Tokenize("a b", lack), std::bad_alloc);
    for (const char* text : {"\xf4\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xf0\x8f\xbf\xbf"}) {
        CHECK((*tokens)->Tokenize(text, take).ok());
    }
    CHECK(std::string(TextProblem(std::string(kTextBytesMax + 1, 'a'))) ==
          "a text of more than 16 MiB");
}

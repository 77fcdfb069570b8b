// The tokenizers of FTS5 when there is no memory for them, and for what they are asked.
#include "storage/text_tokens.h"

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace quern;
using namespace quern::storage;

TEST_CASE("a tokenizer that finds no memory tells it, and works when there is some", "[text]") {
    const std::string text = "plain words and " + std::string(3000, 'x') + " a long one";
    const TokenSink sink = [](const Token&) { return Status(); };
    int told_opening = 0;
    int told_working = 0;
    for (sqlite3_int64 room = 0; room < 400000; room += 500) {
        CAPTURE(room);
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + room);
        auto tokenizer = OpenTokenizer({"porter", "unicode61"});
        sqlite3_hard_heap_limit64(0);
        if (!tokenizer.ok()) {
            CAPTURE(tokenizer.status().message());
            CHECK(tokenizer.status().code() == Code::kNoMem);
            told_opening++;
            continue;
        }
        sqlite3_hard_heap_limit64(sqlite3_memory_used() + 10);
        const Status status = (*tokenizer)->Tokenize(text, sink);
        sqlite3_hard_heap_limit64(0);
        CHECK((status.ok() || status.code() == Code::kNoMem));
        told_working += status.ok() ? 0 : 1;
        CHECK((*tokenizer)->Tokenize(text, sink).ok());
    }
    CHECK(told_opening > 0);
    CHECK(told_working > 0);
}

TEST_CASE("what no tokenizer takes is refused", "[text]") {
    CHECK(OpenTokenizer({}).status().code() == Code::kOption);
    CHECK(OpenTokenizer({"nobody"}).status().code() == Code::kOption);
    CHECK(OpenTokenizer({"unicode61", "separators"}).status().code() == Code::kOption);
    CHECK(OpenTokenizer({"unicode61", "nothing", "1"}).status().code() == Code::kOption);
}

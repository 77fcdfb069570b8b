#include "storage/text_tokens.h"

#include <sqlite3.h>

#include <algorithm>
#include <exception>

namespace quern::storage {
namespace {

// How many bytes the UTF-8 character at the front of `text` has; 0 when it is none that may be in
// a text: no character, an overlong form, a surrogate, or zero.
size_t CharacterBytes(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    const uint8_t first = byte(0);
    if (first < 0x80) {
        return first != 0 ? 1 : 0;
    }
    const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < bytes) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((byte(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    const uint8_t second = byte(1);
    const bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
                       (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    return wrong ? 0 : bytes;
}

// The text itself when all of it may be read; else *space with the rest blanked.
std::string_view BlankInvalid(std::string_view text, std::string* space) {
    bool copied = false;
    for (size_t i = 0; i < text.size();) {
        const size_t bytes = CharacterBytes(text.substr(i));
        if (bytes == 0) {
            if (!copied) {
                space->assign(text);
                copied = true;
            }
            (*space)[i] = ' ';
        }
        i += bytes == 0 ? 1 : bytes;
    }
    return copied ? std::string_view(*space) : text;
}

// Where three characters end that begin there. The trigram tokenizer of SQLite 3.40 adds the bytes
// of the folded ones, which may be more or fewer than those of the text.
size_t EndOfTrigram(std::string_view text, int begin) {
    size_t end = begin < 0 ? text.size() : static_cast<size_t>(begin);
    for (int i = 0; i < 3 && end < text.size(); i++) {
        end += std::max<size_t>(1, CharacterBytes(text.substr(end)));
    }
    return end;
}

// FTS5 hands out its tokenizers through a connection; each Tokenizer has an empty one of its own.
class Fts5Tokens : public Tokenizer {
public:
    ~Fts5Tokens() override {
        if (tokenizer_ != nullptr) {
            module_.xDelete(tokenizer_);
        }
        sqlite3_close(connection_);
    }
    Status Open(const std::vector<std::string>& words);
    Status Tokenize(std::string_view text, const TokenSink& sink) override;

private:
    struct Call {
        const TokenSink* sink;
        std::string_view text;
        bool trigrams;
        Status status;
        std::exception_ptr thrown;
    };
    static int OnToken(void* context, int flags, const char* term, int term_bytes, int begin,
                       int end);
    Result<fts5_api*> FindApi();

    sqlite3* connection_ = nullptr;
    fts5_tokenizer module_{};
    Fts5Tokenizer* tokenizer_ = nullptr;
    bool trigrams_ = false;
    std::string space_;
};

Result<fts5_api*> Fts5Tokens::FindApi() {
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(":memory:", &connection_, flags, nullptr) != SQLITE_OK) {
        return Status::Error(Code::kNoMem, "tokenizer: %s", sqlite3_errmsg(connection_));
    }
    fts5_api* api = nullptr;
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(connection_, "SELECT fts5(?1)", -1, &statement, nullptr);
    if (code == SQLITE_OK) {
        code =
            sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
    }
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    if ((code & 0xff) == SQLITE_NOMEM) {
        return Status::Error(Code::kNoMem, "tokenizer: out of memory");
    }
    if (api == nullptr || api->iVersion < 2) {  // never: this SQLite has FTS5
        return Status::Error(Code::kOption, "tokenizer: this SQLite was built without FTS5");
    }
    return api;
}

Status Fts5Tokens::Open(const std::vector<std::string>& words) {
    if (words.empty()) {
        return Status::Error(Code::kOption, "tokenizer: no name");
    }
    QUERN_ASSIGN(fts5_api* const api, FindApi());
    void* data = nullptr;
    if (api->xFindTokenizer(api, words[0].c_str(), &data, &module_) != SQLITE_OK) {
        return Status::Error(Code::kOption, "tokenizer: there is no '%s'", words[0].c_str());
    }
    trigrams_ = words[0] == "trigram";
    std::vector<const char*> arguments;
    for (size_t i = 1; i < words.size(); i++) {
        arguments.push_back(words[i].c_str());
    }
    const int result =
        module_.xCreate(data, arguments.data(), static_cast<int>(arguments.size()), &tokenizer_);
    if (result != SQLITE_OK) {
        tokenizer_ = nullptr;
        return result == SQLITE_NOMEM
                   ? Status::Error(Code::kNoMem, "tokenizer: out of memory")
                   : Status::Error(Code::kOption, "tokenizer: '%s' does not take these options",
                                   words[0].c_str());
    }
    return {};
}

int Fts5Tokens::OnToken(void* context, int, const char* term, int term_bytes, int begin, int end) {
    Call* const call = static_cast<Call*>(context);
    // Not through SQLite's frames: they know no exceptions.
    try {
        if (term_bytes <= 0) {  // never: none of SQLite's tokenizers gives empty ones
            return SQLITE_OK;
        }
        size_t last = call->trigrams ? EndOfTrigram(call->text, begin) : static_cast<size_t>(end);
        const size_t size = call->text.size();
        const auto first = static_cast<size_t>(begin);
        if (begin < 0 || first > last || last > size) {  // never: SQLite's tokenizers stay inside
            call->status = Status::Error(Code::kInternal, "tokenizer: offsets outside the text");
            return SQLITE_ABORT;
        }
        call->status = (*call->sink)({std::string_view(term, static_cast<size_t>(term_bytes)),
                                      static_cast<uint32_t>(begin), static_cast<uint32_t>(last)});
        return call->status.ok() ? SQLITE_OK : SQLITE_ABORT;
    } catch (...) {
        call->thrown = std::current_exception();
        return SQLITE_ABORT;
    }
}

Status Fts5Tokens::Tokenize(std::string_view text, const TokenSink& sink) {
    if (text.size() > kTextBytesMax) {
        return Status::Error(Code::kLimit, "a text of %zu bytes; at most %zu", text.size(),
                             kTextBytesMax);
    }
    if (text.empty()) {
        return {};
    }
    const std::string_view valid = BlankInvalid(text, &space_);
    Call call{&sink, valid, trigrams_, {}, nullptr};
    const int result = module_.xTokenize(tokenizer_, &call, FTS5_TOKENIZE_DOCUMENT, valid.data(),
                                         static_cast<int>(valid.size()), &OnToken);
    if (call.thrown) {
        std::rethrow_exception(call.thrown);
    }
    QUERN_TRY(call.status);
    return result == SQLITE_OK
               ? Status()
               : Status::Error(Code::kNoMem, "tokenizer: %s", sqlite3_errstr(result));
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> OpenTokenizer(const std::vector<std::string>& words) {
    auto tokens = std::make_unique<Fts5Tokens>();
    QUERN_TRY(tokens->Open(words));
    return std::unique_ptr<Tokenizer>(std::move(tokens));
}

}  // namespace quern::storage

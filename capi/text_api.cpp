// Texts that are shown for a query.
#include "capi/handles.h"
#include "engine/db/query_snippet.h"

using namespace quern;
using namespace quern::capi;

namespace {

constexpr int64_t kSnippetWordsMax = 1000000;

Status ReadOptions(const char* text, SnippetOptions* out) {
    std::vector<Option> list;
    QUERN_TRY(ParseOptions(text, {"words", "before", "after", "more"}, &list, true));
    for (const Option& option : list) {
        if (option.key == "words") {
            int64_t words = 0;
            QUERN_TRY(ParseInteger(option, 0, kSnippetWordsMax, &words));
            out->words = static_cast<size_t>(words);
        } else {
            (option.key == "before"  ? out->before
             : option.key == "after" ? out->after
                                     : out->more) = option.value;
        }
    }
    return {};
}

Result<TextDef> FindField(Database* database, const std::string& collection, const char* field) {
    QUERN_ASSIGN(const auto infos, database->Collections(&collection));
    const Schema& schema = infos[0]->schema;
    for (const TextDef& def : schema.text) {
        if (SameName(def.name, field)) {
            return def;
        }
    }
    return Status::Error(Code::kUnknownField, "collection '%s': there is no text field '%s'",
                         collection.c_str(), field);
}

}  // namespace

int32_t quern_snippet(quern_db* db, const char* collection, const char* field, const char* query,
                      const char* text, size_t text_bytes, const char* options,
                      quern_text** snippet, quern_error* err) {
    if (snippet != nullptr) {
        *snippet = nullptr;
    }
    return Guard(err, [&]() -> Status {
        QUERN_TRY(CheckHandle(db, Magic::kDb, "db"));
        QUERN_TRY(NotNull(collection, "collection"));
        QUERN_TRY(NotNull(field, "field"));
        QUERN_TRY(NotNull(query, "query"));
        QUERN_TRY(NotNull(snippet, "snippet"));
        if (text_bytes > 0) {
            QUERN_TRY(NotNull(text, "text"));
        }
        const Entered entered(db->database);
        QUERN_TRY(entered.status());
        SnippetOptions wanted;
        QUERN_TRY(ReadOptions(options, &wanted));
        QUERN_ASSIGN(const TextDef def, FindField(db->database.get(), collection, field));
        Work work = db->database->NewWork();
        Result<std::string> shown =
            QuerySnippet(def, query, BytesView(text == nullptr ? "" : text, text_bytes), wanted,
                         db->database->analyzers(), &work);
        if (!shown.ok()) {
            return Status(shown.status()).WithContext("field '" + def.name + "'");
        }
        auto out = std::make_unique<quern_text>();
        out->text = std::move(*shown);
        *snippet = out.release();
        return {};
    });
}

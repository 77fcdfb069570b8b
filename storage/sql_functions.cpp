#include "storage/sql_functions.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

namespace quern::storage {

namespace {

// Thrown out of a function whose statement is to end, and caught where SQLite calls it.
struct Ended {};

// What all of these functions know of their connection.
class Watch {
public:
    Watch(EndsFn ends, void* of) : ends_(ends), of_(of) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() {
        sqlite3_finalize(statement_);
        sqlite3_close(plain_);
    }
    void Steps(size_t count) {
        steps_ += count;
        if (steps_ >= kStepsPerLook) {
            steps_ = 0;
            if (ends_(of_)) {
                throw Ended();
            }
        }
    }

    // What SQLite's own function of the name says, asked of a connection that has it.
    void AskPlain(sqlite3_context* context, const char* name, int count, sqlite3_value** values) {
        constexpr int kFlags =
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
        int code =
            plain_ != nullptr ? SQLITE_OK : sqlite3_open_v2(":memory:", &plain_, kFlags, nullptr);
        if (code == SQLITE_OK && count_ != count) {
            std::string sql = "SELECT ";
            sql.append(name).append("(");
            for (int i = 0; i < count; i++) {
                sql.append(i > 0 ? ",?" : "?");
            }
            sql.append(")");
            sqlite3_finalize(statement_);
            statement_ = nullptr;
            code = sqlite3_prepare_v2(plain_, sql.c_str(), -1, &statement_, nullptr);
            count_ = code == SQLITE_OK ? count : -1;
        }
        if (code == SQLITE_OK) {
            sqlite3* const db = sqlite3_context_db_handle(context);
            sqlite3_limit(plain_, SQLITE_LIMIT_LENGTH, sqlite3_limit(db, SQLITE_LIMIT_LENGTH, -1));
            for (int i = 0; i < count; i++) {
                sqlite3_bind_value(statement_, i + 1, values[i]);
            }
            code = sqlite3_step(statement_);
        }
        if (code == SQLITE_ROW) {
            sqlite3_result_value(context, sqlite3_column_value(statement_, 0));
        } else {
            sqlite3_result_error(context, sqlite3_errmsg(plain_), -1);
            sqlite3_result_error_code(context, code);
        }
        if (statement_ == nullptr) {
            // For want of memory: a connection that did not open is of no use later, either.
            sqlite3_close(plain_);
            plain_ = nullptr;
            return;
        }
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }

private:
    static constexpr size_t kStepsPerLook = size_t{1} << 18;
    EndsFn ends_;
    void* of_;
    size_t steps_ = 0;
    sqlite3* plain_ = nullptr;
    sqlite3_stmt* statement_ = nullptr;
    int count_ = -1;  // of its arguments
};

using Function = void (*)(sqlite3_context*, int, sqlite3_value**, Watch*);

// No exception goes through SQLite's frames.
template <Function kFunction>
void Call(sqlite3_context* context, int count, sqlite3_value** values) {
    try {
        kFunction(context, count, values, static_cast<Watch*>(sqlite3_user_data(context)));
    } catch (const Ended&) {
        sqlite3_result_error_code(context, SQLITE_INTERRUPT);
    } catch (const std::bad_alloc&) {
        sqlite3_result_error_nomem(context);
    }
}

bool IsNull(sqlite3_value* value) {
    return sqlite3_value_type(value) == SQLITE_NULL;
}
bool IsBlob(sqlite3_value* value) {
    return sqlite3_value_type(value) == SQLITE_BLOB;
}
std::string_view BytesOf(const void* data, int size) {
    return {data == nullptr ? "" : static_cast<const char*>(data), static_cast<size_t>(size)};
}
std::string_view TextOf(sqlite3_value* value) {
    const void* const text = sqlite3_value_text(value);
    return BytesOf(text, sqlite3_value_bytes(value));
}
std::string_view BlobOf(sqlite3_value* value) {
    const void* const blob = sqlite3_value_blob(value);
    return BytesOf(blob, sqlite3_value_bytes(value));
}

bool Continues(char byte) {
    return (static_cast<uint8_t>(byte) & 0xc0) == 0x80;
}

// Where `what` is found from a place on; npos: nowhere. In linear time, unlike std::string_view.
size_t Find(std::string_view in, std::string_view what, size_t from, Watch* watch) {
    if (in.size() - from < what.size()) {
        return std::string_view::npos;
    }
    const void* const found =
        what.size() == 1 ? std::memchr(in.data() + from, what[0], in.size() - from)
                         : ::memmem(in.data() + from, in.size() - from, what.data(), what.size());
    const size_t at = found == nullptr
                          ? std::string_view::npos
                          : static_cast<size_t>(static_cast<const char*>(found) - in.data());
    watch->Steps((at == std::string_view::npos ? in.size() : at) - from + what.size());
    return at;
}

void Instr(sqlite3_context* context, int, sqlite3_value** values, Watch* watch) {
    if (IsNull(values[0]) || IsNull(values[1])) {
        return;
    }
    const bool blobs = IsBlob(values[0]) && IsBlob(values[1]);
    const std::string_view in = blobs ? BlobOf(values[0]) : TextOf(values[0]);
    const std::string_view what = blobs ? BlobOf(values[1]) : TextOf(values[1]);
    if (what.empty()) {
        sqlite3_result_int(context, 1);
        return;
    }
    size_t at = Find(in, what, 0, watch);
    // Of texts only where a character begins.
    while (!blobs && at != std::string_view::npos && at > 0 && Continues(in[at])) {
        at = Find(in, what, at + 1, watch);
    }
    if (at == std::string_view::npos) {
        sqlite3_result_int(context, 0);
        return;
    }
    size_t place = 1;
    for (size_t i = 1; i <= at; i++) {
        place += blobs || !Continues(in[i]) ? 1 : 0;
    }
    sqlite3_result_int64(context, static_cast<sqlite3_int64>(place));
}

void Replace(sqlite3_context* context, int, sqlite3_value** values, Watch* watch) {
    if (IsNull(values[0]) || IsNull(values[1])) {
        return;
    }
    const std::string_view in = TextOf(values[0]);
    const std::string_view what = TextOf(values[1]);
    if (what.empty() || what[0] == 0) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    if (IsNull(values[2])) {
        return;
    }
    const std::string_view by = TextOf(values[2]);
    const auto most = static_cast<size_t>(
        sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1));
    std::string out;
    size_t from = 0;
    while (true) {
        const size_t at = Find(in, what, from, watch);
        const size_t end = at == std::string_view::npos ? in.size() : at;
        out.append(in.substr(from, end - from));
        if (at != std::string_view::npos) {
            out.append(by);
        }
        if (out.size() > most) {
            sqlite3_result_error_toobig(context);
            return;
        }
        if (at == std::string_view::npos) {
            break;
        }
        from = at + what.size();
    }
    sqlite3_result_text64(context, out.data(), out.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

// Characters of a set, each as its bytes: one that begins some, and those that go on with it.
class Characters {
public:
    // The text goes as far as its first zero.
    explicit Characters(std::string_view text) {
        text = text.substr(0, text.find('\0'));
        for (size_t i = 0; i < text.size();) {
            const size_t size = SizeAt(text, i);
            places_.emplace(text.substr(i, size), places_.size());
            longest_ = std::max(longest_, size);
            i += size;
        }
    }
    // Bytes of the character that a text begins, or ends with; of several the first of the set. 0:
    // none.
    size_t At(std::string_view text, bool end, Watch* watch) const {
        size_t found = 0;
        size_t first = places_.size();
        for (size_t size = 1; size <= std::min(longest_, text.size()); size++) {
            watch->Steps(size);
            const auto place =
                places_.find(end ? text.substr(text.size() - size) : text.substr(0, size));
            if (place != places_.end() && place->second < first) {
                first = place->second;
                found = size;
            }
        }
        return found;
    }

private:
    static size_t SizeAt(std::string_view text, size_t at) {
        size_t size = 1;
        if (static_cast<uint8_t>(text[at]) >= 0xc0) {
            while (at + size < text.size() && Continues(text[at + size])) {
                size++;
            }
        }
        return size;
    }

    std::unordered_map<std::string_view, size_t> places_;  // in the order of the text
    size_t longest_ = 0;
};

template <bool kLeft, bool kRight>
void Trim(sqlite3_context* context, int count, sqlite3_value** values, Watch* watch) {
    if (IsNull(values[0]) || (count > 1 && IsNull(values[1]))) {
        return;
    }
    std::string_view text = TextOf(values[0]);
    const Characters characters(count > 1 ? TextOf(values[1]) : std::string_view(" "));
    while (kLeft && !text.empty()) {
        const size_t size = characters.At(text, false, watch);
        if (size == 0) {
            break;
        }
        text.remove_prefix(size);
    }
    while (kRight && !text.empty()) {
        const size_t size = characters.At(text, true, watch);
        if (size == 0) {
            break;
        }
        text.remove_suffix(size);
    }
    sqlite3_result_text64(context, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

// The character at *at of a text that ends with a zero, as SQLite reads it: what is no UTF-8 is
// some character, too.
uint32_t Character(const char* text, size_t* at) {
    const auto byte = [&] { return static_cast<uint8_t>(text[*at]); };
    uint32_t c = byte();
    (*at)++;
    if (c < 0xc0) {
        return c;
    }
    c &= c < 0xe0 ? 0x1fu : c < 0xf0 ? 0x0fu : c < 0xf8 ? 0x07u : c < 0xfc ? 0x03u : 0x01u;
    if (static_cast<uint8_t>(text[*at - 1]) >= 0xfe) {
        c = 0;
    }
    while ((byte() & 0xc0) == 0x80) {
        c = (c << 6) + (byte() & 0x3fu);
        (*at)++;
    }
    return c < 0x80 || (c & 0xfffff800u) == 0xd800 || (c & 0xfffffffeu) == 0xfffe ? 0xfffd : c;
}

uint32_t Lower(uint32_t c) {
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

// A pattern of LIKE or GLOB, one piece for each thing that it asks of the text.
struct Piece {
    enum class Kind { kOne, kAny, kMany, kSet };
    Kind kind = Kind::kOne;
    uint32_t character = 0;
    bool inverted = false;
    std::vector<std::pair<uint32_t, uint32_t>> ranges;
    bool Takes(uint32_t c, bool folds) const {
        switch (kind) {  // never: kMany, or another kind
            case Kind::kOne:
                return c == character ||
                       (folds && c < 0x80 && character < 0x80 && Lower(c) == Lower(character));
            case Kind::kAny: return true;
            case Kind::kSet: {
                bool in = false;
                for (const auto& [low, high] : ranges) {
                    in = in || (c >= low && c <= high);
                }
                return in != inverted;
            }
            case Kind::kMany: break;
        }
        return false;
    }
};

// False: the pattern matches nothing.
bool ReadLike(const char* pattern, uint32_t escape, std::vector<Piece>* pieces, Watch* watch) {
    for (size_t at = 0; pattern[at] != 0;) {
        watch->Steps(1);
        Piece piece;
        piece.character = Character(pattern, &at);
        if (piece.character == escape) {  // no character of a pattern is 0
            if (pattern[at] == 0) {
                return false;
            }
            piece.character = Character(pattern, &at);
        } else if (piece.character == '%') {
            piece.kind = Piece::Kind::kMany;
        } else if (piece.character == '_') {
            piece.kind = Piece::Kind::kAny;
        }
        pieces->push_back(std::move(piece));
    }
    return true;
}

bool ReadSet(const char* pattern, size_t* at, Piece* piece) {
    piece->kind = Piece::Kind::kSet;
    uint32_t before = 0;
    uint32_t c = Character(pattern, at);
    if (c == '^') {
        piece->inverted = true;
        c = Character(pattern, at);
    }
    if (c == ']') {
        piece->ranges.emplace_back(c, c);
        c = Character(pattern, at);
    }
    while (c != 0 && c != ']') {
        if (c == '-' && pattern[*at] != ']' && pattern[*at] != 0 && before > 0) {
            c = Character(pattern, at);
            piece->ranges.emplace_back(before, c);
            before = 0;
        } else {
            piece->ranges.emplace_back(c, c);
            before = c;
        }
        c = Character(pattern, at);
    }
    return c != 0;
}

bool ReadGlob(const char* pattern, std::vector<Piece>* pieces, Watch* watch) {
    for (size_t at = 0; pattern[at] != 0;) {
        const size_t begin = at;
        Piece piece;
        piece.character = Character(pattern, &at);
        if (piece.character == '*') {
            piece.kind = Piece::Kind::kMany;
        } else if (piece.character == '?') {
            piece.kind = Piece::Kind::kAny;
        } else if (piece.character == '[' && !ReadSet(pattern, &at, &piece)) {
            return false;
        }
        watch->Steps(at - begin);
        pieces->push_back(std::move(piece));
    }
    return true;
}

// What a text must hold between two places that take anything is looked for once, from left to
// right: nothing is won by going back farther than to the last of these places.
bool Matches(const std::vector<Piece>& pieces, const char* text, bool folds, Watch* watch) {
    constexpr size_t kNone = ~size_t{0};
    size_t piece = 0;
    size_t at = 0;
    size_t again_piece = kNone;
    size_t again_at = 0;
    while (true) {
        const bool ended = text[at] == 0;
        if (piece < pieces.size() && pieces[piece].kind == Piece::Kind::kMany) {
            again_piece = ++piece;
            again_at = at;
            if (piece == pieces.size()) {
                return true;
            }
            continue;
        }
        if (ended && piece == pieces.size()) {
            return true;
        }
        watch->Steps(piece < pieces.size() ? 1 + pieces[piece].ranges.size() : 1);
        if (!ended && piece < pieces.size()) {
            size_t next = at;
            if (pieces[piece].Takes(Character(text, &next), folds)) {
                piece++;
                at = next;
                continue;
            }
        }
        // Where the text ends too early, it does so from any later place as well.
        if (again_piece == kNone || ended) {
            return false;
        }
        static_cast<void>(Character(text, &again_at));
        piece = again_piece;
        at = again_at;
    }
}

template <bool kGlob>
void Match(sqlite3_context* context, int count, sqlite3_value** values, Watch* watch) {
    static const bool no_blobs = sqlite3_compileoption_used("LIKE_DOESNT_MATCH_BLOBS") != 0;
    if (no_blobs && (IsBlob(values[0]) || IsBlob(values[1]))) {  // never: Debian builds it without
        sqlite3_result_int(context, 0);
        return;
    }
    sqlite3* const db = sqlite3_context_db_handle(context);
    if (sqlite3_value_bytes(values[0]) > sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, -1)) {
        sqlite3_result_error(context, "LIKE or GLOB pattern too complex", -1);
        return;
    }
    uint32_t escape = 0;
    if (count == 3) {
        const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(values[2]));
        if (text == nullptr) {
            return;
        }
        size_t at = 0;
        escape = *text == 0 ? 0 : Character(text, &at);
        if (at == 0 || text[at] != 0) {
            sqlite3_result_error(context, "ESCAPE expression must be a single character", -1);
            return;
        }
    }
    const auto* const pattern = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
    const auto* const text = reinterpret_cast<const char*>(sqlite3_value_text(values[1]));
    if (pattern == nullptr || text == nullptr) {
        return;
    }
    std::vector<Piece> pieces;
    const bool read =
        kGlob ? ReadGlob(pattern, &pieces, watch) : ReadLike(pattern, escape, &pieces, watch);
    sqlite3_result_int(context, read && Matches(pieces, text, !kGlob, watch) ? 1 : 0);
}

// How many times a directive %c may say its character.
constexpr sqlite3_int64 kRepeatsMax = 1 << 20;

// Whether a directive %c says its character oftener than that: SQLite up to 3.40 says it one by
// one, even where the text has become too long.
bool RepeatsOften(std::string_view format, int count, sqlite3_value** values) {
    int argument = 1;
    for (size_t i = 0; i < format.size() && format[i] != 0; i++) {
        if (format[i] != '%') {
            continue;
        }
        const auto number = [&]() -> sqlite3_int64 {
            sqlite3_int64 value = 0;
            if (i < format.size() && format[i] == '*') {
                i++;
                value = argument < count ? sqlite3_value_int64(values[argument]) : 0;
                argument++;
                return value;
            }
            for (; i < format.size() && format[i] >= '0' && format[i] <= '9'; i++) {
                value = std::min<sqlite3_int64>(value * 10 + (format[i] - '0'), 1 << 30);
            }
            return value;
        };
        i = std::min(format.find_first_not_of("-+ #!0,", i + 1), format.size());
        static_cast<void>(number());
        sqlite3_int64 precision = 0;
        if (i < format.size() && format[i] == '.') {
            i++;
            precision = number();
        }
        i = std::min(format.find_first_not_of('l', i), format.size());
        // Of an integer that is cut to 32 bits anything may become.
        if (i < format.size() && format[i] == 'c' &&
            (precision > kRepeatsMax || precision < -kRepeatsMax)) {
            return true;
        }
        argument += i < format.size() && format[i] != '%' && format[i] != 'n' ? 1 : 0;
    }
    return false;
}

void Format(sqlite3_context* context, int count, sqlite3_value** values, Watch* watch) {
    if (count > 0 && !IsNull(values[0]) && RepeatsOften(TextOf(values[0]), count, values)) {
        sqlite3_result_error_toobig(context);
        return;
    }
    watch->AskPlain(context, "printf", count, values);
}

void JsonPatch(sqlite3_context* context, int count, sqlite3_value** values, Watch* watch) {
    // Each member of one is looked for among all of the other.
    constexpr double kProductMax = double{1 << 16} * (1 << 16);
    if (!IsNull(values[0]) && !IsNull(values[1]) &&
        static_cast<double>(TextOf(values[0]).size()) *
                static_cast<double>(TextOf(values[1]).size()) >
            kProductMax) {
        sqlite3_result_error_toobig(context);
        return;
    }
    watch->AskPlain(context, "json_patch", count, values);
    sqlite3_result_subtype(context, 'J');
}

}  // namespace

bool ReplaceSlowFunctions(sqlite3* db, EndsFn ends, void* of) {
    struct Entry {
        const char* name;
        int count;
        void (*call)(sqlite3_context*, int, sqlite3_value**);
    };
    static constexpr Entry kEntries[] = {
        {"instr", 2, Call<Instr>},
        {"replace", 3, Call<Replace>},
        {"trim", 1, Call<Trim<true, true>>},
        {"trim", 2, Call<Trim<true, true>>},
        {"ltrim", 1, Call<Trim<true, false>>},
        {"ltrim", 2, Call<Trim<true, false>>},
        {"rtrim", 1, Call<Trim<false, true>>},
        {"rtrim", 2, Call<Trim<false, true>>},
        {"like", 2, Call<Match<false>>},
        {"like", 3, Call<Match<false>>},
        {"glob", 2, Call<Match<true>>},
        {"printf", -1, Call<Format>},
        {"format", -1, Call<Format>},
        {"json_patch", 2, Call<JsonPatch>},
    };
    for (const Entry& entry : kEntries) {
        auto watch = std::make_unique<Watch>(ends, of);
        // SQLite destroys it, whether this succeeds or not.
        const auto destroy = [](void* data) { delete static_cast<Watch*>(data); };
        if (sqlite3_create_function_v2(
                db, entry.name, entry.count, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS,
                watch.release(), entry.call, nullptr, nullptr, destroy) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}

bool IsReadingFunction(std::string_view name) {
    // Those of SQLite up to 3.50 and its full-text tables. Not among them, on purpose:
    // fts3_tokenizer (tells and takes addresses), fts5 (takes pointers), load_extension, optimize
    // (of FTS3: writes), rtreecheck, rtreedepth and rtreenode (for debugging), sqlite_log (writes
    // to the application's log), and sqlite_offset.
    static constexpr std::string_view kNames =
        " "
        "-> ->> abs acos acosh asin asinh atan atan2 atanh avg bm25 ceil ceiling "
        "changes char coalesce concat concat_ws cos cosh count cume_dist current_date "
        "current_time current_timestamp date datetime degrees dense_rank exp "
        "first_value floor format fts5_source_id glob group_concat hex highlight if "
        "ifnull iif instr json json_array json_array_insert json_array_length "
        "json_error_position json_extract json_group_array json_group_object "
        "json_insert json_object json_patch json_pretty json_quote json_remove "
        "json_replace json_set json_type json_valid jsonb jsonb_array "
        "jsonb_array_insert jsonb_extract jsonb_group_array jsonb_group_object "
        "jsonb_insert jsonb_object jsonb_remove jsonb_replace jsonb_set julianday lag "
        "last_insert_rowid last_value lead length like likelihood likely ln log log10 "
        "log2 lower ltrim match matchinfo max median min mod nth_value ntile nullif "
        "octet_length offsets percent_rank percentile percentile_cont percentile_disc "
        "pi pow power printf quote radians random randomblob rank replace round "
        "row_number rtrim sign sin sinh snippet soundex sqlite_compileoption_get "
        "sqlite_compileoption_used sqlite_source_id sqlite_version sqrt strftime "
        "string_agg substr substring subtype sum tan tanh time timediff total "
        "total_changes trim trunc typeof unhex unicode unistr unistr_quote unixepoch "
        "unlikely upper zeroblob ";
    std::string wanted = " ";
    for (const char c : name) {
        wanted += static_cast<char>(Lower(static_cast<uint8_t>(c)));
    }
    wanted += ' ';
    return kNames.find(wanted) != std::string_view::npos;
}

}  // namespace quern::storage

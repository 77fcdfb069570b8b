// Text queries, and the parts of a text index as a hostile file could hold them.
//
// Bytes: the head (13), the lengths of the query and of three parts (2 each, little endian), the
// query, the parts; what is left is the fourth. Every query must end
// in clauses or a mistake; what TextIndex::Load accepts must be safe to search, and no record may
// be met twice.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>

#include "engine/sparse/text_search.h"
#include "engine/sparse/text_snippet.h"
#include "storage/text_tokens.h"

using namespace quern;
using namespace quern::sparse;

namespace {

void SearchParts(TextParts parts, const TextQuery& query) {
    Work work;
    auto index = TextIndex::Load(std::move(parts), &work);
    if (!index.ok()) {
        return;
    }
    const TextStatistics live = (*index)->Statistics(nullptr);
    TextQuery all = query;
    for (uint32_t i = 0; i < (*index)->dictionary().size() && i < 8; i++) {
        const std::string term = (*index)->dictionary().Term(i);
        if ((*index)->dictionary().Find(term) != i) {
            std::abort();
        }
        all.clauses.push_back({TextOccur::kShould, i % 2 == 1, {term}, {0}, {}, 1});
    }
    auto prepared = PreparedText::Prepare(all, {{index->get(), nullptr}}, live, {}, &work);
    if (!prepared.ok()) {
        return;  // a phrase, and no positions
    }
    TopHits hits(7);
    if (!(*prepared)->Search(0, nullptr, &hits, &work).ok()) {
        std::abort();
    }
    std::set<uint32_t> seen;
    for (const SparseHit& hit : hits.Take()) {
        if (hit.position >= (*index)->records() || !seen.insert(hit.position).second) {
            std::abort();
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const std::unique_ptr<TextAnalyzer> analyzer = [] {
        auto opened = TextAnalyzer::Open("porter stop=english", storage::OpenTokenizer);
        if (!opened.ok()) {
            std::abort();
        }
        return std::move(*opened);
    }();
    ByteReader reader(BytesView(reinterpret_cast<const char*>(data), size));
    auto head = TextParts::Decode(reader.Take(13));
    TextParts parts = head.ok() ? std::move(*head) : TextParts();
    size_t lengths[4];
    for (size_t& length : lengths) {
        length = reader.U8();
        length |= static_cast<size_t>(reader.U8()) << 8;
    }
    const auto take = [&](size_t length) {
        return Bytes(reader.Take(std::min(length, reader.left())));
    };
    const Bytes text = take(lengths[0]);
    parts.dictionary = take(lengths[1]);
    parts.lengths = take(lengths[2]);
    parts.postings = take(lengths[3]);
    parts.positions = take(reader.left());
    (void)ParseTextOptions(text).ok();
    TextQuery query;
    auto parsed = ParseTextQuery(text, analyzer.get());
    if (parsed.ok()) {
        query = std::move(*parsed);
        Work work;
        auto snippet = MakeSnippet(text, query, 5, analyzer.get(), &work);
        if (!snippet.ok() || snippet->piece.end > text.size()) {
            std::abort();
        }
    }
    SearchParts(std::move(parts), query);
    return 0;
}

#include "engine/sparse/text_dictionary.h"

#include <algorithm>

#include "engine/sparse/text_analyzer.h"

namespace quern::sparse {
namespace {

Status BadDictionary(const char* what) {
    return Status::Error(Code::kCorrupt, "text dictionary: %s", what);
}

// Goes from *term to the next one; false when the bytes hold none.
bool ReadNext(ByteReader* reader, bool is_first_of_block, std::string* term) {
    const uint64_t shared = is_first_of_block ? 0 : reader->Varint();
    const uint64_t rest = reader->Varint();
    if (!reader->ok() || shared > term->size() || rest > kTermBytesMax ||
        shared + rest > kTermBytesMax) {
        return false;
    }
    const BytesView bytes = reader->Take(static_cast<size_t>(rest));
    term->resize(static_cast<size_t>(shared));
    term->append(bytes);
    return reader->ok();
}

// The first term that `prefix` does not begin and that comes after those; empty: there is none.
std::string AfterPrefix(std::string_view prefix) {
    std::string after(prefix);
    while (!after.empty() && static_cast<uint8_t>(after.back()) == 0xff) {
        after.pop_back();
    }
    if (!after.empty()) {
        after.back() = static_cast<char>(static_cast<uint8_t>(after.back()) + 1);
    }
    return after;
}

}  // namespace

TermDictionary TermDictionary::Build(const std::vector<std::string_view>& terms) {
    TermDictionary out;
    out.count_ = static_cast<uint32_t>(terms.size());
    ByteWriter writer(&out.bytes_);
    for (size_t i = 0; i < terms.size(); i++) {
        size_t shared = 0;
        if (i % kBlockTerms == 0) {
            out.blocks_.push_back(out.bytes_.size());
        } else {
            const size_t most = std::min(terms[i].size(), terms[i - 1].size());
            while (shared < most && terms[i][shared] == terms[i - 1][shared]) {
                shared++;
            }
            writer.Varint(shared);
        }
        writer.Varint(terms[i].size() - shared);
        writer.Raw(terms[i].data() + shared, terms[i].size() - shared);
    }
    return out;
}

Result<TermDictionary> TermDictionary::Load(Bytes bytes, uint32_t count) {
    TermDictionary out;
    ByteReader reader(bytes);
    std::string term;
    std::string before;
    for (uint32_t i = 0; i < count; i++) {
        if (i % kBlockTerms == 0) {
            out.blocks_.push_back(bytes.size() - reader.left());
        }
        if (!ReadNext(&reader, i % kBlockTerms == 0, &term) || term.empty()) {
            return BadDictionary("no term where one should be");
        }
        if (i > 0 && term <= before) {
            return BadDictionary("terms are not in order");
        }
        before = term;
    }
    if (!reader.AtEnd()) {
        return BadDictionary("bytes after the last term");
    }
    out.count_ = count;
    out.bytes_ = std::move(bytes);
    return out;
}

std::string_view TermDictionary::BlockFirst(size_t block) const {
    ByteReader reader(BytesView(bytes_).substr(blocks_[block]));
    return reader.Take(static_cast<size_t>(reader.Varint()));
}

uint32_t TermDictionary::LowerBound(std::string_view term) const {
    // The last block whose first term is less.
    size_t low = 0;
    size_t high = blocks_.size();
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (BlockFirst(middle) < term) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return 0;
    }
    uint32_t number = static_cast<uint32_t>(low - 1) * kBlockTerms;
    ByteReader reader(BytesView(bytes_).substr(blocks_[low - 1]));
    std::string current;
    for (uint32_t i = 0; i < kBlockTerms && number < count_; i++, number++) {
        if (!ReadNext(&reader, i == 0, &current) || current >= term) {
            break;
        }
    }
    return number;
}

std::string TermDictionary::Term(uint32_t number) const {
    ByteReader reader(BytesView(bytes_).substr(blocks_[number / kBlockTerms]));
    std::string term;
    for (uint32_t i = 0; i <= number % kBlockTerms; i++) {
        ReadNext(&reader, i == 0, &term);
    }
    return term;
}

uint32_t TermDictionary::Find(std::string_view term) const {
    const uint32_t number = LowerBound(term);
    return number < count_ && Term(number) == term ? number : kNone;
}

std::pair<uint32_t, uint32_t> TermDictionary::PrefixRange(std::string_view prefix) const {
    const std::string after = AfterPrefix(prefix);
    return {LowerBound(prefix), after.empty() ? count_ : LowerBound(after)};
}

}  // namespace quern::sparse

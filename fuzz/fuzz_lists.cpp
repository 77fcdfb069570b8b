// The arrays of a list index, as a hostile file could hold them.
//
// Bytes: metric and element (1), dimension (1), count (1), then the arrays
// (index_arrays.h). What ListIndex::Load accepts must be safe to search: no access outside the
// arrays, an end, no vector met twice, and min(k, n) of them.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "engine/dense/index_head.h"
#include "engine/dense/list_index.h"
#include "fuzz/index_arrays.h"

using namespace quern;

namespace {

// Stands for a file whose rows are all alike.
class SameRows : public dense::CellRows {
public:
    explicit SameRows(size_t row_bytes) : bytes_(row_bytes * 256, '\1') {}
    Status Read(size_t, size_t count, std::vector<dense::CellPiece>* pieces) override {
        pieces->push_back({bytes_.data(), count, nullptr});
        return {};
    }

private:
    std::string bytes_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ByteReader reader(BytesView(reinterpret_cast<const char*>(data), size));
    const uint8_t kind = reader.U8() % 4;
    const bool bits = kind == 3;
    const auto metric = bits ? Metric::kHamming : static_cast<Metric>(kind + 1);
    const Element element = bits ? Element::kBit : Element::kF32;
    const size_t dim = size_t{reader.U8()} % 32 + 1;
    const size_t count = reader.U8();
    Buffer arrays[dense::kListArrays];
    const std::string head = TakeArrays(&reader, arrays);
    const auto told = dense::ReadListHead(head, metric, dim, count);
    auto index = dense::ListIndex::Load(element, metric, dim, count, head, arrays);
    if (!index.ok()) {
        return 0;
    }
    if (!told.ok() || (told->codes != dense::CodeChoice::kNone) != (*index)->with_codes()) {
        std::abort();
    }
    SameRows rows((*index)->row_bytes());
    const std::vector<float> vector(dim, 1.0f);
    dense::ListSpace space;
    std::vector<uint32_t> nearest;
    for (const size_t k : {1, 10, 300}) {
        dense::ListQuery query;
        query.vector = vector.data();
        query.k = k;
        query.effort = {2, 10};
        if (!(*index)->Search(query, &rows, &space, &nearest, nullptr).ok()) {
            std::abort();
        }
        if (std::set<uint32_t>(nearest.begin(), nearest.end()).size() != nearest.size()) {
            std::abort();
        }
        for (const uint32_t number : nearest) {
            static_cast<void>((*index)->outsiders().Repeats(number));
        }
    }
    size_t effort = 3;
    static_cast<void>((*index)->range_curve().Find(0.9, &effort));
    for (const float bound : {-1.0f, 0.0f, 2.0f}) {
        bool complete = false;
        if (!(*index)
                 ->SearchRange({vector.data(), bound, effort}, &rows, &space, &nearest, &complete,
                               nullptr)
                 .ok()) {
            std::abort();
        }
        if (std::set<uint32_t>(nearest.begin(), nearest.end()).size() != nearest.size()) {
            std::abort();
        }
    }
    return 0;
}

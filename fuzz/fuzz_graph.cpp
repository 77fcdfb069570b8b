// The arrays of a graph index, as a hostile file could hold them.
//
// Bytes: metric (1), dimension (1), count (1), then the arrays (index_arrays.h). What
// GraphIndex::Load accepts must be safe to walk: no access outside the arrays, an end, and no
// vector met twice; from 128 on the first byte also asks for blocks.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "engine/dense/graph_index.h"
#include "engine/dense/index_head.h"
#include "engine/dense/scan_proof.h"
#include "fuzz/index_arrays.h"

using namespace quern;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    ByteReader reader(BytesView(reinterpret_cast<const char*>(data), size));
    const uint8_t kind = reader.U8();
    const auto metric = static_cast<Metric>(kind % 3 + 1);
    const size_t dim = size_t{reader.U8()} % 32 + 1;
    const size_t count = reader.U8();
    Buffer arrays[dense::kIndexArrays];
    const std::string head = TakeArrays(&reader, arrays);
    const auto told = dense::ReadGraphHead(head, metric, dim, count);
    auto index = dense::GraphIndex::Load(Element::kF32, metric, dim, count, head, arrays);
    if (!index.ok()) {
        return 0;
    }
    if (!told.ok() || told->codes != (*index)->codes()) {
        std::abort();
    }
    std::vector<float> rows(count * dim, 0.5f);
    std::vector<float> norms(count, 1.0f);
    const dense::VectorRows view{Element::kF32, metric,
                                 dim,           reinterpret_cast<char*>(rows.data()),
                                 count,         metric == Metric::kCosine ? norms.data() : nullptr};
    const std::vector<float> query(dim, 1.0f);
    dense::WalkSpace space;
    std::vector<uint32_t> nodes;
    Work work;
    if (kind >= 128 && !(*index)->Pack(1, nullptr, &work).ok()) {
        std::abort();
    }
    std::vector<dense::Effort> efforts = {dense::Effort::OfPool(1), dense::Effort::OfPool(10),
                                          dense::Effort::OfPool(300)};
    for (const size_t k : {1, 10, 30, 1000}) {
        dense::Effort effort;
        if ((*index)->curve().Find(k, 0.9, 3, &effort)) {
            efforts.push_back(effort);
        }
    }
    for (const dense::Effort& effort : efforts) {
        dense::NodeBounds bounds;
        if (!(*index)->Search(view, query.data(), effort, &space, &nodes, nullptr, &bounds).ok()) {
            std::abort();
        }
        if (bounds.least.size() != ((*index)->states_error() ? nodes.size() : 0)) {
            std::abort();
        }
        if (std::set<uint32_t>(nodes.begin(), nodes.end()).size() != nodes.size()) {
            std::abort();
        }
        for (const uint32_t node : nodes) {
            static_cast<void>((*index)->outsiders().Repeats(node));
        }
    }
    if ((*index)->proves()) {
        dense::ScanProof proof(**index, query.data());
        proof.Within(1.0f);
        const std::vector<uint64_t> all((count + 63) / 64,
                                        ~uint64_t{0} >> ((64 - count % 64) % 64));
        std::vector<kernels::Hit> found;
        bool complete = false;
        uint64_t scored = 0;
        if (!proof.Find(all.data(), count, &found, &complete, &scored, &work).ok() ||
            found.size() > count) {
            std::abort();
        }
    }
    size_t effort = 3;
    static_cast<void>((*index)->range_curve().Find(0.9, &effort));
    for (const float bound : {-1.0f, 0.0f, 2.0f}) {
        bool complete = false;
        if (!(*index)
                 ->SearchRange(view, {query.data(), bound, effort}, &space, &complete, nullptr)
                 .ok()) {
            std::abort();
        }
        if (std::set<uint32_t>(space.within.begin(), space.within.end()).size() !=
            space.within.size()) {
            std::abort();
        }
    }
    return 0;
}

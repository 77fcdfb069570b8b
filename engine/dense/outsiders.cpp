#include "engine/dense/outsiders.h"

#include <algorithm>
#include <cstring>

#include "engine/dense/bad_index.h"
#include "storage/base/hash.h"

namespace quern::dense {

namespace {

bool IsZero(const VectorRows& rows, uint32_t row) {
    const char* bytes = rows.row(row);
    if (rows.metric == Metric::kCosine) {
        return rows.inverse_norms[row] == 0.0f;
    }
    if (rows.element == Element::kF32 || rows.element == Element::kF16 ||
        rows.element == Element::kBF16) {
        // Minus zero is zero: look at everything but the signs.
        const size_t width = VectorBytes(rows.element, 1);
        for (size_t i = 0; i < rows.row_bytes(); i++) {
            const uint8_t mask = i % width == width - 1 ? 0x7f : 0xff;
            if ((static_cast<uint8_t>(bytes[i]) & mask) != 0) {
                return false;
            }
        }
        return true;
    }
    return std::all_of(bytes, bytes + rows.row_bytes(), [](char c) { return c == 0; });
}

}  // namespace

Outsiders Outsiders::Find(const VectorRows& rows, std::vector<uint32_t>* inside) {
    Outsiders found;
    std::vector<std::pair<uint64_t, uint32_t>> hashes;
    hashes.reserve(rows.count);
    for (uint32_t i = 0; i < rows.count; i++) {
        if (IsZero(rows, i)) {
            found.zeros_.push_back(i);
        } else {
            hashes.emplace_back(Hash64(BytesView(rows.row(i), rows.row_bytes()), 0), i);
        }
    }
    std::sort(hashes.begin(), hashes.end());
    std::vector<bool> outside(rows.count, false);
    for (const uint32_t zero : found.zeros_) {
        outside[zero] = true;
    }
    for (size_t i = 0; i < hashes.size();) {
        size_t end = i + 1;
        while (end < hashes.size() && hashes[end].first == hashes[i].first) {
            end++;
        }
        const uint32_t original = hashes[i].second;
        for (size_t j = i + 1; j < end; j++) {
            // Equal hashes of different vectors are possible; such a one is inside like any other.
            if (std::memcmp(rows.row(original), rows.row(hashes[j].second), rows.row_bytes()) ==
                0) {
                found.repeats_.emplace_back(original, hashes[j].second);
                outside[hashes[j].second] = true;
            }
        }
        i = end;
    }
    std::sort(found.repeats_.begin(), found.repeats_.end());
    found.FindRepeated();
    for (uint32_t i = 0; i < rows.count; i++) {
        if (!outside[i]) {
            inside->push_back(i);
        }
    }
    return found;
}

void Outsiders::FindRepeated() {
    repeated_.assign(repeats_.empty() ? 0 : repeats_.back().first / 64 + 1, 0);
    for (const auto& [row, repeat] : repeats_) {
        repeated_[row / 64] |= uint64_t{1} << (row % 64);
    }
}

std::pair<size_t, size_t> Outsiders::Repeats(uint32_t row) const {
    if (row / 64 >= repeated_.size() || (repeated_[row / 64] >> (row % 64) & 1) == 0) {
        return {0, 0};
    }
    const auto first = std::lower_bound(repeats_.begin(), repeats_.end(), std::make_pair(row, 0u));
    auto last = first;
    while (last != repeats_.end() && last->first == row) {
        ++last;
    }
    return {static_cast<size_t>(first - repeats_.begin()),
            static_cast<size_t>(last - repeats_.begin())};
}

void Outsiders::Write(ByteWriter* writer) const {
    writer->U32(static_cast<uint32_t>(zeros_.size()));
    for (const uint32_t row : zeros_) {
        writer->U32(row);
    }
    writer->U32(static_cast<uint32_t>(repeats_.size()));
    for (const auto& [row, repeat] : repeats_) {
        writer->U32(row);
        writer->U32(repeat);
    }
}

Result<Outsiders> Outsiders::Read(ByteReader* reader, size_t count, std::vector<bool>* outside) {
    Outsiders read;
    outside->assign(count, false);
    const uint32_t zeros = reader->U32();
    if (zeros > reader->left() / 4) {
        return BadIndex("cut short");
    }
    for (uint32_t i = 0; i < zeros; i++) {
        const uint32_t row = reader->U32();
        if (row >= count || (*outside)[row]) {
            return BadIndex("its list of zero vectors is damaged");
        }
        (*outside)[row] = true;
        read.zeros_.push_back(row);
    }
    const uint32_t repeats = reader->U32();
    if (repeats > reader->left() / 8) {
        return BadIndex("cut short");
    }
    for (uint32_t i = 0; i < repeats; i++) {
        const uint32_t row = reader->U32();
        const uint32_t repeat = reader->U32();
        if (row >= count || repeat >= count || (*outside)[repeat]) {
            return BadIndex("its list of repeats is damaged");
        }
        (*outside)[repeat] = true;
        read.repeats_.emplace_back(row, repeat);
    }
    if (!std::is_sorted(read.zeros_.begin(), read.zeros_.end()) ||
        !std::is_sorted(read.repeats_.begin(), read.repeats_.end()) ||
        std::any_of(read.repeats_.begin(), read.repeats_.end(),
                    [&](const auto& pair) { return (*outside)[pair.first]; })) {
        return BadIndex("its lists are out of order");
    }
    read.FindRepeated();
    return read;
}

void Outsiders::Skip(ByteReader* reader) {
    const uint64_t zeros = reader->U32();
    reader->Take(zeros * 4);
    const uint64_t repeats = reader->U32();
    reader->Take(repeats * 8);
}

}  // namespace quern::dense

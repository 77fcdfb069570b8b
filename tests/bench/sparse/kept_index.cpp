#include "tests/bench/sparse/kept_index.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace bench {
namespace {

using quern::Buffer;
using quern::sparse::ApproximateArray;
using quern::sparse::ApproximateIndex;
using quern::sparse::kApproximateArrays;
using quern::sparse::kSparseArrays;
using quern::sparse::SparseArray;
using quern::sparse::SparseArrayView;
using quern::sparse::SparseIndex;

[[noreturn]] void Stop(const std::string& path, const char* what) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), what);
    std::exit(1);
}

// The file: u64 records, then each array as u64 bytes and these; an index without an approximate
// one ends where that would begin.
void Write(const SparseArrayView& array, std::ofstream* file) {
    const uint64_t bytes = array.items * array.item_bytes;
    file->write(reinterpret_cast<const char*>(&bytes), sizeof bytes);
    file->write(array.data, static_cast<std::streamsize>(bytes));
}

Buffer Read(std::ifstream* file) {
    uint64_t bytes = 0;
    file->read(reinterpret_cast<char*>(&bytes), sizeof bytes);
    Buffer buffer(file->good() ? static_cast<size_t>(bytes) : 0, nullptr);
    file->read(buffer.data(), static_cast<std::streamsize>(buffer.bytes()));
    return buffer;
}

}  // namespace

void KeepIndex(const std::string& path, const KeptIndex& index) {
    // Under another name until it is whole.
    const std::string part = path + ".part";
    std::ofstream file(part, std::ios::binary);
    const uint64_t records = index.exact->count();
    file.write(reinterpret_cast<const char*>(&records), sizeof records);
    for (size_t number = 0; number < kSparseArrays; number++) {
        Write(index.exact->Array(static_cast<SparseArray>(number)), &file);
    }
    for (size_t number = 0; index.approximate != nullptr && number < kApproximateArrays; number++) {
        Write(index.approximate->Array(static_cast<ApproximateArray>(number)), &file);
    }
    file.close();
    if (!file) {
        Stop(part, "cannot be written");
    }
    std::filesystem::rename(part, path);
}

KeptIndex LoadKeptIndex(const std::string& path) {
    KeptIndex kept;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return kept;
    }
    uint64_t records = 0;
    file.read(reinterpret_cast<char*>(&records), sizeof records);
    const Buffer head = Read(&file);
    Buffer arrays[kSparseArrays];
    for (size_t number = 1; number < kSparseArrays; number++) {
        arrays[number] = Read(&file);
    }
    auto exact = SparseIndex::Load(static_cast<size_t>(records),
                                   std::string(head.data(), head.bytes()), arrays);
    if (!file || !exact.ok()) {
        Stop(path, "is no index that was kept");
    }
    kept.exact = std::move(*exact);
    if (file.peek() == std::ifstream::traits_type::eof()) {
        return kept;
    }
    Buffer more[kApproximateArrays];
    for (Buffer& array : more) {
        array = Read(&file);
    }
    auto approximate = ApproximateIndex::Load(*kept.exact, more, 1);
    if (!file || !approximate.ok()) {
        Stop(path, "is no index that was kept");
    }
    kept.approximate = std::move(*approximate);
    return kept;
}

quern::sparse::SparseRowList RowsOf(const SparseIndex& index) {
    quern::sparse::SparseRowList rows;
    for (uint32_t row = 0; row < index.count(); row++) {
        rows.Append(index.Row(row));
    }
    return rows;
}

}  // namespace bench

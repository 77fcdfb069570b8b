// What chunks, log entries and sparse vectors are stored as, and what is refused of it: a hostile
// file may hold any bytes under checksums that fit.
#include <zstd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "storage/base/hash.h"
#include "storage/chunk_id.h"
#include "storage/chunk_store.h"
#include "storage/codec.h"
#include "storage/record_log.h"
#include "storage/sparse_value.h"

namespace {

using namespace quern;
using namespace quern::storage;

// Numbers that grow slowly: every codec makes them shorter, but for the bytes that fill no number.
std::string Growing(size_t bytes, size_t width) {
    std::string raw(bytes, '\0');
    for (size_t i = 0; i + width <= bytes; i += width) {
        const uint64_t value = 1000 + i;
        std::memcpy(raw.data() + i, &value, width);
    }
    return raw;
}

std::string Noise(size_t bytes) {
    std::mt19937 random(3);
    std::string raw(bytes, '\0');
    for (char& c : raw) {
        c = static_cast<char>(random());
    }
    return raw;
}

constexpr uint32_t Number(Codec codec) {
    return static_cast<uint32_t>(codec);
}

std::string Packed(const std::string& raw) {
    std::string packed(ZSTD_compressBound(raw.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), raw.data(), raw.size(), 1));
    return packed;
}

}  // namespace

TEST_CASE("chunks come back from every codec as they were") {
    for (const Codec codec :
         {Codec::kRaw, Codec::kZstd, Codec::kSplit2, Codec::kSplit4, Codec::kSplit8}) {
        for (const Effort effort : {Effort::kFast, Effort::kLoad, Effort::kBest}) {
            for (const std::string& raw :
                 {Growing(4099, 4), Growing(8, 4), Noise(500), std::string()}) {
                CAPTURE(Number(codec), raw.size());
                Bytes stored;
                const Codec used = Encode(codec, raw, effort, &stored);
                CHECK((used == codec || used == Codec::kRaw));
                CHECK(stored.size() <= raw.size());
                std::string back(raw.size(), 'x');
                CHECK(Decode(Number(used), stored, back.data(), back.size()).ok());
                CHECK(back == raw);
            }
        }
    }
}

TEST_CASE("the codec is the one that saves enough") {
    for (const Effort effort : {Effort::kFast, Effort::kLoad, Effort::kBest}) {
        CHECK(ChooseCodec(Growing(60, 4), 4, effort) == Codec::kRaw);
        CHECK(ChooseCodec(Noise(4096), 4, effort) == Codec::kRaw);
        CHECK(ChooseCodec(Growing(65536, 2), 2, effort) == Codec::kSplit2);
        CHECK(ChooseCodec(Growing(65536, 4), 4, effort) == Codec::kSplit4);
        CHECK(ChooseCodec(Growing(65536, 8), 8, effort) == Codec::kSplit8);
        CHECK(ChooseCodec(std::string(65536, 'a'), 1, effort) == Codec::kZstd);
    }
}

TEST_CASE("chunks that no codec has made are refused") {
    std::string out(100, '\0');
    const std::string raw = Growing(100, 4);
    const std::string packed = Packed(raw);
    const auto refuse = [&](uint32_t codec, BytesView stored, const char* problem) {
        const Status status = Decode(codec, stored, out.data(), out.size());
        CAPTURE(status.message());
        CHECK(status.code() == Code::kCorrupt);
        CHECK(status.message().find(problem) != std::string::npos);
    };
    refuse(Number(Codec::kSplit8) + 1, raw, "unknown codec");
    refuse(Number(Codec::kRaw), BytesView(raw).substr(1), "instead of 100");
    refuse(Number(Codec::kZstd), raw, "does not declare");
    refuse(Number(Codec::kZstd), Packed(raw + "x"), "does not declare");
    refuse(Number(Codec::kZstd), BytesView(packed).substr(0, packed.size() - 1), "not decode");
    refuse(Number(Codec::kSplit4), BytesView(packed).substr(0, packed.size() - 1), "not decode");
}

TEST_CASE("a chunk whose checksum fits is refused when it does not decode, and named") {
    PartInfo part;
    part.id = 5;
    part.segment = 3;
    part.field = 9;
    part.kind = PartKind::kVectors;
    part.chunks.resize(1);
    ChunkInfo& chunk = part.chunks[0];
    const std::string stored = "nothing";
    chunk.raw_bytes = 100;
    chunk.stored_bytes = static_cast<uint32_t>(stored.size());
    chunk.codec = Number(Codec::kZstd);
    chunk.hash = Hash64(stored, static_cast<uint64_t>(ChunkId(part.id, 0)));
    std::string out(100, '\0');
    const auto message = [&] { return DecodeChunk(part, 0, stored, out.data()).message(); };
    const std::string where = "segment 3, part vectors of field 9, chunk 0: ";
    CHECK(message().find(where + "compressed chunk") == 0);
    chunk.stored_bytes++;
    CHECK(message() == where + "checksum is wrong");
    chunk.stored_bytes--;
    chunk.hash++;
    CHECK(message() == where + "checksum is wrong");
    part.field_name = "emb";
    CHECK(part.Name() == "segment 3, part vectors of field 'emb'");
    part.field = 0;
    CHECK(part.Name() == "segment 3, part vectors");
}

TEST_CASE("every kind of part has a name of its own") {
    std::vector<std::string> names;
    for (int64_t kind = 0; kind <= kPartKindMax; kind++) {
        const std::string name = PartKindName(static_cast<PartKind>(kind));
        if (name != "of an unknown kind") {
            names.push_back(name);
        }
    }
    CHECK(names.size() == 57);
    std::sort(names.begin(), names.end());
    CHECK(std::unique(names.begin(), names.end()) == names.end());
}

TEST_CASE("sparse vectors are looked at before they are believed") {
    const auto value = [](const std::vector<uint32_t>& dims, const std::vector<float>& weights) {
        std::string bytes;
        bytes.append(reinterpret_cast<const char*>(dims.data()), dims.size() * 4);
        bytes.append(reinterpret_cast<const char*>(weights.data()), weights.size() * 4);
        return bytes;
    };
    const auto problem = [](const std::string& bytes, bool binary = false) {
        const char* const found = SparseValueProblem(bytes, 10, binary);
        return std::string(found == nullptr ? "" : found);
    };
    CHECK(problem("") == "");
    CHECK(problem(value({0, 3, 9}, {1, -2, 0.5f})) == "");
    CHECK(problem(value({0, 3}, {1, 1}), true) == "");
    CHECK(problem("abc") == "no whole number of entries");
    CHECK(problem(std::string((kSparseEntriesMax + 1) * 8, '\0')) == "too many entries");
    CHECK(problem(value({10}, {1})) == "a dimension that the field does not have");
    CHECK(problem(value({3, 3}, {1, 1})) == "dimensions out of order");
    CHECK(problem(value({3}, {0})) == "a weight that is zero or not finite");
    CHECK(problem(value({3}, {std::numeric_limits<float>::infinity()})) ==
          "a weight that is zero or not finite");
    CHECK(problem(value({3}, {2}), true) == "a weight in a binary field");
    const std::vector<uint32_t> dims = {2, 3, 9};
    std::vector<uint32_t> gaps(3);
    SparseGaps(dims.data(), dims.size(), gaps.data());
    CHECK(gaps == std::vector<uint32_t>{2, 1, 6});
    std::vector<uint32_t> back = gaps;
    CHECK(SparseDimensions(back.data(), back.size(), 10));
    CHECK(back == dims);
    back = gaps;
    CHECK_FALSE(SparseDimensions(back.data(), back.size(), 9));
    back = {2, 0};
    CHECK_FALSE(SparseDimensions(back.data(), back.size(), 10));
    const float nan = std::nanf("");
    CHECK_FALSE(AreSparseWeights(&nan, 1));
}

TEST_CASE("values of log entries are looked at before they are believed") {
    Schema schema;
    schema.dense = {{1, "emb", Element::kF32, Metric::kL2, 1}};
    schema.sparse = {{2, "terms"}};
    schema.text = {{3, "body"}};
    const std::string vector(4, '\0');
    Bytes sound;
    EncodeVectors(schema, {{0, vector}, {1, ""}, {2, "text"}}, &sound);
    std::vector<VectorRef> values;
    REQUIRE(DecodeVectors(schema, sound, &values).ok());
    REQUIRE(values.size() == 3);
    CHECK(values[2].field == 2);
    CHECK(values[2].bytes == "text");
    const auto refuse = [&](const std::string& blob, const char* problem) {
        const Status status = DecodeVectors(schema, blob, &values);
        CAPTURE(status.message());
        CHECK(status.code() == Code::kCorrupt);
        CHECK(status.message().find(problem) != std::string::npos);
    };
    refuse("\x09\x01x", "a vector of no field");
    refuse("\x01\x03xyz", "the wrong size");
    refuse("\x01", "a vector of no field");
    refuse("\x03\x09text", "cut short");
    refuse("\x03\x01\xff", "field 'body': a text that is not valid UTF-8");
    refuse("\x02\x03xyz", "field 'terms': no whole number of entries");
    refuse(std::string("\x03\x01x\x01\x04", 5) + vector, "a vector of no field");
}

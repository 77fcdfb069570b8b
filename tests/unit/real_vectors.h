// Real vectors for tests; empty where the data is absent.
#pragma once

#include <zstd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace real_vectors {

inline constexpr size_t kImageDim = 784;

// The first images of mnist784 as f32 rows.
inline std::vector<float> Images(size_t count) {
    const char* set = std::getenv("QUERN_DATA");
    const std::filesystem::path folder =
        set != nullptr ? std::filesystem::path(set)
                       : std::filesystem::path(QUERN_SOURCE_DIR) / ".." / "shared" / "data";
    std::ifstream file(folder / "mnist784" / "images.u8.npy.zst", std::ios::binary);
    constexpr size_t kHeadMin = 10;  // of an array file; the last two bytes tell how long it is
    std::string bytes;
    std::string in(ZSTD_DStreamInSize(), '\0');
    std::string piece(ZSTD_DStreamOutSize(), '\0');
    ZSTD_DStream* stream = ZSTD_createDStream();
    const size_t wanted = count * kImageDim + kHeadMin + UINT16_MAX;
    while (bytes.size() < wanted && file) {
        file.read(in.data(), static_cast<std::streamsize>(in.size()));
        ZSTD_inBuffer input{in.data(), static_cast<size_t>(file.gcount()), 0};
        while (input.pos < input.size && bytes.size() < wanted) {
            ZSTD_outBuffer output{piece.data(), piece.size(), 0};
            if (ZSTD_isError(ZSTD_decompressStream(stream, &output, &input)) != 0) {
                ZSTD_freeDStream(stream);
                return {};
            }
            bytes.append(piece.data(), output.pos);
        }
    }
    ZSTD_freeDStream(stream);
    if (bytes.size() < wanted) {
        return {};
    }
    const size_t head = kHeadMin + static_cast<uint8_t>(bytes[8]) +
                        256 * static_cast<size_t>(static_cast<uint8_t>(bytes[9]));
    std::vector<float> rows(count * kImageDim);
    for (size_t i = 0; i < rows.size(); i++) {
        rows[i] = static_cast<float>(static_cast<uint8_t>(bytes[head + i]));
    }
    return rows;
}

}  // namespace real_vectors

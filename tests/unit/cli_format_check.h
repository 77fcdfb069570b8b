// What tests of file formats share: bytes made by hand, readers over them, and files that go away.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "byte_source.h"
#include "file_format.h"
#include "format_error.h"

namespace quern::shell::test {

inline std::unique_ptr<RecordReader> Reader(const std::string& bytes, FileFormat format,
                                            char delimiter = 0) {
    return NewRecordReader(ByteSource::FromMemory(bytes.data(), bytes.size(), "test"), format,
                           delimiter);
}

inline std::string Little(uint64_t value, size_t size) {
    std::string bytes;
    for (size_t i = 0; i < size; i++) {
        bytes.push_back(static_cast<char>(static_cast<unsigned char>(value >> (8 * i))));
    }
    return bytes;
}

inline std::string F32(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof(bits));
    return Little(bits, 4);
}

inline std::string Big32(uint32_t value) {
    std::string bytes = Little(value, 4);
    return {bytes.rbegin(), bytes.rend()};
}

inline std::string Npy(const std::string& dict, const std::string& data) {
    return std::string("\x93NUMPY\x01\x00", 8) + Little(dict.size(), 2) + dict + data;
}

inline std::vector<std::vector<float>> Vectors(RecordReader* reader) {
    std::vector<std::vector<float>> rows;
    Record record;
    while (reader->Next(&record)) {
        REQUIRE(record.has_vector);
        rows.push_back(record.vector);
    }
    return rows;
}

// The message of the error that reading everything ends with; empty when it ends well.
inline std::string Problem(const std::string& bytes, FileFormat format) {
    try {
        const auto reader = Reader(bytes, format);
        Record record;
        while (reader->Next(&record)) {
        }
    } catch (const FormatError& error) {
        return error.what();
    }
    return {};
}

inline bool Mentions(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

class TempFile {
public:
    explicit TempFile(const std::string& ending) {
        static int count = 0;
        path_ = (std::filesystem::temp_directory_path() /
                 ("quern-cli-test-" + std::to_string(std::rand()) + "-" + std::to_string(count++) +
                  ending))
                    .string();
        std::filesystem::remove(path_);
    }
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;
    ~TempFile() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }
    const std::string& path() const { return path_; }
    std::string Content() const {
        std::ifstream in(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }

private:
    std::string path_;
};

using Rows = std::vector<std::vector<float>>;

// Every cut of the bytes, and every byte of them changed in two ways, ends in records or in a
// FormatError, and soon.
inline void CheckDamage(const std::string& bytes, FileFormat format) {
    const auto read = [&](const std::string& damaged) {
        try {
            const auto reader = Reader(damaged, format);
            Record record;
            for (int row = 0; row < 1000; row++) {
                try {
                    if (!reader->Next(&record)) {
                        return;
                    }
                } catch (const FormatError& error) {
                    if (!error.recoverable()) {
                        return;
                    }
                }
            }
        } catch (const FormatError&) {
        }
    };
    for (size_t size = 0; size < bytes.size(); size++) {
        read(bytes.substr(0, size));
    }
    for (size_t i = 0; i < bytes.size(); i++) {
        for (int flip : {0x01, 0xff}) {
            std::string damaged = bytes;
            damaged[i] = static_cast<char>(damaged[i] ^ flip);
            read(damaged);
        }
    }
}

}  // namespace quern::shell::test

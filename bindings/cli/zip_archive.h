// ZipArchive: the members of a zip file, as far as npz files need: stored or deflated, with or
// without zip64, in one piece, not encrypted.
//
//   ... members: local header (30 bytes, name, extra), data ...
//   directory: 46 bytes, name, extra, comment for each member
//   [zip64 end record, its locator] end record (22 bytes, comment)
//
// The directory is what counts, as every reader of zip has it. All places and sizes are proved
// against the file's size before anything is read or allocated; what a member unpacks to is counted
// against the size it claims, and its CRC is compared at its end.
#pragma once

#include <vector>

#include "random_bytes.h"

namespace quern::shell {

inline constexpr size_t kZipMembersMax = 256;

struct ZipMember {
    std::string name;
    uint32_t method = 0;  // 0: stored, 8: deflated
    uint32_t crc = 0;
    uint64_t packed_bytes = 0;
    uint64_t bytes = 0;
    uint64_t header_place = 0;
};

class ZipArchive {
public:
    // bytes must outlive the archive and its members. name: for messages. Throws FormatError.
    ZipArchive(RandomBytes* bytes, std::string name);

    const std::vector<ZipMember>& members() const { return members_; }
    // Throws FormatError, as reading the source does.
    std::unique_ptr<ByteSource> OpenMember(const ZipMember& member);

private:
    [[noreturn]] void Fail(uint64_t place, const std::string& what) const;
    std::vector<unsigned char> Take(uint64_t place, size_t size, const char* what);
    void ReadEnd();
    void ReadDirectory();
    void ReadWideSizes(const unsigned char* extra, size_t size, ZipMember* member) const;

    RandomBytes* bytes_;
    std::string name_;
    std::vector<ZipMember> members_;
    uint64_t directory_place_ = 0;
    uint64_t directory_bytes_ = 0;
    uint64_t member_count_ = 0;
};

}  // namespace quern::shell

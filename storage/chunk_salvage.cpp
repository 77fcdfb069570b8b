#include "storage/chunk_salvage.h"

#include <algorithm>
#include <memory>

#include "storage/base/hash.h"
#include "storage/catalog.h"
#include "storage/page_mending.h"

namespace quern::storage {

namespace {

// "B-tree Pages" of SQLite's documentation of its file format; sizes of our pages.
constexpr size_t kPageUsable = kPageBytes - kReservedBytes;
constexpr size_t kLeafHeader = 8;
constexpr size_t kCellLocalMost = kPageUsable - 35;
constexpr size_t kCellLocalLeast = (kPageUsable - 12) * 32 / 255 - 23;
constexpr size_t kOverflowBytes = kPageUsable - 4;
constexpr size_t kPagesPerCheck = 1024;

// An index's or a table's page, inside or a leaf.
bool IsTreeKind(char kind) {
    return kind == 2 || kind == 5 || kind == 10 || kind == 13;
}

// Reads from the content of one page; past its end it gives zeros and is not ok.
class PageReader {
public:
    PageReader(const char* page, size_t at) : page_(page), at_(at) {}
    uint64_t BigEndian(int bytes) {
        uint64_t value = 0;
        for (int i = 0; i < bytes; i++) {
            value = value << 8 | Next();
        }
        return value;
    }
    // SQLite's: seven bits a byte, the highest first; all eight of the ninth.
    uint64_t Varint() {
        uint64_t value = 0;
        for (int i = 0; i < 8; i++) {
            const uint8_t byte = Next();
            value = value << 7 | (byte & 0x7f);
            if (byte < 0x80) {
                return value;
            }
        }
        return value << 8 | Next();
    }
    size_t at() const { return at_; }
    bool ok() const { return at_ <= kPageUsable; }

private:
    uint8_t Next() {
        const size_t at = at_++;
        return at < kPageUsable ? static_cast<uint8_t>(page_[at]) : 0;
    }
    const char* page_;
    size_t at_;
};

}  // namespace

Status ChunkSalvage::Read(Connection* connection, const std::vector<int64_t>& wanted, Work* work) {
    connection_ = connection;
    QUERN_ASSIGN(const uint32_t pages, CountPages(connection->handle()));
    const std::unique_ptr<char[]> page(new char[kPageBytes]);
    for (uint32_t number = 2; number <= pages; number++) {
        if (number % kPagesPerCheck == 0) {
            QUERN_TRY(work->Check("look for chunks", number, pages));
        }
        bool sound = false;
        QUERN_ASSIGN(const bool there,
                     ReadPageAsIs(connection->handle(), number, page.get(), &sound));
        if (!there) {  // never: it was counted
            continue;
        }
        const auto look = [&](uint32_t offset) {
            PageReader cell(page.get(), offset);
            cell.Varint();
            const auto id = static_cast<int64_t>(cell.Varint());
            if (cell.ok() && std::binary_search(wanted.begin(), wanted.end(), id)) {
                places_.emplace(id, Place{number, offset});
            }
        };
        if (!sound) {
            // Its header and the places of its rows may be what is damaged.
            for (uint32_t offset = kLeafHeader; offset < kPageUsable; offset++) {
                look(offset);
            }
        } else if (IsTreeKind(page[0])) {
            // Others than leaves of a table are few, and one of them may be such a leaf by right.
            const uint64_t cells = PageReader(page.get(), 3).BigEndian(2);
            PageReader pointers(page.get(), kLeafHeader);
            for (uint64_t i = 0; i < cells && pointers.ok(); i++) {
                look(static_cast<uint32_t>(pointers.BigEndian(2)));
            }
        }
    }
    return {};
}

Result<bool> ChunkSalvage::Find(int64_t id, const ChunkInfo& info, std::string* stored) const {
    stored->clear();
    std::string found;
    const auto [first, last] = places_.equal_range(id);
    for (auto place = first; place != last; ++place) {
        QUERN_ASSIGN(const bool taken, Take(place->second, info.stored_bytes, &found));
        if (!taken) {
            continue;
        }
        stored->swap(found);
        if (Hash64(*stored, static_cast<uint64_t>(id)) == info.hash) {
            return true;
        }
    }
    return false;
}

// A row of quern_chunk: a header that says NULL (for the id) and a blob of so many bytes, then the
// blob, the end of which is in a chain of other pages where it does not fit.
Result<bool> ChunkSalvage::Take(const Place& place, size_t bytes, std::string* stored) const {
    const std::unique_ptr<char[]> page(new char[kPageBytes]);
    QUERN_ASSIGN(const bool there, ReadPageAsIs(connection_->handle(), place.page, page.get()));
    if (!there) {  // never: it was read before
        return false;
    }
    PageReader cell(page.get(), place.offset);
    const uint64_t payload = cell.Varint();
    cell.Varint();
    const size_t start = cell.at();
    const uint64_t header = cell.Varint();
    const uint64_t id_type = cell.Varint();
    const uint64_t blob_type = cell.Varint();
    if (!cell.ok() || cell.at() != start + header || id_type != 0 ||
        blob_type != 12 + 2 * uint64_t{bytes} || payload != header + bytes) {
        return false;
    }
    const size_t rest = kCellLocalLeast + (payload - kCellLocalLeast) % kOverflowBytes;
    const size_t local = payload <= kCellLocalMost ? payload
                         : rest <= kCellLocalMost  ? rest
                                                   : kCellLocalLeast;
    if (start + local > kPageUsable) {
        return false;
    }
    stored->assign(page.get() + cell.at(), local - header);
    PageReader chain(page.get(), start + local);
    while (stored->size() < bytes) {
        const auto next = static_cast<uint32_t>(chain.BigEndian(4));
        if (!chain.ok()) {
            return false;
        }
        QUERN_ASSIGN(const bool goes_on, ReadPageAsIs(connection_->handle(), next, page.get()));
        if (!goes_on) {
            return false;
        }
        stored->append(page.get() + 4, std::min(bytes - stored->size(), kOverflowBytes));
        chain = PageReader(page.get(), 0);
    }
    return true;
}

}  // namespace quern::storage

#include "tests/crash/damage.h"

#include <algorithm>
#include <cstddef>

namespace quern::crash {

namespace {

constexpr size_t kSubsetsOf = 6;
constexpr size_t kRandomSubsets = 32;
constexpr size_t kLargeSector = 4096;
constexpr size_t kSmallSector = 512;

void Garbage(std::mt19937_64* random, size_t from, size_t end, std::string* bytes) {
    for (size_t i = from; i < std::min(end, bytes->size()); i++) {
        (*bytes)[i] = static_cast<char>((*random)());
    }
}

}  // namespace

void Damage::Advance(size_t point) {
    for (; next_ < point; next_++) {
        const Operation& operation = (*record_)[next_];
        const bool folder = operation.kind == Operation::Kind::kFolderSync ||
                            (operation.kind == Operation::Kind::kDelete && operation.offset != 0);
        if (operation.kind == Operation::Kind::kCreate) {
            unlisted_.insert(operation.file);
        }
        if (operation.kind != Operation::Kind::kSync &&
            operation.kind != Operation::Kind::kFolderSync) {
            pending_.push_back(next_);
        }
        // What a sync makes safe: the operations on its file (the removal of one that had its name
        // included: what is synced now took its place); of a folder, creations and removals.
        // Whatever came before a removal went with it.
        std::vector<size_t> others;
        for (const size_t pending : pending_) {
            const Operation& one = (*record_)[pending];
            const bool names =
                one.kind == Operation::Kind::kDelete || one.kind == Operation::Kind::kCreate;
            const bool safe = operation.kind == Operation::Kind::kSync ? one.file == operation.file
                                                                       : folder && names;
            if (!safe) {
                others.push_back(pending);
                continue;
            }
            Apply(one, &safe_);
            if (one.kind == Operation::Kind::kDelete) {
                std::erase_if(others,
                              [&](size_t earlier) { return (*record_)[earlier].file == one.file; });
            }
        }
        pending_.swap(others);
        if (folder) {
            unlisted_.clear();
        }
    }
}

Files Damage::With(const std::vector<bool>& keep) const {
    Files files = safe_;
    std::set<std::string> still_there;
    for (size_t i = 0; i < pending_.size(); i++) {
        const Operation& operation = (*record_)[pending_[i]];
        if (!keep[i]) {
            if (operation.kind == Operation::Kind::kDelete) {
                still_there.insert(operation.file);
            }
        } else if (still_there.count(operation.file) == 0) {
            Apply(operation, &files);
        }
    }
    return files;
}

void Damage::ForEach(bool powersafe, std::mt19937_64* random,
                     const std::function<bool(char letter, const Files& files)>& take) const {
    const size_t count = pending_.size();
    std::vector<bool> keep(count, true);
    const Files whole = With(keep);
    if (!take('a', With(std::vector<bool>(count, false))) || !take('b', whole)) {
        return;
    }
    for (size_t kept = 1; kept < count; kept++) {
        std::fill(keep.begin(), keep.begin() + static_cast<std::ptrdiff_t>(kept), true);
        std::fill(keep.begin() + static_cast<std::ptrdiff_t>(kept), keep.end(), false);
        if (!take('c', With(keep))) {
            return;
        }
    }
    const bool all = count <= kSubsetsOf;
    for (size_t n = 1; count > 1 && n < (all ? size_t{1} << count : kRandomSubsets); n++) {
        const uint64_t bits = all ? n : (*random)();
        for (size_t i = 0; i < count; i++) {
            keep[i] = (bits >> (i % 64) & 1u) != 0;
        }
        if (!take('d', With(keep))) {
            return;
        }
    }
    // The last write, which may be under way.
    if (count > 0 && (*record_)[pending_.back()].kind == Operation::Kind::kWrite) {
        std::fill(keep.begin(), keep.end(), true);
        keep.back() = false;
        const Files before = With(keep);
        const Operation& last = (*record_)[pending_.back()];
        const auto with_last = [&](std::string bytes) {
            Files files = before;
            Operation changed = last;
            changed.bytes = std::move(bytes);
            Apply(changed, &files);
            return files;
        };
        const size_t size = last.bytes.size();
        for (const size_t cut : {kSmallSector, kLargeSector}) {
            if (cut < size && !take('e', with_last(last.bytes.substr(0, cut)))) {
                return;
            }
        }
        std::string part = last.bytes;
        const size_t at = (*random)() % size / kSmallSector * kSmallSector;
        Garbage(random, at, at + kSmallSector, &part);
        std::string everything = last.bytes;
        Garbage(random, 0, size, &everything);
        if (!take('f', with_last(part)) || !take('f', with_last(everything))) {
            return;
        }
        if (!powersafe) {
            Files files = whole;
            const auto offset = static_cast<size_t>(last.offset);
            Garbage(random, offset / kLargeSector * kLargeSector,
                    (offset + size + kLargeSector - 1) / kLargeSector * kLargeSector,
                    &files[last.file]);
            if (!take('g', files)) {
                return;
            }
        }
        const auto found = before.find(last.file);
        const size_t length = found == before.end() ? 0 : found->second.size();
        const size_t end = static_cast<size_t>(last.offset) + size;
        if (end > length) {
            Files files = before;
            files[last.file].resize(end);
            if (!take('i', files)) {
                return;
            }
        }
    }
    if (!unlisted_.empty()) {
        Files files = whole;
        for (const std::string& file : unlisted_) {
            files.erase(file);
        }
        if (!take('h', files)) {
            return;
        }
    }
    bool removed = false;
    for (size_t i = 0; i < count; i++) {
        keep[i] = (*record_)[pending_[i]].kind != Operation::Kind::kDelete;
        removed = removed || !keep[i];
    }
    if (removed) {
        take('h', With(keep));
    }
}

}  // namespace quern::crash

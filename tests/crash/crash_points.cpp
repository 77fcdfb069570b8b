#include "tests/crash/crash_points.h"

namespace quern::crash {

namespace {

constexpr size_t kSector = 512;

}  // namespace

Files CrashPoints::At(size_t point, Loss loss, std::mt19937* random) {
    for (; next_ < point; next_++) {
        const Operation& operation = record_[next_];
        if (operation.kind == Operation::Kind::kSync) {
            // Everything that was done to this file so far is safe.
            std::vector<size_t> others;
            for (const size_t pending : pending_) {
                if (record_[pending].file == operation.file) {
                    Apply(record_[pending], &safe_);
                } else {
                    others.push_back(pending);
                }
            }
            pending_.swap(others);
        } else if (operation.kind == Operation::Kind::kDelete && operation.offset != 0) {
            // Removed together with a sync of its folder.
            std::vector<size_t> others;
            for (const size_t pending : pending_) {
                if (record_[pending].file != operation.file) {
                    others.push_back(pending);
                }
            }
            pending_.swap(others);
            safe_.erase(operation.file);
        } else if (operation.kind != Operation::Kind::kFolderSync) {
            pending_.push_back(next_);
        }
    }
    Files files = safe_;
    size_t kept = pending_.size();
    if (loss == Loss::kEverything) {
        kept = 0;
    } else if (loss == Loss::kSuffix) {
        kept = pending_.empty() ? 0 : (*random)() % (pending_.size() + 1);
    }
    for (size_t i = 0; i < kept; i++) {
        const Operation& operation = record_[pending_[i]];
        const bool chance = loss == Loss::kSubset || loss == Loss::kTorn;
        if (chance && (*random)() % 3 == 0) {
            continue;
        }
        if (loss == Loss::kTorn && operation.kind == Operation::Kind::kWrite) {
            ApplyTorn(operation, random, &files);
        } else {
            Apply(operation, &files);
        }
    }
    return files;
}

void CrashPoints::ApplyTorn(const Operation& operation, std::mt19937* random, Files* files) {
    for (size_t at = 0; at < operation.bytes.size(); at += kSector) {
        if ((*random)() % 4 != 0) {
            Operation sector = operation;
            sector.offset += static_cast<int64_t>(at);
            sector.bytes = operation.bytes.substr(at, kSector);
            Apply(sector, files);
        }
    }
}

}  // namespace quern::crash

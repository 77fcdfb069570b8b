// The states of files that a crash at any moment of a recording could have left behind.
#pragma once

#include <random>
#include <vector>

#include "tests/crash/recording_vfs.h"

namespace quern::crash {

// What is lost of the operations since the last sync of a file.
enum class Loss { kNothing, kEverything, kSuffix, kSubset, kTorn, kCount };

class CrashPoints {
public:
    // Borrows the record.
    explicit CrashPoints(const std::vector<Operation>& record) : record_(record) {}

    // The files after a crash before operation `point`: what was synced, and of the rest what
    // `loss` leaves. Points must not go back.
    Files At(size_t point, Loss loss, std::mt19937* random);

private:
    static void ApplyTorn(const Operation& operation, std::mt19937* random, Files* files);

    const std::vector<Operation>& record_;
    size_t next_ = 0;
    std::vector<size_t> pending_;
    Files safe_;
};

}  // namespace quern::crash

// The files that a power cut could have left behind, all kinds of damage that a disk may do to what
// was not synced (crash_points.h has some, drawn at random).
#pragma once

#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/recording_vfs.h"

namespace quern::crash {

class Damage {
public:
    // Borrows the record, which begins with these files, all of them safe.
    Damage(Files begin, const std::vector<Operation>* record)
        : record_(record), safe_(std::move(begin)) {}

    // Now the crash is before operation `point`. Points must not go back.
    void Advance(size_t point);
    // Files that may be left, each with the letter of the damage:
    //   a  all that was not synced is lost         b  nothing is
    //   c  each prefix of it is kept               d  each subset (32 random ones of more than 6)
    //   e  the last write is cut after 512 bytes, and after 4096
    //   f  a part of the last write is garbage, and all of it
    //   g  whole sectors of 4096 bytes that it touches are (device without powersafe overwrite)
    //   h  new files are not in their folder, and removed ones still are
    //   i  the last write has made the file longer, and the new bytes are zero
    // Stops when `take` returns false.
    void ForEach(bool powersafe, std::mt19937_64* random,
                 const std::function<bool(char letter, const Files& files)>& take) const;
    size_t pending() const { return pending_.size(); }

private:
    // keep[i]: whether pending operation i has been done. One on a file whose removal was not is
    // another file's, and was not seen.
    Files With(const std::vector<bool>& keep) const;

    const std::vector<Operation>* record_;
    size_t next_ = 0;
    std::vector<size_t> pending_;
    std::set<std::string> unlisted_;  // new files that no sync of their folder has come after
    Files safe_;
};

}  // namespace quern::crash

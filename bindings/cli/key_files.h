// --only-keys and --except-keys: files of keys that are a part of what a command finds, beside
// --where.
#pragma once

#include <string>
#include <vector>

#include "shell.h"

namespace quern::shell {

struct KeyFiles {
    std::vector<std::string> only, except;
    bool empty() const { return only.empty() && except.empty(); }
};

void AddKeyFileOptions(CLI::App* command, KeyFiles* files);

// The keys of the files, read once, for any number of queries.
class KeySets {
public:
    KeySets() = default;
    // One key a line, of the type that the collection has.
    KeySets(const Database& database, const std::string& collection, const KeyFiles& files);
    void Use(quern_query* query) const;

private:
    std::vector<KeysPtr> only_, except_;
};

}  // namespace quern::shell

#include "key_files.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "byte_source.h"

namespace quern::shell {
namespace {

KeysPtr ReadKeys(const std::string& path, bool texts) {
    const std::unique_ptr<ByteSource> source = ByteSource::Open(path);
    std::vector<int64_t> numbers;
    std::vector<std::string> lines;
    std::string line;
    while (source->ReadLine(&line)) {
        if (line.empty()) {
            continue;
        }
        if (texts) {
            lines.push_back(line);
            continue;
        }
        int64_t& number = numbers.emplace_back(0);
        const char* const end = line.data() + line.size();
        const auto read = std::from_chars(line.data(), end, number);
        if (read.ec != std::errc() || read.ptr != end) {
            Fail(source->name() + ":" + std::to_string(source->line_number()) + ": '" + line +
                 "' is not a whole number, and the collection has int keys");
        }
    }
    std::vector<const char*> pointers;
    for (const std::string& text : lines) {
        pointers.push_back(text.c_str());
    }
    quern_keys* keys = nullptr;
    if (texts) {
        Call(quern_keys_text, pointers.data(), pointers.size(), &keys);
    } else {
        Call(quern_keys_int, numbers.data(), numbers.size(), &keys);
    }
    return KeysPtr(keys);
}

}  // namespace

void AddKeyFileOptions(CLI::App* command, KeyFiles* files) {
    command
        ->add_option("--only-keys", files->only,
                     "Only records whose keys are in this file, one a line; - for standard input "
                     "(repeatable)")
        ->type_name("FILE")
        ->allow_extra_args(false);
    command
        ->add_option("--except-keys", files->except,
                     "Only records whose keys are not in this file (repeatable)")
        ->type_name("FILE")
        ->allow_extra_args(false);
}

KeySets::KeySets(const Database& database, const std::string& collection, const KeyFiles& files) {
    if (files.empty()) {
        return;
    }
    const SchemaPtr schema = database.Describe(collection);
    const bool texts = quern_schema_key_type(schema.get()) == QUERN_KEY_TEXT;
    for (const std::string& path : files.only) {
        only_.push_back(ReadKeys(path, texts));
    }
    for (const std::string& path : files.except) {
        except_.push_back(ReadKeys(path, texts));
    }
}

void KeySets::Use(quern_query* query) const {
    for (const KeysPtr& keys : only_) {
        quern_query_only_keys(query, keys.get());
    }
    for (const KeysPtr& keys : except_) {
        quern_query_except_keys(query, keys.get());
    }
}

}  // namespace quern::shell

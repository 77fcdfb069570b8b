// A set of keys that an application has made once and uses again and again as a part of filters:
// of a list, or of a roaring bitmap.
//
// Integers are held as in a roaring bitmap: those that share all but their lowest 16 bits lie in
// one container, as sorted numbers, as runs of them, or as bits. So a bitmap takes no more memory
// than its serialized form, whatever it says.
//
// Immutable, so threads may share it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/bytes.h"
#include "storage/base/schema.h"

namespace quern::filter {

class KeySet {
public:
    static std::shared_ptr<const KeySet> OfInts(std::vector<int64_t> keys);
    static std::shared_ptr<const KeySet> OfTexts(std::vector<std::string> keys);
    // The portable serialization of a roaring bitmap of 32-bit or 64-bit numbers
    // (github.com/RoaringBitmap/RoaringFormatSpec). kMalformed names the byte; kInvalid: a number
    // that no key can be.
    static Result<std::shared_ptr<const KeySet>> OfRoaring(BytesView bytes, int bits);

    KeyType type() const { return type_; }
    uint64_t count() const { return count_; }
    // No other set has it.
    uint64_t id() const { return id_; }
    bool Has(const Key& key) const {
        return key.type == type_ && (type_ == KeyType::kInt ? HasInt(key.number) : HasText(key));
    }
    bool HasInt(int64_t key) const;
    // Each key, ascending; take returns a Status.
    template <typename Take>
    Status EachKey(const Take& take) const;

private:
    enum class Form : uint8_t { kNumbers, kRuns, kBits };
    struct Container {
        int64_t high = 0;  // key / 65536, rounded down
        Form form = Form::kNumbers;
        size_t begin = 0;  // in numbers_ (runs: first and last, by turns), or words_
        size_t end = 0;
    };
    static constexpr size_t kWords = 1024;  // of a container of bits

    KeySet();
    bool HasText(const Key& key) const;
    void AddContainer(int64_t high, const uint16_t* numbers, size_t count);
    class RoaringReader;

    KeyType type_ = KeyType::kInt;
    uint64_t id_ = 0;
    uint64_t count_ = 0;
    std::vector<Container> containers_;
    std::vector<uint16_t> numbers_;
    std::vector<uint64_t> words_;
    std::vector<std::string> texts_;
};

template <typename Take>
Status KeySet::EachKey(const Take& take) const {
    for (const std::string& text : texts_) {
        QUERN_TRY(take(Key::Text(text)));
    }
    for (const Container& container : containers_) {
        const auto of = [&](uint64_t low) {
            return Key::Int(container.high * 65536 + static_cast<int64_t>(low));
        };
        for (size_t i = container.begin; i < container.end; i++) {
            if (container.form == Form::kNumbers) {
                QUERN_TRY(take(of(numbers_[i])));
            } else if (container.form == Form::kRuns) {
                for (uint64_t low = numbers_[i]; low <= numbers_[i + 1]; low++) {
                    QUERN_TRY(take(of(low)));
                }
                i++;
            } else {
                for (size_t bit = 0; bit < 64; bit++) {
                    if ((words_[i] >> bit & 1) != 0) {
                        QUERN_TRY(take(of((i - container.begin) * 64 + bit)));
                    }
                }
            }
        }
    }
    return {};
}

}  // namespace quern::filter

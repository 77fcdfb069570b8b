#include "engine/filter/key_set.h"

#include <algorithm>
#include <atomic>
#include <bit>

namespace quern::filter {

namespace {
// More numbers than this take more room than a bit for each that there could be.
constexpr size_t kNumbersMax = 4096;

int64_t HighOf(int64_t key) {
    return key >> 16;
}
uint16_t LowOf(int64_t key) {
    return static_cast<uint16_t>(key & 0xffff);
}
}  // namespace

KeySet::KeySet() {
    static std::atomic<uint64_t> made{0};
    id_ = ++made;
}

void KeySet::AddContainer(int64_t high, const uint16_t* numbers, size_t count) {
    Container& container = containers_.emplace_back();
    container.high = high;
    count_ += count;
    if (count <= kNumbersMax) {
        container.begin = numbers_.size();
        numbers_.insert(numbers_.end(), numbers, numbers + count);
        container.end = numbers_.size();
        return;
    }
    container.form = Form::kBits;
    container.begin = words_.size();
    words_.resize(words_.size() + kWords, 0);
    container.end = words_.size();
    for (size_t i = 0; i < count; i++) {
        words_[container.begin + numbers[i] / 64] |= uint64_t{1} << (numbers[i] % 64);
    }
}

std::shared_ptr<const KeySet> KeySet::OfInts(std::vector<int64_t> keys) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    std::shared_ptr<KeySet> set(new KeySet());
    std::vector<uint16_t> lows;
    for (size_t i = 0; i < keys.size(); i++) {
        lows.push_back(LowOf(keys[i]));
        if (i + 1 == keys.size() || HighOf(keys[i + 1]) != HighOf(keys[i])) {
            set->AddContainer(HighOf(keys[i]), lows.data(), lows.size());
            lows.clear();
        }
    }
    return set;
}

std::shared_ptr<const KeySet> KeySet::OfTexts(std::vector<std::string> keys) {
    std::shared_ptr<KeySet> set(new KeySet());
    set->type_ = KeyType::kText;
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    set->count_ = keys.size();
    set->texts_ = std::move(keys);
    return set;
}

bool KeySet::HasText(const Key& key) const {
    return std::binary_search(texts_.begin(), texts_.end(), key.text);
}

bool KeySet::HasInt(int64_t key) const {
    const int64_t high = HighOf(key);
    const auto found =
        std::lower_bound(containers_.begin(), containers_.end(), high,
                         [](const Container& c, int64_t wanted) { return c.high < wanted; });
    if (found == containers_.end() || found->high != high) {
        return false;
    }
    const uint16_t low = LowOf(key);
    if (found->form == Form::kBits) {
        return (words_[found->begin + low / 64] >> (low % 64) & 1) != 0;
    }
    const auto begin = numbers_.begin() + static_cast<ptrdiff_t>(found->begin);
    const auto end = numbers_.begin() + static_cast<ptrdiff_t>(found->end);
    if (found->form == Form::kNumbers) {
        return std::binary_search(begin, end, low);
    }
    // Firsts and lasts by turns, ascending: inside of a run an odd number of them is below or, of
    // a first, equal.
    const auto above = std::upper_bound(begin, end, low);
    const auto passed = above - begin;
    return passed % 2 == 1 || (passed > 0 && *(above - 1) == low);
}

// Reads what anybody may have written: every number is bounded and in order before it is believed.
class KeySet::RoaringReader {
public:
    RoaringReader(BytesView bytes, KeySet* set) : bytes_(bytes), reader_(bytes), set_(set) {}

    Status Read32() {
        QUERN_TRY(ReadBitmap(0));
        return AtEnd();
    }
    Status Read64() {
        const uint64_t bitmaps = reader_.U64();
        int64_t last = -1;
        for (uint64_t i = 0; i < bitmaps; i++) {
            const int64_t high = reader_.U32();
            if (!reader_.ok() || high <= last) {
                return Wrong("the high halves of numbers do not ascend, or end");
            }
            if (high > INT32_MAX) {
                return Status::Error(Code::kInvalid,
                                     "the bitmap has a number of 2^63 or more, which no key is");
            }
            last = high;
            QUERN_TRY(ReadBitmap(high));
        }
        return AtEnd();
    }

private:
    static constexpr uint32_t kCookie = 12346;      // without runs
    static constexpr uint32_t kRunsCookie = 12347;  // and the number of containers above
    static constexpr size_t kContainersMax = 65536;
    static constexpr size_t kOffsetsFrom = 4;  // with runs, fewer containers have none

    size_t at() const { return bytes_.size() - reader_.left(); }
    Status Wrong(const char* what) const {
        return Status::Error(Code::kMalformed, "the bitmap, byte %zu: %s", at(), what);
    }
    Status AtEnd() const {
        return reader_.AtEnd() ? Status() : Wrong("it ends too early, or goes on behind its end");
    }
    uint16_t U16() {
        const uint16_t low = reader_.U8();
        return static_cast<uint16_t>(low | reader_.U8() << 8);
    }

    struct Head {
        uint16_t key = 0;
        size_t count = 0;
        bool runs = false;
    };

    Status ReadBitmap(int64_t high) {
        const size_t begin = at();
        const uint32_t cookie = reader_.U32();
        const bool with_runs = (cookie & 0xffff) == kRunsCookie;
        if (!reader_.ok() || (!with_runs && cookie != kCookie)) {
            return Wrong("this is no roaring bitmap in the portable form");
        }
        const size_t count = with_runs ? (cookie >> 16) + 1 : reader_.U32();
        if (!reader_.ok() || count > kContainersMax) {
            return Wrong("too many containers");
        }
        const BytesView runs = with_runs ? reader_.Take((count + 7) / 8) : BytesView();
        if (!reader_.ok() || reader_.left() / 4 < count) {
            return Wrong("it ends within its head");
        }
        std::vector<Head> heads(count);
        for (size_t i = 0; i < count; i++) {
            heads[i].key = U16();
            heads[i].count = size_t{U16()} + 1;
            heads[i].runs = with_runs && (static_cast<uint8_t>(runs[i / 8]) >> (i % 8) & 1) != 0;
            if (i > 0 && heads[i].key <= heads[i - 1].key) {
                return Wrong("containers are not in order");
            }
        }
        std::vector<uint32_t> offsets;
        if (!with_runs || count >= kOffsetsFrom) {
            if (reader_.left() / 4 < count) {
                return Wrong("it ends within its head");
            }
            for (size_t i = 0; i < count; i++) {
                offsets.push_back(reader_.U32());
            }
        }
        for (size_t i = 0; i < count; i++) {
            if (!offsets.empty() && offsets[i] != at() - begin) {
                return Wrong("a container is not where the head says");
            }
            QUERN_TRY(ReadContainer(high * 65536 + heads[i].key, heads[i]));
        }
        return {};
    }

    Status ReadContainer(int64_t high, const Head& head) {
        Container container;
        container.high = high;
        set_->count_ += head.count;
        if (head.runs) {
            container.form = Form::kRuns;
            QUERN_TRY(ReadRuns(head.count, &container));
        } else if (head.count <= kNumbersMax) {
            container.begin = set_->numbers_.size();
            if (reader_.left() / 2 < head.count) {
                return Wrong("it ends within a container");
            }
            for (size_t i = 0; i < head.count; i++) {
                const uint16_t number = U16();
                if (i > 0 && number <= set_->numbers_.back()) {
                    return Wrong("numbers are not in order");
                }
                set_->numbers_.push_back(number);
            }
            container.end = set_->numbers_.size();
        } else {
            container.form = Form::kBits;
            QUERN_TRY(ReadBits(head.count, &container));
        }
        set_->containers_.push_back(container);
        return {};
    }

    Status ReadRuns(size_t count, Container* container) {
        container->begin = set_->numbers_.size();
        const size_t runs = U16();
        if (!reader_.ok() || reader_.left() / 4 < runs) {
            return Wrong("it ends within a container");
        }
        size_t sum = 0;
        for (size_t i = 0; i < runs; i++) {
            const uint32_t first = U16();
            const uint32_t last = first + U16();
            if (last > UINT16_MAX || (i > 0 && first <= set_->numbers_.back())) {
                return Wrong("runs are not in order");
            }
            sum += last - first + 1;
            set_->numbers_.push_back(static_cast<uint16_t>(first));
            set_->numbers_.push_back(static_cast<uint16_t>(last));
        }
        container->end = set_->numbers_.size();
        return sum == count ? Status() : Wrong("a container has not as many numbers as it says");
    }

    Status ReadBits(size_t count, Container* container) {
        container->begin = set_->words_.size();
        if (reader_.left() / 8 < kWords) {
            return Wrong("it ends within a container");
        }
        size_t sum = 0;
        for (size_t i = 0; i < kWords; i++) {
            set_->words_.push_back(reader_.U64());
            sum += static_cast<size_t>(std::popcount(set_->words_.back()));
        }
        container->end = set_->words_.size();
        return sum == count ? Status() : Wrong("a container has not as many numbers as it says");
    }

    BytesView bytes_;
    ByteReader reader_;
    KeySet* set_;
};

Result<std::shared_ptr<const KeySet>> KeySet::OfRoaring(BytesView bytes, int bits) {
    std::shared_ptr<KeySet> set(new KeySet());
    RoaringReader reader(bytes, set.get());
    QUERN_TRY(bits == 64 ? reader.Read64() : reader.Read32());
    return std::shared_ptr<const KeySet>(std::move(set));
}

}  // namespace quern::filter

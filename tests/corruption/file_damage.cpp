#include "tests/corruption/file_damage.h"

#include <algorithm>
#include <cstdlib>

#include "storage/base/hash.h"

namespace quern::corruption {

namespace {

constexpr size_t kStep = 512;
constexpr size_t kValues = 3;  // one bit flipped, 0x00, 0xFF

std::string Told(const char* before, size_t number) {
    return std::string(before) + std::to_string(number);
}

size_t BytesOf(const std::vector<Place>& places) {
    size_t bytes = 0;
    for (const Place& place : places) {
        bytes += place.bytes;
    }
    return bytes;
}

size_t OffsetOf(const std::vector<Place>& places, size_t i) {
    for (const Place& place : places) {
        if (i < place.bytes) {
            return place.offset + i;
        }
        i -= place.bytes;
    }
    return 0;
}

std::string SetByte(const std::vector<Place>& places, size_t i, std::string* bytes) {
    const size_t offset = OffsetOf(places, i / kValues);
    if (offset >= bytes->size()) {
        return "";
    }
    char& byte = (*bytes)[offset];
    switch (i % kValues) {
        case 0: byte = static_cast<char>(byte ^ (1 << (offset % 8))); break;
        case 1: byte = 0; break;
        default: byte = static_cast<char>(0xff);
    }
    static const char* const kWhat[kValues] = {"a bit flipped in byte ", "zero in byte ",
                                               "255 in byte "};
    return Told(kWhat[i % kValues], offset);
}

// Two different numbers below n, of n * (n - 1) pairs.
void Pair(size_t n, size_t i, size_t* a, size_t* b) {
    *a = i / (n - 1);
    *b = i % (n - 1);
    *b += *b >= *a ? 1 : 0;
}

// Numbers without end from a seed.
class Draw {
public:
    Draw(uint64_t seed, uint64_t number) : state_(MixSeed(seed, number)) {}
    size_t Below(size_t n) {
        state_ = MixSeed(state_, 7);
        return n == 0 ? 0 : static_cast<size_t>(state_ % n);
    }

private:
    uint64_t state_;
};

std::string DamageAtRandom(Draw draw, std::string* bytes) {
    const size_t size = bytes->size();
    switch (draw.Below(4)) {
        case 0: {
            const size_t bits = 1 + draw.Below(8);
            for (size_t i = 0; i < bits; i++) {
                (*bytes)[draw.Below(size)] ^= static_cast<char>(1 << draw.Below(8));
            }
            return Told("bits flipped: ", bits);
        }
        case 1: {
            const size_t count = 1 + draw.Below(8);
            for (size_t i = 0; i < count; i++) {
                (*bytes)[draw.Below(size)] = static_cast<char>(draw.Below(256));
            }
            return Told("bytes set: ", count);
        }
        case 2: {
            const size_t count = std::min(size, kStep << draw.Below(8));
            const size_t start = draw.Below(size - count + 1);
            for (size_t i = 0; i < count; i++) {
                (*bytes)[start + i] = static_cast<char>(draw.Below(256));
            }
            return Told("bytes of garbage: ", count) + Told(" from ", start);
        }
        default: {  // what was meant for one sector is in another
            const size_t sectors = size / kStep;
            const size_t count = std::min(sectors, size_t{1} << draw.Below(6));
            const size_t from = draw.Below(sectors - count + 1);
            const size_t to = draw.Below(sectors - count + 1);
            bytes->replace(to * kStep, count * kStep, bytes->substr(from * kStep, count * kStep));
            return Told("sectors copied: ", count) + Told(" from ", from) + Told(" to ", to);
        }
    }
}

}  // namespace

const char* FamilyName(Family family) {
    static const char* const kNames[] = {"header",     "catalog",    "chunk_heads", "index_heads",
                                         "page_heads", "page_ends",  "cut",         "zeroed",
                                         "swapped",    "doubled",    "stale",       "log_bytes",
                                         "log_cut",    "log_places", "log_foreign", "random"};
    static_assert(std::size(kNames) == static_cast<size_t>(Family::kCount));
    return kNames[static_cast<size_t>(family)];
}

bool IsOfLog(Family family) {
    return family >= Family::kLogBytes && family <= Family::kLogForeign;
}

Damages::Damages(const Sample& sample, const std::string& foreign)
    : sample_(sample), foreign_(foreign), anatomy_(AnatomyOf(sample.images.main)) {
    header_ = {{0, kStep}};
    if (!sample.images.log.empty()) {
        log_heads_.push_back({0, kLogHeaderBytes});
        for (size_t at = kLogHeaderBytes; at + kFrameBytes <= sample.images.log.size();
             at += kFrameBytes) {
            log_heads_.push_back({at, kFrameHeaderBytes});
        }
    }
}

const std::vector<Place>& Damages::Places(Family family) const {
    switch (family) {
        case Family::kHeader: return header_;
        case Family::kCatalog: return anatomy_.catalog;
        case Family::kChunkHeads: return anatomy_.chunk_heads;
        case Family::kIndexHeads: return anatomy_.index_heads;
        case Family::kPageHeads: return anatomy_.page_heads;
        case Family::kPageEnds: return anatomy_.page_ends;
        default: return log_heads_;
    }
}

size_t Damages::Count(Family family) const {
    const size_t pages = sample_.images.main.size() / kPageBytes;
    const std::string& log = sample_.images.log;
    const size_t frames =
        log.size() < kFrameBytes ? 0 : (log.size() - kLogHeaderBytes) / kFrameBytes;
    switch (family) {
        case Family::kTruncated: return sample_.images.main.size() / kStep;
        case Family::kZeroed: return pages;
        case Family::kSwapped: return pages * (pages - 1) / 2;
        case Family::kDoubled: return pages * (pages - 1);
        case Family::kStale: return pages * sample_.earlier.size();
        case Family::kLogCut: return log.size() / kStep;
        case Family::kLogPlaces: return frames < 2 ? 0 : 2 * frames * (frames - 1);
        case Family::kLogForeign: return log.empty() ? 0 : 1 + sample_.earlier.size();
        case Family::kRandom: return SIZE_MAX;
        default: return kValues * BytesOf(Places(family));
    }
}

std::string Damages::Apply(Family family, size_t i, uint64_t seed, Images* images,
                           bool* log_only) const {
    *images = sample_.images;
    std::string& main = images->main;
    std::string& log = images->log;
    const size_t pages = main.size() / kPageBytes;
    std::string said;
    size_t a = 0;
    size_t b = 0;
    switch (family) {
        case Family::kTruncated:
            main.resize(i * kStep);
            said = Told("the file ends at ", main.size());
            break;
        case Family::kZeroed:
            main.replace(i * kPageBytes, kPageBytes, std::string(kPageBytes, '\0'));
            said = Told("zeros in page ", i + 1);
            break;
        case Family::kSwapped: {
            while (i >= pages - 1 - a) {
                i -= pages - 1 - a;
                a++;
            }
            b = a + 1 + i;
            std::swap_ranges(main.begin() + static_cast<std::ptrdiff_t>(a * kPageBytes),
                             main.begin() + static_cast<std::ptrdiff_t>((a + 1) * kPageBytes),
                             main.begin() + static_cast<std::ptrdiff_t>(b * kPageBytes));
            said = Told("swapped page ", a + 1) + Told(" and ", b + 1);
            break;
        }
        case Family::kDoubled:
            Pair(pages, i, &a, &b);
            main.replace(b * kPageBytes, kPageBytes, main.substr(a * kPageBytes, kPageBytes));
            said = Told("page ", a + 1) + Told(" over ", b + 1);
            break;
        case Family::kStale: {
            const std::string& old = sample_.earlier[i / pages].main;
            a = i % pages;
            if ((a + 1) * kPageBytes <= old.size()) {
                main.replace(a * kPageBytes, kPageBytes, old.substr(a * kPageBytes, kPageBytes));
            }
            said = Told("as in state ", i / pages) + Told(": page ", a + 1);
            break;
        }
        case Family::kLogCut:
            log.resize(i * kStep);
            said = Told("the log ends at ", log.size());
            break;
        case Family::kLogPlaces: {
            const size_t frames = (log.size() - kLogHeaderBytes) / kFrameBytes;
            Pair(frames, i / 2, &a, &b);
            const std::string one = log.substr(kLogHeaderBytes + a * kFrameBytes, kFrameBytes);
            const std::string two = log.substr(kLogHeaderBytes + b * kFrameBytes, kFrameBytes);
            log.replace(kLogHeaderBytes + b * kFrameBytes, kFrameBytes, one);
            if (i % 2 == 0) {
                log.replace(kLogHeaderBytes + a * kFrameBytes, kFrameBytes, two);
            }
            said = Told(i % 2 == 0 ? "frames swapped: " : "frame doubled: ", a) + Told(", ", b);
            break;
        }
        case Family::kLogForeign:
            log = i == 0 ? foreign_ : sample_.earlier[i - 1].log;
            said = i == 0 ? "the log of another file" : Told("the log of state ", i - 1);
            break;
        case Family::kRandom: {
            Draw draw(seed, i);
            const bool in_log = !log.empty() && draw.Below(2) == 0;
            said = DamageAtRandom(draw, in_log ? &log : &main) + (in_log ? " in the log" : "");
            break;
        }
        default: said = SetByte(Places(family), i, IsOfLog(family) ? &log : &main);
    }
    *log_only = main == sample_.images.main;
    return *images == sample_.images ? "" : said;
}

}  // namespace quern::corruption

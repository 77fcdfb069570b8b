#include "engine/db/index_options.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace quern {

namespace {

// Below this an exact scan answers as fast as a graph and needs no building.
constexpr uint64_t kGraphVectorsMin = 2048;
constexpr uint64_t kSparseVectorsMin = 2048;
// An index of a handful has nothing to choose; what index=graph and lists ask at the least.
constexpr uint64_t kIndexVectorsLeast = 64;
constexpr uint32_t kMMax = 128;
constexpr uint32_t kEfBuildMax = 10000;
constexpr uint32_t kListsMax = 1048576;
constexpr uint32_t kBucketsMax = 65536;
constexpr double kPruneBelowMax = 3e38;  // about where f32 ends

struct CodeName {
    const char* name;
    dense::CodeChoice choice;
};
constexpr CodeName kCodeNames[] = {
    {"auto", dense::CodeChoice::kAuto},     {"f32", dense::CodeChoice::kNone},
    {"f16", dense::CodeChoice::kF16},       {"bf16", dense::CodeChoice::kBF16},
    {"i8", dense::CodeChoice::k8Bit},       {"lvq8", dense::CodeChoice::kLvq8},
    {"4bit", dense::CodeChoice::k4Bit},     {"lvq4", dense::CodeChoice::kLvq4},
    {"pq", dense::CodeChoice::kProduct},    {"1bit", dense::CodeChoice::k1Bit},
    {"packed", dense::CodeChoice::kPacked},
};

Status Expected(const std::string& key, const std::string& value, const char* what) {
    return Status::Error(Code::kOption, "option %s=%s: expected %s", key.c_str(), value.c_str(),
                         what);
}

bool ReadNumber(const std::string& text, uint32_t min, uint32_t max, uint32_t* out) {
    if (text.empty() || text.size() > 9 ||
        text.find_first_not_of("0123456789") != std::string::npos) {
        return false;
    }
    const auto number = static_cast<uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
    if (number < min || number > max) {
        return false;
    }
    *out = number;
    return true;
}

}  // namespace

Result<bool> IndexOptions::Take(const std::string& key, const std::string& value,
                                IndexOptions* out) {
    if (key == "index") {
        if (value == "auto") {
            out->index = IndexChoice::kAuto;
        } else if (value == "none") {
            out->index = IndexChoice::kNone;
        } else if (value == "graph") {
            out->index = IndexChoice::kGraph;
        } else if (value == "lists") {
            out->index = IndexChoice::kLists;
        } else {
            return Expected(key, value, "auto, none, graph or lists");
        }
    } else if (key == "codes") {
        const auto known = std::find_if(std::begin(kCodeNames), std::end(kCodeNames),
                                        [&](const CodeName& code) { return value == code.name; });
        if (known == std::end(kCodeNames)) {
            return Expected(key, value,
                            "auto, f32, f16, bf16, i8, lvq8, 4bit, lvq4, pq, 1bit or packed");
        }
        out->codes = known->choice;
    } else if (key == "fine") {
        if (value == "auto") {
            out->fine = FineChoice::kAuto;
        } else if (value == "memory") {
            out->fine = FineChoice::kMemory;
        } else if (value == "disk") {
            out->fine = FineChoice::kDisk;
        } else {
            return Expected(key, value, "auto, memory or disk");
        }
    } else if (key == "m") {
        if (!ReadNumber(value, 2, kMMax, &out->m)) {
            return Expected(key, value, "a whole number from 2 to 128");
        }
    } else if (key == "ef_build") {
        if (!ReadNumber(value, 8, kEfBuildMax, &out->ef_build)) {
            return Expected(key, value, "a whole number from 8 to 10000");
        }
    } else if (key == "lists") {
        if (!ReadNumber(value, 1, kListsMax, &out->lists)) {
            return Expected(key, value, "a whole number from 1 to 1048576");
        }
    } else if (key == "delivers") {
        QUERN_ASSIGN(out->delivers, dense::RecallCorrection::Parse(value));
    } else {
        return false;
    }
    return true;
}

namespace {

// The options in a text that has been written by Text, or by a newer version.
template <typename Options>
Options ReadOptions(const std::string& text) {
    Options options;
    size_t at = 0;
    while (at < text.size()) {
        size_t end = text.find(' ', at);
        end = end == std::string::npos ? text.size() : end;
        const std::string pair = text.substr(at, end - at);
        const size_t equals = pair.find('=');
        if (equals != std::string::npos) {
            Options tried = options;
            if (Options::Take(pair.substr(0, equals), pair.substr(equals + 1), &tried).ok()) {
                options = tried;
            }
        }
        at = end + 1;
    }
    return options;
}

}  // namespace

IndexOptions IndexOptions::Of(const DenseDef& def) {
    return ReadOptions<IndexOptions>(def.options);
}

namespace {

Result<bool> TakeAutoOrNone(const std::string& key, const std::string& value, bool* out) {
    if (key != "index") {
        return false;
    }
    if (value != "auto" && value != "none") {
        return Expected(key, value, "auto or none");
    }
    *out = value == "auto";
    return true;
}

}  // namespace

namespace {

// Above 0, or at least 0 where that is an identity.
Status TakeFraction(const std::string& key, const std::string& value, double most, double* out) {
    const char* const end = value.data() + value.size();
    double number = 0;
    const auto [stop, error] = std::from_chars(value.data(), end, number);
    if (error != std::errc() || stop != end || !(number > 0) || !(number <= most)) {
        char what[64];
        std::snprintf(what, sizeof what, "a number above 0, to %g", most);
        return Expected(key, value, what);
    }
    *out = number;
    return {};
}

}  // namespace

Result<bool> SparseIndexOptions::Take(const std::string& key, const std::string& value,
                                      SparseIndexOptions* out) {
    if (key == "approx") {
        if (value != "graph" && value != "none") {
            return Expected(key, value, "graph or none");
        }
        out->approximate = value == "graph";
        return true;
    }
    if (key == "impacts") {
        if (value != "8" && value != "exact") {
            return Expected(key, value, "8 or exact");
        }
        out->impacts = value == "8";
        return true;
    }
    if (key == "prune_mass" || key == "prune_ratio") {
        QUERN_TRY(TakeFraction(key, value, 1,
                               key == "prune_mass" ? &out->prune.mass : &out->prune.ratio));
        return true;
    }
    if (key == "prune_below") {
        QUERN_TRY(TakeFraction(key, value, kPruneBelowMax, &out->prune.below));
        return true;
    }
    if (key == "buckets") {
        if (!ReadNumber(value, 1, kBucketsMax, &out->buckets)) {
            return Expected(key, value, "a whole number from 1 to 65536");
        }
        return true;
    }
    if (key == "prune_top") {
        if (!ReadNumber(value, 1, kSparseEntriesMax, &out->prune.top)) {
            return Expected(key, value, "a whole number from 1 to 65535");
        }
        return true;
    }
    return TakeAutoOrNone(key, value, &out->index);
}

Result<bool> AttrIndexOptions::Take(const std::string& key, const std::string& value,
                                    AttrIndexOptions* out) {
    return TakeAutoOrNone(key, value, &out->index);
}

AttrIndexOptions AttrIndexOptions::Of(const AttrDef& def) {
    return ReadOptions<AttrIndexOptions>(def.options);
}

SparseIndexOptions SparseIndexOptions::Of(const SparseDef& def) {
    return ReadOptions<SparseIndexOptions>(def.options);
}

std::string SparseIndexOptions::Text() const {
    std::string text;
    const auto add = [&](const std::string& word) {
        text += text.empty() ? "" : " ";
        text += word;
    };
    const auto add_number = [&](const char* key, double number) {
        char digits[32];
        const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
        add(std::string(key).append("=").append(digits, end));
    };
    if (approximate) {
        add("approx=graph");
    }
    if (buckets > 0) {
        add(std::string("buckets=").append(std::to_string(buckets)));
    }
    if (impacts) {
        add("impacts=8");
    }
    if (index) {
        add("index=auto");
    }
    if (prune.below > 0) {
        add_number("prune_below", prune.below);
    }
    if (prune.mass < 1) {
        add_number("prune_mass", prune.mass);
    }
    if (prune.ratio > 0) {
        add_number("prune_ratio", prune.ratio);
    }
    if (prune.top > 0) {
        add(std::string("prune_top=").append(std::to_string(prune.top)));
    }
    return text;
}

bool SparseIndexOptions::WantsIndex(uint64_t vectors) const {
    return index && vectors >= kSparseVectorsMin;
}

std::string IndexOptions::Text() const {
    const IndexOptions defaults;
    std::string text;
    const auto add = [&](const char* key, const std::string& value) {
        text += text.empty() ? "" : " ";
        text += key;
        text += "=" + value;
    };
    if (codes != defaults.codes) {
        add("codes", CodesName(codes));
    }
    if (!delivers.empty()) {
        add("delivers", delivers.Text());
    }
    if (ef_build != defaults.ef_build) {
        add("ef_build", std::to_string(ef_build));
    }
    if (fine != defaults.fine) {
        add("fine", fine == FineChoice::kMemory ? "memory" : "disk");
    }
    if (index != defaults.index) {
        add("index", index == IndexChoice::kAuto    ? "auto"
                     : index == IndexChoice::kGraph ? "graph"
                                                    : "lists");
    }
    if (lists != defaults.lists) {
        add("lists", std::to_string(lists));
    }
    if (m != defaults.m) {
        add("m", std::to_string(m));
    }
    return text;
}

const char* IndexOptions::CodesName(dense::CodeChoice codes) {
    const auto known = std::find_if(std::begin(kCodeNames), std::end(kCodeNames),
                                    [&](const CodeName& code) { return codes == code.choice; });
    return known != std::end(kCodeNames) ? known->name : nullptr;
}

bool IndexOptions::WantsIndex(uint64_t vectors) const {
    switch (index) {
        case IndexChoice::kNone: return false;
        case IndexChoice::kGraph:
        case IndexChoice::kLists: return vectors >= kIndexVectorsLeast;
        case IndexChoice::kAuto: return vectors >= kGraphVectorsMin;
    }
    return false;
}

dense::CodeChoice IndexOptions::Codes(const DenseDef& def) const {
    return def.element == Element::kBit ? dense::CodeChoice::kNone : codes;
}

}  // namespace quern

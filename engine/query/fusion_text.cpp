#include "engine/query/fusion_text.h"

#include <charconv>
#include <cmath>

#include "storage/base/schema.h"

namespace quern::query {

namespace {

constexpr const char* kKinds[] = {"sum", "max", "best", "rrf", "formula"};
constexpr const char* kNormalizations[] = {"none", "minmax", "zscore", "distribution"};
constexpr double kNumberMax = 1e6;  // of rrf_k and penalty
constexpr char kDigits[] = "0123456789abcdef";

Status Bad(const std::string& what) {
    return Status::Error(Code::kCorrupt, "a kept fusion: %s", what.c_str());
}

// For a message: no more of it than tells what it is.
std::string Quoted(std::string_view text) {
    std::string quoted(1, '\'');
    return quoted.append(text.substr(0, 40)).append(1, '\'');
}

bool IsPlain(char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != ',' && c != '%' && c != 0x7f;
}

void AppendName(const std::string& name, std::string* text) {
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (IsPlain(c)) {
            text->push_back(c);
        } else {
            text->push_back('%');
            text->push_back(kDigits[byte / 16]);
            text->push_back(kDigits[byte % 16]);
        }
    }
}

Result<std::string> ReadName(std::string_view text) {
    std::string name;
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] != '%') {
            name.push_back(text[i]);
            continue;
        }
        unsigned char byte = 0;
        const char* const first = text.data() + i + 1;
        if (i + 2 >= text.size() || std::from_chars(first, first + 2, byte, 16).ptr != first + 2) {
            return Bad("a leg's name ends behind %");
        }
        name.push_back(static_cast<char>(byte));
        i += 2;
    }
    const char* const problem = NameProblem(name);
    return problem != nullptr ? Result<std::string>(Bad(std::string("a leg's name ") + problem))
                              : name;
}

Result<double> ReadNumber(std::string_view text, double most) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || !(number >= 0 && number <= most)) {
        return Bad(Quoted(text).append(" is no number from 0 on"));
    }
    return number;
}

// The text up to `end`, which is taken from it with that.
std::string_view TakeUntil(char end, std::string_view* text) {
    const size_t at = std::min(text->find(end), text->size());
    const std::string_view piece = text->substr(0, at);
    text->remove_prefix(std::min(text->size(), at + 1));
    return piece;
}

// "a,b" piece by piece; at most as many as there may be legs.
template <typename Take>
Status EachOf(std::string_view list, Take take) {
    for (size_t count = 0; !list.empty(); count++) {
        if (count >= kLegsMax) {
            return Bad("more legs than there may be");
        }
        QUERN_TRY(take(TakeUntil(',', &list)));
    }
    return {};
}

Status ReadOption(std::string_view key, std::string_view value, FusionOfLegs* fusion) {
    FusionOptions& options = fusion->options;
    std::string unknown("unknown ");
    unknown.append(key.substr(0, 40)).append(1, ' ').append(Quoted(value));
    if (key == "kind") {
        const bool known = FindKind(value, &options.kind) && options.kind != FusionKind::kFormula;
        return known ? Status() : Bad(unknown);
    }
    if (key == "normalize") {
        return FindNormalization(value, &options.normalization) ? Status() : Bad(unknown);
    }
    if (key == "rrf_k" || key == "penalty") {
        QUERN_ASSIGN((key == "rrf_k" ? options.rank_constant : options.penalty),
                     ReadNumber(value, kNumberMax));
        return {};
    }
    if (key == "weights") {
        return EachOf(value, [&](std::string_view one) -> Status {
            QUERN_ASSIGN(const double weight, ReadNumber(one, std::numeric_limits<double>::max()));
            options.weights.push_back(weight);
            return {};
        });
    }
    if (key == "legs") {
        return EachOf(value, [&](std::string_view one) -> Status {
            QUERN_ASSIGN(std::string name, ReadName(one));
            fusion->legs.push_back(std::move(name));
            return {};
        });
    }
    return Bad(unknown);
}

}  // namespace

const char* KindName(FusionKind kind) {
    return kKinds[static_cast<size_t>(kind)];
}

const char* NormalizationName(Normalization normalization) {
    return kNormalizations[static_cast<size_t>(normalization)];
}

bool FindKind(std::string_view name, FusionKind* kind) {
    for (size_t i = 0; i < std::size(kKinds); i++) {
        if (name == kKinds[i]) {
            *kind = static_cast<FusionKind>(i);
            return true;
        }
    }
    return false;
}

bool FindNormalization(std::string_view name, Normalization* normalization) {
    for (size_t i = 0; i < std::size(kNormalizations); i++) {
        if (name == kNormalizations[i]) {
            *normalization = static_cast<Normalization>(i);
            return true;
        }
    }
    return false;
}

std::string NumberText(double number) {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof(text), number);
    return {text, end.ptr};
}

std::string FusionText(const FusionOfLegs& fusion) {
    const FusionOptions& options = fusion.options;
    std::string text = "kind=";
    text.append(KindName(options.kind)).append(" normalize=");
    text.append(NormalizationName(options.normalization));
    if (options.kind == FusionKind::kReciprocalRank) {
        text.append(" rrf_k=").append(NumberText(options.rank_constant));
    }
    if (options.kind == FusionKind::kBest) {
        text.append(" penalty=").append(NumberText(options.penalty));
    }
    text.append(" weights=");
    for (size_t l = 0; l < options.weights.size(); l++) {
        text.append(l == 0 ? "" : ",").append(NumberText(options.weights[l]));
    }
    text.append(" legs=");
    for (size_t l = 0; l < fusion.legs.size(); l++) {
        text.append(l == 0 ? "" : ",");
        AppendName(fusion.legs[l], &text);
    }
    return text;
}

Result<FusionOfLegs> ReadFusionText(std::string_view text) {
    FusionOfLegs fusion;
    std::string keys = " ";
    while (!text.empty()) {
        std::string_view value = TakeUntil(' ', &text);
        const std::string_view key = TakeUntil('=', &value);
        std::string known(1, ' ');
        known.append(key).append(1, ' ');
        if (keys.find(known) != std::string::npos) {
            return Bad(Quoted(key).append(" is there twice"));
        }
        QUERN_TRY(ReadOption(key, value, &fusion));
        keys.append(key).append(" ");
    }
    if (fusion.legs.empty() || fusion.legs.size() != fusion.options.weights.size()) {
        return Bad(std::to_string(fusion.options.weights.size())
                       .append(" weights, ")
                       .append(std::to_string(fusion.legs.size()))
                       .append(" legs"));
    }
    return fusion;
}

}  // namespace quern::query

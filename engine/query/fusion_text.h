// A fusion as a line of text, for who keeps it: how scores are fused, and the legs that it is for.
//
//   kind=sum normalize=minmax weights=0.18,1 legs=body,emb
//
// The keys stand in this order: kind, normalize, rrf_k, penalty (each of the last two where its
// kind has it), weights, legs. A leg is called by its name, or by its field; control characters,
// spaces, commas and "%" in it are written as % and two hexadecimal digits. As many weights as
// legs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/query/fusion.h"
#include "storage/base/status.h"

namespace quern::query {

inline constexpr size_t kLegsMax = 64;

struct FusionOfLegs {
    FusionOptions options;  // weights: one a leg; no formula
    std::vector<std::string> legs;
};

const char* KindName(FusionKind kind);
const char* NormalizationName(Normalization normalization);
// False: there is none of that name.
bool FindKind(std::string_view name, FusionKind* kind);
bool FindNormalization(std::string_view name, Normalization* normalization);
// As the shortest text that is that number.
std::string NumberText(double number);

std::string FusionText(const FusionOfLegs& fusion);
// Of a text that anybody may have written; kCorrupt names what is wrong with it.
Result<FusionOfLegs> ReadFusionText(std::string_view text);

}  // namespace quern::query

// Fusions that a collection keeps under names, with the weights of legs by the names of these.
#pragma once

#include "engine/db/database.h"
#include "engine/query/fusion_text.h"

namespace quern {

// Whether the legs of a request can be fused as it says, once it names no kept fusion.
Status CheckFusion(const SearchRequest& request);

// What the legs of a request are called: by their names, or by their fields.
const std::string& NameOf(const SearchLeg& leg);

// A request with the kept fusions that it, or a query for candidates in it, names. Borrows the
// request.
class ResolvedRequest {
public:
    // kNotFound lists the fusions that there are; kInvalid: the fusion is for other legs.
    Status Make(const storage::CollectionInfo& info, const SearchRequest& request);
    const SearchRequest& request() const { return *request_; }

private:
    SearchRequest own_;
    const SearchRequest* request_ = nullptr;
};

}  // namespace quern

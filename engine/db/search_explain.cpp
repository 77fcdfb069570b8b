#include "engine/db/search_explain.h"

#include <nlohmann/json.hpp>

#include "engine/db/index_search.h"
#include "engine/filter/filter_tree.h"

namespace quern {

namespace {

using Json = nlohmann::ordered_json;

class Explainer {
public:
    Explainer(Database* database, Snapshot* snapshot, const SearchRequest& request)
        : database_(database), snapshot_(snapshot), request_(request) {}

    Result<std::string> Run() {
        QUERN_ASSIGN(view_, snapshot_->View(request_.collection));
        uint64_t bytes_read = 0;
        QUERN_ASSIGN(matching_,
                     ViewOfMatches(database_, snapshot_, view_, request_.filter, &bytes_read));
        json_["collection"] = view_->info->name;
        json_["records"] = view_->state.records;
        if (matching_->matches != nullptr) {
            QUERN_TRY(AddFilter());
        }
        QUERN_TRY(AddSegments());
        return json_.dump();
    }

private:
    Status AddFilter() {
        const RecordFilter& filter = request_.filter;
        QUERN_ASSIGN(const filter::Tokens tokens, filter::ReadTokens(filter.text));
        const filter::Node tree =
            filter::ReadTree(tokens, {view_->info->name, &view_->info->schema}, filter.arguments);
        json_["matches"] = matching_->matches->count;
        Json conditions = Json::array();
        AddConditions(tree, tokens, &conditions);
        json_["filter"] = {
            {"text", filter.text}, {"log", "sqlite"}, {"conditions", std::move(conditions)}};
        return {};
    }

    void AddConditions(const filter::Node& node, const filter::Tokens& tokens,
                       Json* conditions) const {
        if (node.children.empty()) {
            const size_t begin = tokens.list[node.first_token].begin;
            const size_t end = tokens.list[node.end_token - 1].end;
            const bool sqlite =
                matching_->matches->by_sqlite || node.kind == filter::NodeKind::kSql;
            conditions->push_back({{"text", request_.filter.text.substr(begin, end - begin)},
                                   {"byte", begin},
                                   {"by", sqlite ? "sqlite" : "columns"}});
        }
        for (const filter::Node& child : node.children) {
            AddConditions(child, tokens, conditions);
        }
    }

    Status AddSegments() {
        const Schema& schema = view_->info->schema;
        const int field = request_.field.empty() ? -1 : schema.FindField(request_.field);
        Json segments = Json::array();
        for (size_t s = 0; s < matching_->segments.size(); s++) {
            Segment& segment = *matching_->segments[s];
            Json one = {{"segment", segment.info().id}, {"records", segment.item_count()}};
            if (matching_->matches != nullptr) {
                one["matches"] = segment.item_count() - matching_->matches->segments[s].count;
            }
            if (field >= 0 && schema.is_dense(static_cast<size_t>(field))) {
                QUERN_TRY(AddPlan(s, schema.dense[static_cast<size_t>(field)], &one));
            }
            segments.push_back(std::move(one));
        }
        json_["segments"] = std::move(segments);
        return {};
    }

    Status AddPlan(size_t number, const DenseDef& def, Json* one) {
        Work work = database_->NewWork();
        SearchTally tally;
        IndexSearch search;
        if (request_.recall < 1.0) {
            QUERN_TRY(search.Open(snapshot_, *matching_, number, def, &tally, &work));
        }
        const bool planned =
            search.usable() && request_.limit > 0 && search.Plan(request_.limit, request_);
        (*one)["way"] = !planned ? "scan" : search.over_lists() ? "lists" : "graph";
        if (search.usable() && !search.over_lists()) {
            (*one)["walk_cost"] = search.walk_cost();
            (*one)["scan_cost"] = search.scan_cost();
        }
        return {};
    }

    Database* database_;
    Snapshot* snapshot_;
    const SearchRequest& request_;
    std::shared_ptr<const CollectionView> view_;
    std::shared_ptr<const CollectionView> matching_;
    Json json_;
};

}  // namespace

Status ExplainSearch(Database* database, Snapshot* snapshot, const SearchRequest& request,
                     std::string* json) {
    QUERN_ASSIGN(*json, Explainer(database, snapshot, request).Run());
    return {};
}

}  // namespace quern

#include "engine/db/fusion_fitter.h"

#include "engine/db/hybrid_searcher.h"
#include "engine/db/kept_fusions.h"
#include "storage/record_table.h"

namespace quern {

namespace {

// Where the judged records are. kNotFound: none of those that are of use is there, so that there is
// nothing to learn.
Status Locate(Snapshot* snapshot, const CollectionView& view,
              const std::vector<Judgment>& judgments, JudgedPlaces* places) {
    return snapshot->With([&](storage::Connection* connection) -> Status {
        storage::RecordTable records(connection, *view.info);
        size_t useful = 0;
        const Key* missing = nullptr;
        for (const Judgment& judgment : judgments) {
            if (judgment.key.type != view.info->schema.key_type) {
                return Status::Error(Code::kType, "the collection has %s keys",
                                     judgment.key.type == KeyType::kInt ? "text" : "int");
            }
            QUERN_ASSIGN(const std::optional<RecordPlace> place,
                         FindPlace(connection, view, &records, judgment.key));
            if (place) {
                (*places)[judgment.query].emplace_back(*place, judgment.gain);
                useful += judgment.gain > 0 ? 1 : 0;
            } else if (judgment.gain > 0 && missing == nullptr) {
                missing = &judgment.key;
            }
        }
        if (useful == 0 && missing != nullptr) {
            return Status::Error(Code::kNotFound,
                                 "there is none of the records that were judged above 0: no record "
                                 "has the key %s",
                                 missing->ToString().c_str());
        }
        return {};
    });
}

}  // namespace

Status FitFusion(Database* database, Snapshot* snapshot, const SearchRequest& request,
                 const std::vector<Judgment>& judgments, const query::FitOptions& options,
                 query::FittedFusion* fitted) {
    SearchedViews views;
    QUERN_ASSIGN(views.whole, snapshot->View(request.collection));
    const auto fit = [&]() -> Status {
        ResolvedRequest resolved;
        QUERN_TRY(resolved.Make(*views.whole->info, request));
        if (resolved.request().fusion.kind != query::FusionKind::kSum) {
            return Status::Error(Code::kInvalid, "only sums without feedback are fitted");
        }
        SearchTally tally;
        QUERN_ASSIGN(views.matching,
                     ViewOfMatches(database, snapshot, views.whole, request.filter, &tally.reads));
        JudgedPlaces places;
        QUERN_TRY(Locate(snapshot, *views.whole, judgments, &places));
        return FitHybrid(database, snapshot, views, resolved.request(), places, options, fitted);
    };
    return InCollection(*views.whole->info, fit());
}

}  // namespace quern

// Indexes whose head tells of another layout than this version writes: of an older version, or of
// one yet to come. They are whole, so their checksums fit; what is wrong shows when they are read.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/db/segment.h"
#include "storage/file_store.h"
#include "tests/unit/indexed_file.h"

using namespace indexed;
using namespace quern;
using quern::storage::PartKind;

namespace {

// The number of the layout stands first in a head.
void SetLayout(const std::string& path, PartKind head_kind, uint32_t layout) {
    storage::StoreOptions options;
    options.path = path;
    auto store = storage::FileStore::Open(options);
    REQUIRE(store.ok());
    auto writer = (*store)->BeginWrite();
    REQUIRE(writer.ok());
    storage::Connection* connection = (*writer)->connection();
    auto catalog = storage::ReadCatalog(connection);
    REQUIRE(catalog.ok());
    auto segments = storage::ReadSegments(connection, (*catalog)->collections.at(0)->id,
                                          storage::SegmentState::kLive);
    REQUIRE(segments.ok());
    REQUIRE(segments->size() == 1);
    const storage::SegmentInfo& segment = segments->at(0);
    const auto part = std::find_if(segment.parts.begin(), segment.parts.end(),
                                   [&](const auto& p) { return p.kind == head_kind; });
    REQUIRE(part != segment.parts.end());
    Bytes head(static_cast<size_t>(part->raw_bytes()), '\0');
    REQUIRE(ReadPart(connection, *part, head.data(), nullptr).ok());
    Bytes number;
    ByteWriter(&number).U32(layout);
    REQUIRE(head.compare(0, number.size(), number) != 0);
    head.replace(0, number.size(), number);
    REQUIRE(storage::RemovePart(connection, *part).ok());
    auto anew =
        storage::PartWriter::Create(connection, segment.id, part->field, head_kind,
                                    part->item_bytes, 1, part->generation, storage::Effort::kBest);
    REQUIRE(anew.ok());
    REQUIRE(anew->Append(head.data(), head.size()).ok());
    REQUIRE(anew->Finish().ok());
    REQUIRE((*writer)->Commit().ok());
}

std::string Report(IndexedFile* file, int32_t expected) {
    quern_text* report = nullptr;
    const int32_t status = quern_verify(file->db, &report, &file->err);
    const std::string text = quern_text_data(report);
    quern_text_free(report);
    INFO(text);
    REQUIRE(status == expected);
    return text;
}

}  // namespace

TEST_CASE("an index of another layout is named, passed over and built anew", "[index]") {
    const bool lists = GENERATE(false, true);
    // Below the first of all layouts, and above any: 1 is one of an old graph, and what lists have.
    const uint32_t layout = lists ? GENERATE(0u, 99u) : GENERATE(1u, 99u);
    INFO((lists ? "lists" : "graph") << " of layout " << layout);
    IndexedFile file;
    file.Create(QUERN_L2, lists ? "index=lists" : "index=graph ef_build=40");
    file.Insert(0, MakeRows(1000, 1));
    file.Ok(quern_optimize(file.db, nullptr, 0, &file.err));
    Report(&file, QUERN_OK);
    const std::vector<float> queries = MakeRows(20, 2);
    const auto truth = file.Search(queries, 10, "recall=exact");
    const std::string effort = lists ? "nprobe=8" : "ef=40";
    REQUIRE(!file.Search(queries, 10, effort.c_str()).exact);
    quern_close(file.db);
    file.db = nullptr;
    SetLayout(file.path, lists ? PartKind::kListHead : PartKind::kGraphHead, layout);
    file.Open();
    quern_text* info = nullptr;
    file.Ok(quern_info(file.db, &info, &file.err));
    const auto told = nlohmann::json::parse(quern_text_data(info))["collections"][0]["segments"][0];
    quern_text_free(info);
    REQUIRE(told["indexes"][0]["kind"] == (lists ? "lists" : "graph"));
    REQUIRE(told["indexes"][0]["codes"] == "");
    REQUIRE(told["indexes"][0]["damaged"] == true);
    const std::string report = Report(&file, QUERN_ERR_CORRUPT);
    INFO(report);
    REQUIRE(report.find(lists ? "\"lists of emb\"" : "\"graph of emb\"") != std::string::npos);
    REQUIRE(report.find("rebuild makes it anew") != std::string::npos);
    const auto found = file.Search(queries, 10, effort.c_str());
    REQUIRE(found.exact);
    REQUIRE(found.degraded);
    REQUIRE(found.keys == truth.keys);
    file.Ok(quern_rebuild(file.db, nullptr, &file.err));
    Report(&file, QUERN_OK);
    const auto again = file.Search(queries, 10, effort.c_str());
    REQUIRE(!again.exact);
    REQUIRE(!again.degraded);
}

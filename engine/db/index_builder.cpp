#include "engine/db/index_builder.h"

#include "engine/db/column_builder.h"
#include "engine/db/index_options.h"
#include "engine/db/index_writer.h"
#include "engine/kernels/distance.h"

namespace quern {

namespace {

using storage::PartKind;

constexpr uint64_t kTextPieceBytes = uint64_t{1} << 20;  // that are read under one snapshot

// About how long a build takes on one thread: what an insertion measures, and what one distance
// takes. Only to tell whether a build fits into a time-boxed call.
constexpr double kDistancesPerVector = 10000;
constexpr double kDistanceNs = 30;
constexpr double kDistanceNsPerDim = 0.15;
constexpr double kNsPerPosting = 500;
// Of what approx=graph adds (tests/bench/sparse/README.md): lists, and links of each record.
constexpr double kNsPerListedPosting = 1000;
constexpr double kNsPerLinkedRecord = 180000;
constexpr double kNsPerTextByte = 100;

bool Fits(const Work& work, uint64_t vectors, const DenseDef& def, int threads) {
    const double ns = static_cast<double>(vectors) * kDistancesPerVector *
                      (kDistanceNs + kDistanceNsPerDim * def.dim) / threads;
    return std::chrono::duration<double, std::nano>(work.TimeLeft()).count() > ns;
}

// One index to be made.
struct IndexWork {
    std::shared_ptr<Segment> segment;
    DenseDef def;
    std::shared_ptr<const OldGraph> old;   // to grow from; NULL: none
    std::optional<SparseDef> sparse = {};  // then it is of this field, and `def` of none
    std::optional<TextDef> text = {};      // likewise
    uint32_t field() const { return sparse ? sparse->id : text ? text->id : def.id; }
};

class IndexJob {
public:
    IndexJob(Database* database, std::string collection, IndexWork job, Work* work)
        : database_(database),
          collection_(std::move(collection)),
          job_(std::move(job)),
          work_(work) {}

    // *grown: the index has grown from the job's old graph.
    Status Run(bool* grown) {
        if (job_.sparse) {
            return RunSparse();
        }
        if (job_.text) {
            return RunText();
        }
        const IndexOptions wanted = IndexOptions::Of(job_.def);
        const SegmentField* field = nullptr;
        Buffer own_rows;
        dense::VectorRows rows;
        {
            // Only for reading: a snapshot held through a long build would keep the log from
            // shrinking.
            QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database_->NewSnapshot());
            QUERN_ASSIGN(const bool live, StillLive(snapshot.get()));
            if (!live) {
                return {};
            }
            QUERN_TRY(snapshot->With([&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(field, job_.segment->Field(connection, job_.def, work_));
                rows = field->Rows(job_.def);
                if (!field->resident) {
                    // Larger than the budget for what is kept; a build needs it for a while all the
                    // same.
                    own_rows = Buffer(static_cast<size_t>(field->vectors->raw_bytes()), nullptr);
                    QUERN_TRY(ReadPart(connection, *field->vectors, own_rows.data(), work_));
                    rows.rows = own_rows.data();
                    rows.element = job_.def.element;
                } else if (rows.element != job_.def.element && wanted.HoldsRows(job_.def)) {
                    // The index has rows of its own in the file, in the field's type.
                    own_rows = Buffer(static_cast<size_t>(field->vectors->raw_bytes()), nullptr);
                    kernels::ToF32(rows.element, rows.rows, rows.count, rows.dim,
                                   reinterpret_cast<float*>(own_rows.data()));
                    rows.rows = own_rows.data();
                    rows.element = job_.def.element;
                }
                if (job_.old != nullptr) {
                    QUERN_TRY(job_.segment->RowIds(connection).status());
                    source_ = job_.old->SourceFor(job_.segment.get(), *field);
                }
                return {};
            }));
        }
        const Status status = BuildAndWrite(rows, wanted, field->resident);
        *grown = grown_;
        return status;
    }

private:
    Result<bool> StillLive(Snapshot* snapshot) const {
        QUERN_ASSIGN(const auto view, snapshot->View(collection_));
        for (const auto& segment : view->segments) {
            if (segment->info().id == job_.segment->info().id) {
                return true;
            }
        }
        return false;
    }

    Status RunSparse() {
        SparseSpace space;
        SparsePiece piece;
        {
            QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database_->NewSnapshot());
            QUERN_ASSIGN(const bool live, StillLive(snapshot.get()));
            if (!live) {
                return {};
            }
            QUERN_TRY(snapshot->With([&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(const SparseColumn* const column,
                             job_.segment->Sparse(connection, *job_.sparse, false, work_));
                if (column->resident()) {
                    piece = column->Resident(0, column->count());
                    return {};
                }
                QUERN_ASSIGN(piece, column->Read(connection, 0, column->count(),
                                                 database_->threads(), &space));
                return {};
            }));
        }
        std::vector<float> ones;
        if (piece.weights == nullptr && piece.count > 0) {
            ones.assign(piece.offsets[piece.count] - piece.offsets[0], 1.0f);
            piece.weights = ones.data();
        }
        const SparseIndexOptions options = SparseIndexOptions::Of(*job_.sparse);
        sparse::IndexOptions how;
        how.prune = options.prune;
        how.impacts = options.impacts;
        Result<std::unique_ptr<SparsePart>> built =
            SparsePart::Build({piece.offsets, piece.dimensions, piece.weights, piece.count},
                              options.approximate, how, database_->threads(), work_);
        if (built.status().code() == Code::kLimit) {
            return {};  // more entries than an index can have: such a segment is scanned
        }
        QUERN_TRY(built.status());
        const std::unique_ptr<SparsePart> part = std::move(*built);
        IndexWriter::Arrays arrays;
        for (size_t number = 0; number < kSparseParts; number++) {
            const sparse::SparseArrayView array = part->Array(number);
            arrays.emplace_back(
                SparsePartKind(number),
                dense::IndexArrayView{array.data, array.items, array.item_bytes, array.item_bytes});
        }
        return Write(arrays);
    }

    // Texts are read piece by piece: together they may be far more than their index.
    Status RunText() {
        QUERN_ASSIGN(const std::unique_ptr<TextGatherer> gatherer, TextGatherer::Start(*job_.text));
        const auto records = static_cast<uint32_t>(job_.segment->item_count());
        for (uint32_t next = 0; next < records;) {
            QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database_->NewSnapshot());
            QUERN_ASSIGN(const bool live, StillLive(snapshot.get()));
            if (!live) {
                return {};
            }
            const Status gathered = snapshot->With([&](storage::Connection* connection) -> Status {
                QUERN_ASSIGN(const TextColumn* const column,
                             job_.segment->Text(connection, *job_.text));
                ChunkCache cache;
                for (uint64_t bytes = 0; next < records && bytes < kTextPieceBytes; next++) {
                    QUERN_ASSIGN(const BytesView text, column->Value(connection, next, &cache));
                    bytes += text.size() + 1;
                    QUERN_TRY(gatherer->Add(text));
                }
                return work_->Check("text index", next, records);
            });
            if (gathered.code() == Code::kLimit) {
                return {};  // more than an index holds
            }
            QUERN_TRY(gathered);
        }
        QUERN_ASSIGN(sparse::TextParts parts, gatherer->Finish(work_));
        const Bytes head = parts.Head();
        IndexWriter::Arrays arrays{
            {TextPartKind(0), dense::IndexArrayView{head.data(), head.size(), 1, 1}}};
        for (size_t number = 1; number < sparse::kTextArrays; number++) {
            const Bytes& array = *parts.Array(number);
            arrays.emplace_back(TextPartKind(number),
                                dense::IndexArrayView{array.data(), array.size(), 1, 1});
        }
        return Write(arrays);
    }

    Status BuildAndWrite(const dense::VectorRows& rows, const IndexOptions& wanted,
                         bool vectors_in_memory) {
        if (!dense::GraphIndex::CanMeasure(rows)) {
            return {};  // such a segment is scanned
        }
        IndexWriter::Arrays arrays;
        if (wanted.index == IndexChoice::kLists) {
            dense::ListIndexOptions options;
            options.lists = wanted.lists;
            options.codes = wanted.Codes(job_.def);
            options.codes = options.codes == dense::CodeChoice::kAuto ? dense::CodeChoice::k8Bit
                                                                      : options.codes;
            options.threads = database_->threads();
            QUERN_ASSIGN(const std::unique_ptr<dense::ListIndex> index,
                         dense::ListIndex::Build(rows, options, work_));
            for (size_t number = 0; number < dense::kListArrays; number++) {
                const auto array = static_cast<dense::ListArray>(number);
                arrays.emplace_back(ListPartKind(array), index->Array(array));
            }
            return Write(arrays);
        }
        dense::GraphIndexOptions options;
        options.m = wanted.m;
        options.ef_build = wanted.ef_build;
        options.codes = wanted.Codes(job_.def);
        options.index_bytes = static_cast<uint64_t>(database_->budget()->limit);
        options.vectors_in_memory = vectors_in_memory;
        options.threads = database_->threads();
        QUERN_ASSIGN(const std::unique_ptr<dense::GraphIndex> index,
                     dense::GraphIndex::Build(rows, options, work_,
                                              job_.old != nullptr ? &source_ : nullptr));
        grown_ = index->inherited() > 0;
        for (size_t number = 0; number < dense::kIndexArrays; number++) {
            const auto array = static_cast<dense::IndexArray>(number);
            arrays.emplace_back(IndexPartKind(array), index->Array(array));
        }
        return Write(arrays);
    }

    Status Write(const IndexWriter::Arrays& arrays) {
        return IndexWriter(database_, collection_, job_.segment->info(), job_.field(), work_)
            .Write(arrays);
    }

    Database* database_;
    std::string collection_;
    IndexWork job_;
    dense::GraphSource source_;  // what the job's old graph is to the new one
    Work* work_;
    bool grown_ = false;
};

Status AddSparseJobs(storage::Connection* connection, const CollectionView& view,
                     const std::shared_ptr<Segment>& segment, const IndexBuildRules& rules,
                     std::vector<IndexWork>* jobs, Work* work) {
    for (const SparseDef& def : view.info->schema.sparse) {
        const storage::PartInfo* lengths = segment->info().Find(PartKind::kSparseLengths, def.id);
        if (lengths == nullptr || !SparseIndexOptions::Of(def).WantsIndex(lengths->items)) {
            continue;
        }
        if (segment->info().Find(PartKind::kSparseHead, def.id) != nullptr) {
            if (!rules.check_present) {
                continue;
            }
            QUERN_ASSIGN(const Segment::SparseState state,
                         segment->SparseIndexOf(connection, def, work));
            if (!state.damaged) {
                continue;
            }
        }
        jobs->push_back({segment, {}, nullptr, def});
    }
    return {};
}

Status AddTextJobs(storage::Connection* connection, const CollectionView& view,
                   const std::shared_ptr<Segment>& segment, const IndexBuildRules& rules,
                   std::vector<IndexWork>* jobs, Work* work) {
    for (const TextDef& def : view.info->schema.text) {
        const storage::PartInfo* lengths = segment->info().Find(PartKind::kTextLengths, def.id);
        if (lengths == nullptr || lengths->items < kIndexedTextsMin) {
            continue;
        }
        if (segment->info().Find(PartKind::kTextHead, def.id) != nullptr) {
            if (!rules.check_present) {
                continue;
            }
            QUERN_ASSIGN(const bool sound, segment->TextIndexIsSound(connection, def, work));
            if (sound) {
                continue;
            }
        }
        jobs->push_back({segment, {}, nullptr, {}, def});
    }
    return {};
}

// About how long the one that is not of a dense field takes.
double ExpectedNs(const IndexWork& job, int threads) {
    const storage::SegmentInfo& segment = job.segment->info();
    const storage::PartInfo* values =
        segment.Find(job.sparse ? PartKind::kSparseGaps : PartKind::kTextBytes, job.field());
    if (values == nullptr) {
        return 0;
    }
    const auto items = static_cast<double>(values->items);
    if (!job.sparse) {
        return items * kNsPerTextByte;
    }
    double ns = items * kNsPerPosting;
    const storage::PartInfo* vectors = segment.Find(PartKind::kSparseLengths, job.field());
    if (vectors != nullptr && SparseIndexOptions::Of(*job.sparse).approximate &&
        SparsePart::WantsApproximate(vectors->items)) {
        ns += (items * kNsPerListedPosting +
               static_cast<double>(vectors->items) * kNsPerLinkedRecord) /
              threads;
    }
    return ns;
}

}  // namespace

Status BuildIndexes(Database* database, const std::string& collection, const IndexBuildRules& rules,
                    OldGraphs* old_graphs, Work* work) {
    std::vector<IndexWork> jobs;
    {
        QUERN_ASSIGN(const std::shared_ptr<Snapshot> snapshot, database->NewSnapshot());
        QUERN_ASSIGN(const auto view, snapshot->View(collection));
        QUERN_TRY(snapshot->With([&](storage::Connection* connection) -> Status {
            for (const auto& segment : view->segments) {
                for (const DenseDef& def : view->info->schema.dense) {
                    const storage::PartInfo* vectors =
                        segment->info().Find(PartKind::kVectors, def.id);
                    if (vectors == nullptr || !IndexOptions::Of(def).WantsIndex(vectors->items)) {
                        continue;
                    }
                    if (segment->info().Find(IndexOptions::Of(def).HeadKind(), def.id) != nullptr) {
                        if (!rules.check_present) {
                            continue;
                        }
                        QUERN_ASSIGN(const Segment::IndexState state,
                                     segment->Index(connection, def, work));
                        if (!state.damaged && state.lists == nullptr &&
                            (state.index == nullptr || state.index->CheckReach().ok())) {
                            continue;
                        }
                        if (!state.damaged && state.lists != nullptr) {
                            const Status rows = CheckRows(connection, *state.lists, work);
                            if (rows.code() != Code::kCorrupt) {
                                QUERN_TRY(rows);
                                continue;
                            }
                        }
                    }
                    jobs.push_back({segment, def, nullptr});
                }
                QUERN_TRY(AddSparseJobs(connection, *view, segment, rules, &jobs, work));
                QUERN_TRY(AddTextJobs(connection, *view, segment, rules, &jobs, work));
            }
            return {};
        }));
    }
    // A rebuild makes what can be made, whatever records are damaged elsewhere.
    Status damage;
    const auto run = [&](const IndexWork& job, bool* grown) -> Status {
        Status status = IndexJob(database, collection, job, work).Run(grown);
        if (!rules.check_present || status.code() != Code::kCorrupt) {
            return status;
        }
        damage = damage.ok() ? std::move(status) : damage;
        return {};
    };
    for (IndexWork& job : jobs) {
        if (job.sparse || job.text) {
            const std::chrono::duration<double, std::nano> left = work->TimeLeft();
            if (left.count() > ExpectedNs(job, database->threads())) {
                bool grown = false;
                QUERN_TRY(run(job, &grown));
            }
            continue;
        }
        if (!Fits(*work, job.segment->info().items, job.def, database->threads())) {
            continue;
        }
        if (old_graphs != nullptr) {
            job.old = old_graphs->Of(job.def.id);
        }
        bool grown = false;
        QUERN_TRY(run(job, &grown));
        job.old.reset();
        if (grown) {
            old_graphs->Drop(job.def.id);
        }
    }
    QUERN_TRY(BuildColumns(database, collection, rules, work));
    return damage;
}

}  // namespace quern

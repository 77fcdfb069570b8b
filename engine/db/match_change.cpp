// Deleting and changing the records that a filter is true for, as a transaction sees them.
#include <deque>

#include "engine/db/database.h"
#include "engine/filter/assignments.h"

namespace quern {

namespace {

// Records that are written at once: the same values stand in their columns so many times.
constexpr size_t kChangesAtOnce = 16384;

// Columns with one value again and again.
class ConstantColumns {
public:
    ConstantColumns(const Schema& schema, const std::vector<filter::Assignment>& assignments,
                    size_t count) {
        for (const filter::Assignment& assignment : assignments) {
            const AttrDef& attr = schema.attrs[assignment.attr];
            AttrInput& input = inputs_.emplace_back();
            input.name = attr.name;
            // The setter of texts is that of JSON, too.
            input.type = attr.type == AttrType::kJson ? AttrType::kText : attr.type;
            if (assignment.null()) {
                input.valid = bytes_.emplace_back(count, uint8_t{0}).data();
            }
            Fill(attr.type, assignment, count, &input);
        }
    }
    const std::vector<AttrInput>& inputs() const { return inputs_; }

private:
    void Fill(AttrType type, const filter::Assignment& assignment, size_t count, AttrInput* input) {
        const filter::Value value =
            assignment.values.empty() ? filter::Value() : assignment.values[0];
        switch (type) {
            case AttrType::kInt:
                input->values = numbers_.emplace_back(count, value.number).data();
                break;
            case AttrType::kReal:
                input->values = reals_.emplace_back(count, value.real).data();
                break;
            case AttrType::kBool:
                input->values =
                    bytes_.emplace_back(count, static_cast<uint8_t>(value.number)).data();
                break;
            case AttrType::kTags: FillTags(assignment, count, input); break;
            case AttrType::kBlob:
                input->sizes = sizes_.emplace_back(count, value.text.size()).data();
                [[fallthrough]];
            default:
                texts_.push_back(value.text);
                input->values = pointers_.emplace_back(count, texts_.back().c_str()).data();
        }
    }

    void FillTags(const filter::Assignment& assignment, size_t count, AttrInput* input) {
        std::vector<const char*> tags;
        for (const filter::Value& tag : assignment.values) {
            texts_.push_back(tag.text);
            tags.push_back(texts_.back().c_str());
        }
        std::vector<size_t>& offsets = sizes_.emplace_back(1, size_t{0});
        std::vector<const char*>& all = pointers_.emplace_back();
        for (size_t i = 0; i < count; i++) {
            all.insert(all.end(), tags.begin(), tags.end());
            offsets.push_back(all.size());
        }
        all.push_back(nullptr);  // of no tags there is an array, too
        input->values = all.data();
        input->sizes = offsets.data();
    }

    std::vector<AttrInput> inputs_;
    // Their content stays where it is.
    std::deque<std::vector<uint8_t>> bytes_;
    std::deque<std::vector<int64_t>> numbers_;
    std::deque<std::vector<double>> reals_;
    std::deque<std::vector<size_t>> sizes_;
    std::deque<std::vector<const char*>> pointers_;
    std::deque<std::string> texts_;
};

// The most tags that a record is set to: so many stand in memory for each that is written at once.
size_t TagCount(const std::vector<filter::Assignment>& assignments) {
    size_t most = 1;
    for (const filter::Assignment& assignment : assignments) {
        most = std::max(most, assignment.values.size());
    }
    return most;
}

}  // namespace

Status Transaction::WriteMatches(WriteKind kind, const std::string& collection,
                                 const RecordFilter& filter,
                                 const std::function<Status(const storage::CollectionInfo& info,
                                                            size_t n, RecordBatch* batch)>& fill,
                                 size_t* affected) {
    *affected = 0;
    std::vector<Key> keys;
    std::shared_ptr<const storage::CollectionInfo> info;
    const auto find = [&]() -> Status {
        info = catalog_->Find(collection);
        return info == nullptr
                   ? Status::Error(Code::kNotFound, "no collection '%s'", collection.c_str())
                   : InCollection(*info, KeysOfMatches(database_.get(), writer_->connection(),
                                                       *catalog_, *info, filter, &keys));
    };
    const auto write = [&]() -> Status {
        std::vector<int64_t> numbers;
        std::vector<const char*> texts;
        for (const Key& key : keys) {
            numbers.push_back(key.number);
            texts.push_back(key.text.c_str());
        }
        for (size_t first = 0; first < keys.size() || first == 0;) {
            RecordBatch batch;
            batch.collection = collection;
            batch.count = keys.size() - first;
            // What is to be written is looked at even when it is for nobody.
            QUERN_TRY(InCollection(*info, fill(*info, keys.size() - first, &batch)));
            if (keys.empty()) {
                break;
            }
            (keys[0].type == KeyType::kInt)
                ? static_cast<void>(batch.int_keys = numbers.data() + first)
                : static_cast<void>(batch.text_keys = texts.data() + first);
            size_t written = 0;
            QUERN_TRY(Write(kind, batch, &written));
            *affected += written;
            first += batch.count;
        }
        return {};
    };
    Status status;
    try {
        {
            std::lock_guard<std::mutex> lock(mutex_);
            if (writer_ == nullptr) {
                return Status::Error(Code::kTxn, "the transaction is over: %s",
                                     over_.empty() ? "it has ended" : over_.c_str());
            }
            status = find();
        }
        if (status.ok()) {
            status = write();
        }
    } catch (const std::bad_alloc&) {
        status = Status::Error(Code::kNoMem, "out of memory");
    }
    if (!status.ok()) {
        Rollback();
        try {
            over_ = "an error rolled it back (" + status.message() + ")";
        } catch (const std::bad_alloc&) {
            // What Rollback has said will do.
        }
    }
    return status;
}

Status Transaction::DeleteMatches(const std::string& collection, const RecordFilter& filter,
                                  size_t* affected) {
    return WriteMatches(
        WriteKind::kDelete, collection, filter,
        [](const storage::CollectionInfo&, size_t, RecordBatch*) { return Status(); }, affected);
}

Status Transaction::UpdateMatches(const std::string& collection, const RecordFilter& filter,
                                  const filter::Tokens& assignments, size_t* affected) {
    std::optional<std::vector<filter::Assignment>> read;
    std::optional<ConstantColumns> columns;
    size_t at_once = 0;
    return WriteMatches(
        WriteKind::kUpdate, collection, filter,
        [&](const storage::CollectionInfo& info, size_t n, RecordBatch* batch) -> Status {
            if (!read) {
                QUERN_ASSIGN(read, filter::ReadAssignments(assignments, {info.name, &info.schema},
                                                           filter.arguments));
                at_once = std::min(n, std::max<size_t>(1, kChangesAtOnce / TagCount(*read)));
                columns.emplace(info.schema, *read, at_once);
            }
            batch->count = std::min(n, at_once);
            batch->attrs = columns->inputs();
            return {};
        },
        affected);
}

}  // namespace quern

// Columns of a batch.
#include "column_batch.h"

namespace quern::shell {

void ColumnBatch::Texts::Add(std::string_view text) {
    starts.push_back(bytes.size());
    sizes.push_back(text.size());
    bytes.append(text);
    bytes.push_back('\0');
}

void ColumnBatch::Texts::Clear() {
    bytes.clear();
    starts.clear();
    sizes.clear();
}

void ColumnBatch::Texts::Point() {
    pointers.clear();
    blobs.clear();
    for (size_t start : starts) {
        pointers.push_back(bytes.data() + start);
        blobs.push_back(bytes.data() + start);
    }
}

ColumnBatch::ColumnBatch(CollectionColumns columns)
    : columns_(std::move(columns)),
      attrs_(columns_.attrs.size()),
      dense_(columns_.dense.size()),
      sparse_(columns_.sparse.size()) {
    Clear();
}

void ColumnBatch::Clear() {
    rows_ = 0;
    bytes_ = 0;
    keys_int_.clear();
    keys_text_.Clear();
    for (Attr& attr : attrs_) {
        attr.valid.clear();
        attr.ints.clear();
        attr.reals.clear();
        attr.bools.clear();
        attr.texts.Clear();
        attr.tag_offsets.assign(1, 0);
    }
    for (Dense& dense : dense_) {
        dense.valid.clear();
        dense.matrix.clear();
    }
    for (Sparse& sparse : sparse_) {
        sparse.valid.clear();
        sparse.offsets.assign(1, 0);
        sparse.dims.clear();
        sparse.weights.clear();
    }
}

void ColumnBatch::AddAttr(ColumnType type, const Value& value, Attr* attr) {
    attr->valid.push_back(value.kind != Value::Kind::kNull ? 1 : 0);
    bytes_ += 8;
    switch (type) {
        case ColumnType::kInt: attr->ints.push_back(value.integer); break;
        case ColumnType::kReal: attr->reals.push_back(value.real); break;
        case ColumnType::kBool: attr->bools.push_back(value.integer != 0 ? 1 : 0); break;
        case ColumnType::kText:
        case ColumnType::kJson:
        case ColumnType::kBlob:
            attr->texts.Add(value.text);
            bytes_ += value.text.size() + 24;
            break;
        case ColumnType::kTags:
            for (const std::string& tag : value.texts) {
                attr->texts.Add(tag);
                bytes_ += tag.size() + 24;
            }
            attr->tag_offsets.push_back(attr->texts.starts.size());
            break;
    }
}

void ColumnBatch::Add(const StagedRow& row) {
    if (columns_.key.type == QUERN_KEY_TEXT) {
        keys_text_.Add(row.key_text);
        bytes_ += row.key_text.size() + 24;
    } else {
        keys_int_.push_back(row.key_int);
        bytes_ += 8;
    }
    for (size_t i = 0; i < attrs_.size(); i++) {
        AddAttr(columns_.attrs[i].type, row.attrs[i], &attrs_[i]);
    }
    for (size_t i = 0; i < dense_.size(); i++) {
        const bool present = !row.dense[i].empty();
        dense_[i].valid.push_back(present ? 1 : 0);
        if (present) {
            dense_[i].matrix.insert(dense_[i].matrix.end(), row.dense[i].begin(),
                                    row.dense[i].end());
        } else {
            dense_[i].matrix.resize(dense_[i].matrix.size() + columns_.dense[i].dim);
        }
        bytes_ += columns_.dense[i].dim * sizeof(float);
    }
    for (size_t i = 0; i < sparse_.size(); i++) {
        Sparse& to = sparse_[i];
        const SparseEntries& from = row.sparse[i];
        to.valid.push_back(from.present ? 1 : 0);
        to.dims.insert(to.dims.end(), from.dims.begin(), from.dims.end());
        to.weights.insert(to.weights.end(), from.weights.begin(), from.weights.end());
        to.offsets.push_back(to.dims.size());
        bytes_ += 8 * from.dims.size() + 8;
    }
    rows_++;
}

void ColumnBatch::BindAttr(quern_batch* batch, const AttrColumn& column, Attr* attr) {
    const char* name = column.name.c_str();
    const uint8_t* valid = attr->valid.data();
    switch (column.type) {
        case ColumnType::kInt: quern_batch_int(batch, name, attr->ints.data(), valid); return;
        case ColumnType::kReal: quern_batch_real(batch, name, attr->reals.data(), valid); return;
        case ColumnType::kBool: quern_batch_bool(batch, name, attr->bools.data(), valid); return;
        case ColumnType::kText:
        case ColumnType::kJson:
            attr->texts.Point();
            quern_batch_text(batch, name, attr->texts.pointers.data(), valid);
            return;
        case ColumnType::kBlob:
            attr->texts.Point();
            quern_batch_blob(batch, name, attr->texts.blobs.data(), attr->texts.sizes.data(),
                             valid);
            return;
        case ColumnType::kTags:
            attr->texts.Point();
            quern_batch_tags(batch, name, attr->tag_offsets.data(), attr->texts.pointers.data(),
                             valid);
            return;
    }
}

void ColumnBatch::Bind(quern_batch* batch) {
    if (columns_.key.type == QUERN_KEY_TEXT) {
        keys_text_.Point();
        quern_batch_key_text(batch, keys_text_.pointers.data());
    } else {
        quern_batch_key_int(batch, keys_int_.data());
    }
    for (size_t i = 0; i < attrs_.size(); i++) {
        BindAttr(batch, columns_.attrs[i], &attrs_[i]);
    }
    for (size_t i = 0; i < dense_.size(); i++) {
        const DenseColumn& column = columns_.dense[i];
        quern_batch_dense(batch, column.name.c_str(), dense_[i].matrix.data(), column.dim,
                          dense_[i].valid.data());
    }
    for (size_t i = 0; i < sparse_.size(); i++) {
        const Sparse& sparse = sparse_[i];
        quern_batch_sparse(batch, columns_.sparse[i].name.c_str(), sparse.offsets.data(),
                           sparse.dims.data(), sparse.weights.data(), sparse.valid.data());
    }
}

}  // namespace quern::shell

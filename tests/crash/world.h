// Databases with every kind of field, whose records follow from a key and a version, for the tests
// that crash and fail them: what is in one as a text, and whether all of it can be found.
#pragma once

#include <quern.h>

#include <cstdint>
#include <string>
#include <vector>

namespace quern::crash {

// Fields that a collection has beside its attributes number, word and tags.
enum Field : unsigned {
    kGraph = 1,   // dense "emb": a graph from 64 vectors on
    kLists = 2,   // dense "cells": lists from 64 vectors on
    kSparse = 4,  // "terms"
    kText = 8,    // "body"
    kAllFields = 15,
};
// Creates a collection. The graph's codes are f32, so that what builds it never trains.
int32_t CreateWorld(quern_db* db, const char* collection, unsigned fields, quern_error* err);

// Records of a collection, whose columns must be those of CreateWorld.
class Rows {
public:
    enum class What { kWhole, kPayload, kKeys };
    Rows(quern_db* db, const char* collection, unsigned fields, std::vector<int64_t> keys,
         int64_t version, What what);
    ~Rows() { quern_batch_free(batch_); }
    Rows(const Rows&) = delete;
    Rows& operator=(const Rows&) = delete;
    quern_batch* batch() const { return batch_; }

private:
    std::vector<int64_t> keys_;
    std::vector<int64_t> numbers_;
    std::vector<std::string> texts_;
    std::vector<const char*> words_;
    std::vector<const char*> bodies_;
    std::vector<const char*> tags_;
    std::vector<size_t> tag_ends_;
    std::vector<float> vectors_;
    std::vector<uint8_t> has_;
    std::vector<size_t> offsets_;
    std::vector<uint32_t> dims_;
    std::vector<float> weights_;
    quern_batch* batch_ = nullptr;
};
// What attribute number has in a record of this version; a payload has a version of its own.
int64_t NumberOf(int64_t key, int64_t version);
// The word of body that only this version has; records without fields lack it.
std::string VersionWord(int64_t version);
bool HasFields(int64_t key);
// first, first + step, ...
std::vector<int64_t> Keys(int64_t first, size_t count, int64_t step = 1);

// Everything visible, a line a record. Empty on an error, which *error tells.
std::string DumpWorld(quern_db* db, std::string* error);
// Every live record is found: as its own nearest by dense fields, exactly and through indexes that
// are asked for all they have; by a dimension and a word that only it has; by a filter. Empty, or
// what is wrong.
std::string ProbeWorld(quern_db* db);

}  // namespace quern::crash

// TermDimensions: which dimension each term of a vocabulary is, for sparse vectors whose entries
// are named by terms, as Anserini writes them: {"whale":1.5,"white":0.7}.
//
// The vocabulary is a text file, a term a line; the number of the line, from 0, is the dimension.
// New terms are added at its end, so that what a dimension means never changes; `quern tokens`
// takes the same file. Memory: the terms. Confined to one thread, and one process at a time.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "byte_source.h"
#include "sparse_text.h"

namespace quern::shell {

class TermDimensions {
public:
    static constexpr size_t kTermBytesMax = 1024;
    static constexpr size_t kTermsMax = size_t{1} << 26;

    // path: the file, which need not exist; empty: nothing is kept. Throws FormatError.
    explicit TermDimensions(std::string path);
    // Of a file that must hold terms.
    static TermDimensions Existing(const std::string& path);
    // For tests and the fuzzer: from a source, kept nowhere.
    explicit TermDimensions(ByteSource* source);

    // A value {"term":weight, ...} for a field whose dimensions are all below `dims`; null: absent.
    // False with *problem if it does not fit; then no term was added.
    bool Convert(const Value& from, uint64_t dims, bool binary, SparseEntries* entries,
                 std::string* problem);
    // The same for a query: terms that are not there say nothing, and none is added. *unknown, if
    // somebody asks, gets these.
    bool ConvertQuery(const Value& from, uint64_t dims, SparseEntries* entries,
                      std::string* problem, std::vector<std::string>* unknown = nullptr) const;
    // The term of a dimension, NULL if there is none.
    const std::string* TermOf(uint32_t dim) const;
    size_t size() const { return terms_.size(); }
    // Appends the terms that are new since the last time to the file. Throws FormatError.
    void Save();

private:
    void Load(ByteSource* source);

    std::string path_;
    std::vector<std::string> terms_;
    std::unordered_map<std::string, uint32_t> dims_;
    size_t saved_ = 0;
};

}  // namespace quern::shell

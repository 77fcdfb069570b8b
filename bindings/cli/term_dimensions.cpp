#include "term_dimensions.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "float_codes.h"
#include "format_error.h"

namespace quern::shell {
namespace {

// A term can stand on a line of the file.
bool IsTerm(const std::string& term) {
    return !term.empty() && term.size() <= TermDimensions::kTermBytesMax && IsCleanUtf8(term) &&
           term.find_first_of("\t\n\r") == std::string::npos;
}

// As the first line of a file ends, so do those that are added.
std::string LineEnd(int fd) {
    char first[TermDimensions::kTermBytesMax + 8];
    const ssize_t got = pread(fd, first, sizeof first, 0);
    const std::string_view text(first, got > 0 ? static_cast<size_t>(got) : 0);
    const size_t at = text.find('\n');
    return at != std::string_view::npos && at > 0 && text[at - 1] == '\r' ? "\r\n" : "\n";
}

}  // namespace

TermDimensions::TermDimensions(std::string path) : path_(std::move(path)) {
    struct stat info {};
    if (path_.empty() || (stat(path_.c_str(), &info) != 0 && errno == ENOENT)) {
        return;
    }
    const auto source = ByteSource::Open(path_);
    if (source->plain_descriptor() < 0 && source->bytes_total() > 0) {
        throw FormatError(path_ + ": a vocabulary is a plain file, since terms are added to it");
    }
    Load(source.get());
    saved_ = terms_.size();
}

TermDimensions::TermDimensions(ByteSource* source) {
    Load(source);
}

void TermDimensions::Load(ByteSource* source) {
    std::string line;
    while (source->ReadLine(&line)) {
        const std::string place =
            source->name() + ":" + std::to_string(source->line_number()) + ": ";
        if (!IsTerm(line)) {
            throw FormatError(place + Quoted(line) +
                              " is not a term: wanted 1 to 1024 bytes of UTF-8, without a tab");
        }
        if (terms_.size() == kTermsMax) {
            throw FormatError(place + "more than " + std::to_string(kTermsMax) + " terms");
        }
        if (!dims_.emplace(line, static_cast<uint32_t>(terms_.size())).second) {
            throw FormatError(place + "the term " + Quoted(line) + " is there twice");
        }
        terms_.push_back(line);
    }
}

bool TermDimensions::Convert(const Value& from, uint64_t dims, bool binary, SparseEntries* entries,
                             std::string* problem) {
    std::vector<std::string> names;
    if (!ConvertTerms(from, binary, entries, &names, problem)) {
        return false;
    }
    size_t added = 0;
    for (const std::string& name : names) {
        const auto known = dims_.find(name);
        const uint64_t dim = known != dims_.end() ? known->second : terms_.size() + added++;
        if (known == dims_.end() && !IsTerm(name)) {
            *problem = Quoted(name) +
                       " is not a term: wanted 1 to 1024 bytes of UTF-8 without a "
                       "tab or line end";
            return false;
        }
        if (dim >= dims || dim >= kTermsMax) {
            *problem = "the vocabulary has more than " +
                       std::to_string(std::min<uint64_t>(dims, kTermsMax)) + " terms with " +
                       Quoted(name) + ", which are the dimensions of the field";
            return false;
        }
        entries->dims.push_back(static_cast<uint32_t>(dim));
    }
    for (const std::string& name : names) {
        if (dims_.emplace(name, static_cast<uint32_t>(terms_.size())).second) {
            terms_.push_back(name);
        }
    }
    return true;
}

bool TermDimensions::ConvertQuery(const Value& from, uint64_t dims, SparseEntries* entries,
                                  std::string* problem, std::vector<std::string>* unknown) const {
    SparseEntries all;
    std::vector<std::string> names;
    if (!ConvertTerms(from, false, &all, &names, problem)) {
        return false;
    }
    entries->Clear();
    entries->present = true;
    for (size_t i = 0; i < names.size(); i++) {
        const auto known = dims_.find(names[i]);
        if (known == dims_.end()) {
            if (unknown != nullptr) {
                unknown->push_back(names[i]);
            }
            continue;
        }
        if (known->second >= dims) {
            *problem = "the vocabulary has " + Quoted(names[i]) + " as dimension " +
                       std::to_string(known->second) + ", the field's are below " +
                       std::to_string(dims);
            return false;
        }
        entries->dims.push_back(known->second);
        entries->weights.push_back(all.weights[i]);
    }
    return true;
}

TermDimensions TermDimensions::Existing(const std::string& path) {
    TermDimensions terms(path);
    if (terms.size() == 0) {
        throw FormatError(path + ": no terms; is it there?");
    }
    return terms;
}

const std::string* TermDimensions::TermOf(uint32_t dim) const {
    return dim < terms_.size() ? &terms_[dim] : nullptr;
}

void TermDimensions::Save() {
    if (path_.empty() || saved_ == terms_.size()) {
        return;
    }
    const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) {
        throw FormatError(path_ + ": cannot open: " + std::strerror(errno));
    }
    const std::string line_end = LineEnd(fd);
    std::string lines;
    for (size_t i = saved_; i < terms_.size(); i++) {
        lines.append(terms_[i]).append(line_end);
    }
    // A file whose last line has no end gets one. At its start a mark of the byte order is no part
    // of the term for who reads it.
    const off_t end = lseek(fd, 0, SEEK_END);
    if (end == 0 && lines.compare(0, 3, kByteOrderMark) == 0) {
        lines.insert(0, kByteOrderMark);
    }
    char last = '\n';
    if (end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n') {
        lines.insert(0, line_end);
    }
    size_t done = 0;
    int problem = 0;
    while (done < lines.size() && problem == 0) {
        const ssize_t put = write(fd, lines.data() + done, lines.size() - done);
        problem = put < 0 && errno != EINTR ? errno : 0;
        done += put > 0 ? static_cast<size_t>(put) : 0;
    }
    if (problem == 0 && fdatasync(fd) != 0 && errno != EINVAL) {
        problem = errno;
    }
    close(fd);
    if (problem != 0) {
        throw FormatError(path_ + ": cannot write: " + std::strerror(problem));
    }
    saved_ = terms_.size();
}

}  // namespace quern::shell

// Files and texts that are made to take all memory, or to never end. Each must be answered, with an
// error or without, in so much memory beyond what the process has, and so much time of the
// processor: else the process ends, and prints the case.
//
//   quern_bombs [--every K] [--sample N] [--first I]
//
// Files: of every sound sample each number in the catalog, and each of the first words of each
// chunk, becomes one that is as large as numbers get, or where they wrap; checksums fit.
#include <quern.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "fuzz/patched_file.h"

namespace {

using quern::fuzzing::Patch;
using quern::fuzzing::SoundFile;
using quern::fuzzing::SoundFiles;

constexpr rlim_t kMemory = rlim_t{512} << 20;
constexpr int kSecondsOfProcessor = 10;
constexpr uint64_t kNumbers[] = {
    0xffffffff,        0x80000000,        0x7fffffff,  uint64_t{1} << 36, (uint64_t{1} << 36) - 1,
    uint64_t{1} << 62, uint64_t{1} << 63, ~uint64_t{0}};
constexpr size_t kTables = 9;
constexpr size_t kRows = 24;
constexpr size_t kColumns = 9;
constexpr size_t kParts = 60;
constexpr size_t kWords = 12;

char the_case[200];

void OnSignal(int number) {
    const ssize_t ignored = write(STDERR_FILENO, the_case, std::strlen(the_case));
    static_cast<void>(ignored);
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void Begin(const std::string& what) {
    std::snprintf(the_case, sizeof the_case, "\nbomb: %s\n", what.c_str());
    itimerval timer{};
    timer.it_value.tv_sec = kSecondsOfProcessor;
    setitimer(ITIMER_PROF, &timer, nullptr);
}

// A sanitizer's own memory is beyond any bound.
void LimitMemory() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    rlim_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t bytes = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + kMemory;
    const rlimit limit{bytes, bytes};
    setrlimit(RLIMIT_AS, &limit);
#endif
}

std::string Record(uint8_t op, size_t a, size_t b, size_t c, uint32_t place, uint64_t value) {
    std::string bytes = {static_cast<char>(op), static_cast<char>(a), static_cast<char>(b),
                         static_cast<char>(c)};
    bytes.append(reinterpret_cast<const char*>(&place), sizeof place);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
    return bytes;
}

void Use(const SoundFile& file, const std::string& records) {
    quern::corruption::Images images = file.sample.images;
    images.log.clear();
    const std::vector<Patch> patches = quern::fuzzing::ReadPatches(records);
    quern::fuzzing::PatchMain(patches, true, &images.main);
    if (images.main != file.sample.images.main) {
        quern::fuzzing::UseFile(file, images, 0);
    }
}

// Content of a zstd frame that is far smaller than what it unpacks to.
std::string Frame(size_t bytes) {
    const std::string zeros(bytes, '\0');
    std::string frame(ZSTD_compressBound(bytes), '\0');
    frame.resize(ZSTD_compress(frame.data(), frame.size(), zeros.data(), zeros.size(), 19));
    return frame;
}

std::vector<std::string> Frames() {
    std::vector<std::string> frames = {Frame(256 << 10), Frame(200 << 20)};
    // A frame without blocks that declares 2^63 bytes, one that declares nothing, one whose window
    // is as large as can be.
    frames.push_back(
        std::string("\x28\xb5\x2f\xfd\xc0\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00", 17));
    frames.push_back(std::string("\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00", 9));
    frames.push_back(std::string("\x28\xb5\x2f\xfd\x00\xff\x01\x00\x00", 9));
    return frames;
}

struct Options {
    size_t every = 1;
    size_t sample = SIZE_MAX;
    size_t first = 0;
};

size_t NumbersInFile(size_t number, const SoundFile& file, const Options& options) {
    size_t cases = 0;
    size_t i = 0;
    const auto run = [&](const std::string& what, const std::string& records) {
        if (i >= options.first && i % options.every == options.first % options.every) {
            Begin("--sample " + std::to_string(number) + " --first " + std::to_string(i) + ": " +
                  what);
            Use(file, records);
            cases++;
        }
        i++;
    };
    for (size_t table = 1; table < kTables; table++) {
        for (size_t row = 0; row < kRows; row++) {
            for (size_t column = 0; column < kColumns; column++) {
                for (const uint64_t value : kNumbers) {
                    run("table, row, column", Record(1, table, row, column, 0, value));
                }
            }
        }
    }
    for (size_t part = 0; part < kParts; part++) {
        for (uint32_t word = 0; word < kWords; word++) {
            for (const uint64_t value : {kNumbers[0], kNumbers[1], kNumbers[2], ~uint64_t{0}}) {
                run("part, chunk, word", Record(2, part, 0, 13, 4 * word, value));
            }
        }
        // What the directory says of sizes, and what it says of codecs.
        for (size_t entry = 0; entry < 3; entry++) {
            run("part, directory", Record(3, part, 0, entry, 0, 0xffffffff));
            run("part, directory", Record(3, part, 0, entry, 0, 0x40000));
        }
    }
    return cases;
}

size_t FramesInFile(size_t number, const SoundFile& file, const Options& options) {
    size_t cases = 0;
    for (const std::string& frame : Frames()) {
        for (size_t part = 0; part<kParts; part += options.every> 1 ? 7 : 1) {
            for (const uint32_t raw : {0x40000u, 0x7fffffffu, 0xffffffffu}) {
                const std::string stored =
                    frame.substr(0, 240) +
                    std::string(240 - std::min<size_t>(240, frame.size()), '\0');
                Begin("--sample " + std::to_string(number) + ": a zstd frame in part " +
                      std::to_string(part));
                Use(file, Record(4, part, 0, 15, raw, 1) + stored);
                cases++;
            }
        }
    }
    return cases;
}

void Want(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "bombs: %s\n", what);
        std::exit(1);
    }
}

std::string Repeated(const std::string& text, size_t count) {
    std::string all;
    for (size_t i = 0; i < count; i++) {
        all += text;
    }
    return all;
}

int32_t Count(quern_db* db, const std::string& filter) {
    quern_query* query = quern_query_new(db, "docs");
    quern_query_filter(query, filter.c_str());
    quern_query_options(query, "filter_ms=1000");
    uint64_t count = 0;
    const int32_t status = quern_query_count(query, &count, nullptr);
    quern_query_free(query);
    return status;
}

int32_t WriteJson(quern_db* db, const std::string& json) {
    const int64_t key = 1;
    const char* const text = json.c_str();
    quern_batch* batch = quern_batch_new(db, "docs", 1);
    quern_batch_key_int(batch, &key);
    quern_batch_text(batch, "body", &text, nullptr);
    const int32_t status = quern_upsert(batch, nullptr, nullptr);
    quern_batch_free(batch);
    return status;
}

size_t Texts() {
    quern_db* db = nullptr;
    Want(quern_open(":memory:", "threads=1 memory_mb=32", &db, nullptr) == QUERN_OK, "open");
    quern_schema* schema = quern_schema_new();
    quern_schema_attr(schema, "body", QUERN_JSON, nullptr);
    quern_schema_attr(schema, "n", QUERN_INT, nullptr);
    quern_schema_text(schema, "words", nullptr);
    Want(quern_create(db, "docs", schema, nullptr) == QUERN_OK, "create");
    quern_schema_free(schema);
    Begin("nested JSON");
    // Either it is refused, or it is a value that can be asked.
    for (const auto& [open, close] : {std::pair{"[", "]"}, std::pair{"{\"a\":", "}"}}) {
        const std::string deep = Repeated(open, 1000000) + "1" + Repeated(close, 1000000);
        if (WriteJson(db, deep) == QUERN_OK) {
            Count(db, "json_extract(body, '$.a.a') = 1 and body has 'a'");
        }
        WriteJson(db, Repeated(open, 900) + "1" + Repeated(close, 900));
        Count(db, "json_extract(body, '$.a.a') = 1 and body has 'a'");
    }
    Begin("brackets of a filter");
    Want(Count(db, Repeated("(", 1000000)) != QUERN_OK, "a filter of brackets");
    Want(Count(db, Repeated("(", 1000000) + "1" + Repeated(")", 1000000)) == QUERN_ERR_LIMIT,
         "a filter of brackets within brackets");
    Begin("operators of a filter");
    Want(Count(db, Repeated("not ", 1000000) + "n = 1") != QUERN_ERR_INTERNAL, "a filter of nots");
    Want(Count(db, "n = 1" + Repeated(" and n = 1", 100000)) != QUERN_ERR_INTERNAL, "ands");
    Want(Count(db, "n in (1" + Repeated(",1", 1000000) + ")") != QUERN_ERR_INTERNAL, "a list");
    Want(Count(db, "n = " + Repeated("-", 1000000) + "1") != QUERN_ERR_INTERNAL, "signs");
    Want(Count(db, "case " + Repeated("when n then case ", 100000)) != QUERN_OK, "cases");
    Begin("functions that make much of little");
    Want(Count(db, "length(hex(zeroblob(900000000))) > n") != QUERN_ERR_INTERNAL, "zeroblob");
    Want(Count(db, "length(printf('%.*c', 900000000, 'x')) > n") != QUERN_ERR_INTERNAL, "printf");
    Want(Count(db, "length(replace(hex(zeroblob(20000)), '0', hex(zeroblob(20000)))) > 1") !=
             QUERN_ERR_INTERNAL,
         "replace");
    Begin("a pattern that backtracks");
    const std::string as(30000, 'a');
    Want(WriteJson(db, "\"" + as + "\"") == QUERN_OK, "a long text");
    Want(Count(db, "body like '" + Repeated("%a", 400) + "b'") != QUERN_ERR_INTERNAL, "like");
    Begin("a text query of many words");
    for (const std::string& words :
         {Repeated("\"a b\" ", 10000), Repeated("+a* ", 10000), Repeated("x^1.5 OR ", 10000)}) {
        const char* const text = words.c_str();
        quern_query* query = quern_query_new(db, "docs");
        quern_query_text(query, "words", &text, 1);
        quern_result* result = nullptr;
        Want(quern_search(query, &result, nullptr) != QUERN_ERR_INTERNAL, "words");
        quern_result_free(result);
        quern_query_free(query);
    }
    Begin("a bitmap that declares all numbers");
    std::string bitmap("\x3b\x30\xff\xff", 4);  // a run cookie with 65536 containers
    bitmap += std::string(100000, '\xff');
    quern_keys* keys = nullptr;
    Want(quern_keys_roaring(bitmap.data(), bitmap.size(), 32, &keys, nullptr) != QUERN_ERR_INTERNAL,
         "roaring");
    quern_keys_free(keys);
    quern_close(db);
    return 9;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string word = argv[i];
        const size_t value = std::strtoull(argv[i + 1], nullptr, 10);
        (word == "--every"    ? options.every
         : word == "--sample" ? options.sample
                              : options.first) = value;
    }
    options.every = std::max<size_t>(1, options.every);
    for (const int number : {SIGPROF, SIGABRT, SIGSEGV, SIGBUS, SIGFPE}) {
        std::signal(number, OnSignal);
    }
    const std::vector<SoundFile>& files = SoundFiles();
    LimitMemory();
    size_t cases = Texts();
    for (size_t f = 0; f < files.size(); f++) {
        if (options.sample == SIZE_MAX || options.sample == f) {
            cases += NumbersInFile(f, files[f], options);
            cases += FramesInFile(f, files[f], options);
        }
    }
    std::printf("%zu bombs\n", cases);
    return 0;
}

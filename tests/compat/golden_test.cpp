// Every file of every released version: it opens read-only and gives its answers; a copy takes
// changes, and what was not changed still gives its answers.
//
//   quern_compat GOLDEN_DIRECTORY [answers|features]
//
// GOLDEN_DIRECTORY has one directory for each version, with NAME.quern and NAME.json. The files
// themselves are never opened by quern, only copies. Without a second argument all is checked.
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/compat/golden_check.h"

namespace quern::golden {

namespace {

using std::filesystem::path;

std::string ReadFile(const path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void WriteFile(const path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary) << bytes;
}

// The directory for copies, removed at the end.
class Scratch {
public:
    Scratch()
        : dir_(std::filesystem::temp_directory_path() /
               ("quern_compat_" + std::to_string(getpid()))) {
        std::filesystem::create_directories(dir_);
    }
    ~Scratch() {
        std::error_code ignored;
        std::filesystem::remove_all(dir_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    std::string Copy(const std::string& bytes) {
        const path copy = dir_ / ("copy" + std::to_string(copies_++) + ".quern");
        WriteFile(copy, bytes);
        return copy.string();
    }
    void Remove(const std::string& copy) {
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(copy + suffix);
        }
    }

private:
    path dir_;
    int copies_ = 0;
};

struct GoldenPair {
    std::string name;  // version/name
    std::string bytes;
    Json answers;
};

// All pairs, sorted. A file without its partner is an error: it would be tested by nobody.
std::vector<GoldenPair> FindPairs(const path& golden) {
    std::vector<GoldenPair> pairs;
    for (const auto& version : std::filesystem::directory_iterator(golden)) {
        for (const auto& file : std::filesystem::directory_iterator(version)) {
            const path& at = file.path();
            const bool is_file = at.extension() == ".quern";
            const path partner = path(at).replace_extension(is_file ? ".json" : ".quern");
            if (!std::filesystem::exists(partner) || (!is_file && at.extension() != ".json")) {
                Die(at.string() + " belongs to no pair");
            }
            if (is_file) {
                pairs.push_back({version.path().filename().string() + "/" + at.stem().string(),
                                 ReadFile(at), Json::parse(ReadFile(partner))});
                if (pairs.back().answers.at("version") != version.path().filename().string()) {
                    Die(partner.string() + " is of another version than its directory");
                }
            }
        }
    }
    std::sort(pairs.begin(), pairs.end(),
              [](const GoldenPair& a, const GoldenPair& b) { return a.name < b.name; });
    if (pairs.empty()) {
        Die(golden.string() + ": no golden files");
    }
    return pairs;
}

void CheckReadOnly(const GoldenPair& pair, Scratch* scratch, Problems* problems) {
    problems->SetPlace(pair.name + ", read-only");
    const std::string copy = scratch->Copy(pair.bytes);
    GoldenCheck check(pair.answers, problems);
    if (check.Open(copy, "mode=ro")) {
        check.CheckShape();
        check.CheckAnswers();
        check.CheckVerify();
    }
    check.Close();
    if (ReadFile(copy) != pair.bytes) {
        problems->Add("reading changed the file");
    }
    scratch->Remove(copy);
}

// Maintenance alone changes no answer.
void CheckMaintenance(const GoldenPair& pair, Scratch* scratch, Problems* problems) {
    problems->SetPlace(pair.name + ", optimized");
    const std::string copy = scratch->Copy(pair.bytes);
    GoldenCheck check(pair.answers, problems);
    if (check.Open(copy, "mode=rw")) {
        check.OptimizeAndVacuum();
        check.CheckAnswers();
        check.CheckVerify();
    }
    check.Close();
    scratch->Remove(copy);
}

void CheckChanges(const GoldenPair& pair, Scratch* scratch, Problems* problems) {
    const std::string copy = scratch->Copy(pair.bytes);
    GoldenCheck check(pair.answers, problems);
    problems->SetPlace(pair.name + ", changed");
    if (!check.Open(copy, "mode=rw")) {
        return;
    }
    check.ChangeRecords();
    check.CheckAnswers();
    check.CheckVerify();
    problems->SetPlace(pair.name + ", schema changed");
    check.ChangeSchema();
    check.CheckAnswers();
    check.CheckVerify();
    problems->SetPlace(pair.name + ", changed and optimized");
    check.OptimizeAndVacuum();
    check.CheckAnswers();
    check.CheckVerify();
    problems->SetPlace(pair.name + ", changed and reopened");
    if (check.Open(copy, "mode=ro")) {
        check.CheckAnswers();
        check.CheckVerify();
    }
    check.Close();
    scratch->Remove(copy);
}

// ---- Files with features that this version does not know ----

constexpr size_t kPageBytes = 16384;
constexpr size_t kPageContent = 16320;

// Sets bit 0 of a row of quern_format. In SQLite's format the row is a header of four bytes (its
// size; NULL for the id, which is the row id; the length of the name; the type of the value) and
// then the name. The types 8 and 9 are the numbers 0 and 1, which need no further bytes.
std::string WithFeatureBit(std::string file, const std::string& row, size_t* page) {
    const std::string header = {4, 0, static_cast<char>(13 + 2 * row.size())};
    const size_t at = file.find(header + '\x08' + row);
    if (at == std::string::npos) {
        Die("there is no row '" + row + "' in quern_format");
    }
    file[at + 3] = '\x09';
    *page = at / kPageBytes;
    char* content = file.data() + *page * kPageBytes;
    const XXH64_hash_t hash = XXH3_64bits_withSeed(content, kPageContent, *page + 1);
    for (int i = 0; i < 8; i++) {
        content[kPageContent + i] = static_cast<char>(hash >> (8 * i));
    }
    return file;
}

void CheckFeature(const GoldenPair& pair, const char* row, int32_t wanted_ro, int32_t wanted_rw,
                  Scratch* scratch, Problems* problems) {
    size_t page = 0;
    const std::string copy = scratch->Copy(WithFeatureBit(pair.bytes, row, &page));
    for (const bool writing : {false, true}) {
        problems->SetPlace(pair.name + ", " + row + " bit, " + (writing ? "rw" : "ro"));
        quern_error err = QUERN_ERROR_INIT;
        quern_db* db = nullptr;
        const int32_t status = quern_open(copy.c_str(), writing ? "mode=rw" : "mode=ro", &db, &err);
        quern_close(db);
        const int32_t wanted = writing ? wanted_rw : wanted_ro;
        if (status != wanted) {
            problems->Add(std::string("open gave ") + quern_status_name(status) + " instead of " +
                          quern_status_name(wanted) + " (" + err.message + ")");
        }
        if (wanted == QUERN_OK) {
            GoldenCheck check(pair.answers, problems);
            if (check.Open(copy, writing ? "mode=rw" : "mode=ro")) {
                check.CheckAnswers();
                check.CheckVerify();
            }
        }
    }
    scratch->Remove(copy);
}

}  // namespace

int Run(const path& golden, const std::string& what) {
    const std::vector<GoldenPair> pairs = FindPairs(golden);
    Scratch scratch;
    Problems problems;
    for (const GoldenPair& pair : pairs) {
        if (what != "features") {
            CheckReadOnly(pair, &scratch, &problems);
            CheckMaintenance(pair, &scratch, &problems);
            CheckChanges(pair, &scratch, &problems);
        }
        if (what != "answers") {
            CheckFeature(pair, "compatible", QUERN_OK, QUERN_OK, &scratch, &problems);
            CheckFeature(pair, "read_only_compatible", QUERN_OK, QUERN_ERR_NEWER, &scratch,
                         &problems);
            CheckFeature(pair, "incompatible", QUERN_ERR_NEWER, QUERN_ERR_NEWER, &scratch,
                         &problems);
        }
    }
    std::printf("%zu golden files, %zu problems\n", pairs.size(), problems.count());
    return problems.count() == 0 ? 0 : 1;
}

}  // namespace quern::golden

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: quern_compat GOLDEN_DIRECTORY [answers|features]\n");
        return 2;
    }
    try {
        return quern::golden::Run(argv[1], argc > 2 ? argv[2] : "");
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

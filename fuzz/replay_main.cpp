// Runs fuzz targets without a fuzzing engine: every file of a corpus once, in any build.
//
//   quern_fuzz_replay TARGET [--mutate N] [--seed S] FOLDER|FILE...
//
// --mutate also runs N changed copies of each: no search as a fuzzing engine makes it, but it runs
// everywhere. A crash leaves the input in crash-TARGET.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "storage/base/hash.h"

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __asan_set_death_callback(void (*callback)());
#endif

#define QUERN_TARGET(name) extern "C" int QuernFuzz_##name(const uint8_t* data, size_t size);
#define QUERN_MUTATED_TARGET(name)                                                    \
    QUERN_TARGET(name)                                                                \
    extern "C" size_t QuernMutate_##name(uint8_t* data, size_t size, size_t size_max, \
                                         unsigned seed);
#include "fuzz_targets.inc"
#undef QUERN_TARGET
#undef QUERN_MUTATED_TARGET

// What targets with a mutator of their own call; libFuzzer has one, too.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

namespace {

constexpr size_t kInputMax = 1 << 20;
constexpr size_t kGrowth = 256;  // bytes that a changed copy may have more
constexpr unsigned kSecondsOfAnInput = 120;

struct Target {
    const char* name;
    int (*run)(const uint8_t*, size_t);
    size_t (*mutate)(uint8_t*, size_t, size_t, unsigned);
};
constexpr Target kTargets[] = {
#define QUERN_TARGET(name) {#name, QuernFuzz_##name, nullptr},
#define QUERN_MUTATED_TARGET(name) {#name, QuernFuzz_##name, QuernMutate_##name},
#include "fuzz_targets.inc"
};

using Input = std::vector<uint8_t>;

// What a crash leaves behind.
const char* the_target = "";
Input the_input;

void KeepInput() {
    std::ofstream out(std::string("crash-") + the_target, std::ios::binary);
    out.write(reinterpret_cast<const char*>(the_input.data()),
              static_cast<std::streamsize>(the_input.size()));
    out.close();
    std::fprintf(stderr, "the input is in crash-%s\n", the_target);
}
void OnSignal(int number) {
    std::signal(number, SIG_DFL);
    KeepInput();
    std::raise(number);
}

uint64_t random_state = 1;
size_t Below(size_t n) {
    random_state = quern::MixSeed(random_state, 11);
    return n == 0 ? 0 : static_cast<size_t>(random_state % n);
}

void Run(const Target& target, Input input) {
    the_input = std::move(input);
    alarm(kSecondsOfAnInput);
    // In memory of exactly its size, so that a sanitizer sees a read beyond it.
    const Input copy(the_input);
    target.run(copy.data(), copy.size());
    alarm(0);
}

void Mutate(const Target& target, Input* input) {
    const size_t size = input->size();
    const size_t size_max = std::min(kInputMax, size + kGrowth);
    input->resize(size_max + 1);
    size_t now = size;
    for (size_t i = 0; i <= Below(4); i++) {
        now = target.mutate != nullptr ? target.mutate(input->data(), now, size_max,
                                                       static_cast<unsigned>(Below(1u << 31)))
                                       : LLVMFuzzerMutate(input->data(), now, size_max);
    }
    input->resize(now);
}

std::vector<std::filesystem::path> FilesOf(const std::string& path) {
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(path)) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
            if (entry.is_regular_file()) {
                files.push_back(entry.path());
            }
        }
    } else {
        files.emplace_back(path);
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

// A bit, a byte, a stretch put in, taken out or repeated.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max) {
    if (size == 0 || Below(5) == 0) {
        if (size >= size_max) {
            return size;
        }
        const size_t at = Below(size + 1);
        std::memmove(data + at + 1, data + at, size - at);
        data[at] = static_cast<uint8_t>(Below(256));
        return size + 1;
    }
    const size_t at = Below(size);
    const size_t count = 1 + Below(std::min<size_t>(size - at, 16));
    switch (Below(5)) {
        case 0: data[at] = static_cast<uint8_t>(data[at] ^ (1u << Below(8))); return size;
        case 1: data[at] = static_cast<uint8_t>(Below(256)); return size;
        case 2: data[at] = Below(2) == 0 ? 0xff : 0x7f; return size;
        case 3:
            if (size + count <= size_max) {
                std::memmove(data + at + count, data + at, size - at);
                return size + count;
            }
            return size;
        default:
            if (size > count) {
                std::memmove(data + at, data + at + count, size - at - count);
                return size - count;
            }
            return size;
    }
}

int main(int argc, char** argv) {
    const Target* target = nullptr;
    for (const Target& each : kTargets) {
        if (argc >= 2 && std::strcmp(argv[1], each.name) == 0) {
            target = &each;
        }
    }
    if (target == nullptr) {
        std::fprintf(stderr,
                     "usage: quern_fuzz_replay TARGET [--mutate N] [--seed S] FOLDER|FILE...\n"
                     "targets:");
        for (const Target& each : kTargets) {
            std::fprintf(stderr, " %s", each.name);
        }
        std::fprintf(stderr, "\n");
        return 2;
    }
    the_target = target->name;
#if defined(__SANITIZE_ADDRESS__)
    __asan_set_death_callback(KeepInput);
    std::signal(SIGALRM, OnSignal);
#else
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGALRM}) {
        std::signal(number, OnSignal);
    }
#endif
    size_t mutations = 0;
    std::vector<std::filesystem::path> files;
    for (int i = 2; i < argc; i++) {
        const std::string word = argv[i];
        if (word == "--mutate" && i + 1 < argc) {
            mutations = std::strtoull(argv[++i], nullptr, 10);
        } else if (word == "--seed" && i + 1 < argc) {
            random_state = std::strtoull(argv[++i], nullptr, 10);
        } else if (!std::filesystem::exists(word)) {
            std::fprintf(stderr, "quern_fuzz_replay: there is no %s\n", word.c_str());
            return 2;
        } else {
            const auto more = FilesOf(word);
            files.insert(files.end(), more.begin(), more.end());
        }
    }
    size_t runs = 1;
    Run(*target, {});
    for (const auto& file : files) {
        std::ifstream in(file, std::ios::binary);
        const Input input((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        Run(*target, input);
        for (size_t i = 0; i < mutations; i++) {
            Input changed = input;
            Mutate(*target, &changed);
            Run(*target, std::move(changed));
        }
        runs += 1 + mutations;
    }
    std::printf("%s: %zu files, %zu runs\n", target->name, files.size(), runs);
    return files.empty() ? 1 : 0;
}

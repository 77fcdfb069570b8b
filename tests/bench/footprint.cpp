// What a database costs when nobody searches it: size on disk, time and memory to open, and both
// under a stream of small commits.
//
//   bench_footprint [--dir DIR] [--records 1000000] [--dim 128] [--singles 1000000] [--durability
//   full|relaxed] [--svg FILE]
//
// Part one loads records in batches, optimizes, and reports the size beside the raw bytes; then a
// child-like fresh open is timed. Part two inserts single records and prints resident memory, file
// and log sizes along the way.
#include "bench_support.h"
#include "footprint_curve.h"

#include <sys/wait.h>
#include <unistd.h>

namespace {

struct Target {
    quern_db* db = nullptr;
    quern_error err = QUERN_ERROR_INIT;
    size_t dim = 0;
    Target(const std::string& path, const std::string& options, size_t d) : dim(d) {
        bench::Check(quern_open(path.c_str(), options.c_str(), &db, &err), err, "open");
    }
    ~Target() { quern_close(db); }
    void Create() {
        quern_schema* schema = quern_schema_new();
        quern_schema_attr(schema, "year", QUERN_INT, nullptr);
        quern_schema_attr(schema, "price", QUERN_REAL, nullptr);
        quern_schema_attr(schema, "title", QUERN_TEXT, nullptr);
        quern_schema_dense(schema, "emb", dim, QUERN_L2, "index=none");
        bench::Check(quern_create(db, "docs", schema, &err), err, "create");
        quern_schema_free(schema);
    }
    // Returns the raw bytes of keys, attributes and vectors.
    uint64_t Insert(int64_t first, size_t count, const float* vectors) {
        std::vector<int64_t> keys;
        std::vector<int64_t> years;
        std::vector<double> prices;
        std::vector<std::string> titles;
        std::vector<const char*> pointers;
        uint64_t raw = 0;
        for (size_t i = 0; i < count; i++) {
            keys.push_back(first + static_cast<int64_t>(i));
            years.push_back(1900 + keys.back() % 125);
            prices.push_back(static_cast<double>(keys.back()) * 0.25);
            titles.push_back("the title of record number " + std::to_string(keys.back()));
            raw += 8 + 8 + 8 + titles.back().size() + dim * sizeof(float);
        }
        for (const std::string& title : titles) {
            pointers.push_back(title.c_str());
        }
        quern_batch* batch = quern_batch_new(db, "docs", count);
        quern_batch_key_int(batch, keys.data());
        quern_batch_int(batch, "year", years.data(), nullptr);
        quern_batch_real(batch, "price", prices.data(), nullptr);
        quern_batch_text(batch, "title", pointers.data(), nullptr);
        quern_batch_dense(batch, "emb", vectors, dim, nullptr);
        bench::Check(quern_insert(batch, nullptr, &err), err, "insert");
        quern_batch_free(batch);
        return raw;
    }
    int64_t Stat(int32_t which) {
        int64_t value = 0;
        bench::Check(quern_stat(db, which, &value, &err), err, "stat");
        return value;
    }
};

// Opens the file in a process of its own, so that nothing of this one's memory counts.
void MeasureOpen(const std::string& path) {
    std::vector<double> times;
    std::vector<double> grown;
    for (int round = 0; round < 5; round++) {
        int pipe_ends[2];
        if (pipe(pipe_ends) != 0) {
            return;
        }
        std::fflush(stdout);
        const pid_t child = fork();
        if (child == 0) {
            // A fresh image: the parent's heap must not count.
            dup2(pipe_ends[1], 1);
            execl("/proc/self/exe", "bench_footprint", "--open-only", path.c_str(), nullptr);
            _exit(127);
        }
        close(pipe_ends[1]);
        char line[128] = {};
        const ssize_t got = read(pipe_ends[0], line, sizeof line - 1);
        close(pipe_ends[0]);
        waitpid(child, nullptr, 0);
        double milliseconds = 0;
        double mib = 0;
        if (got > 0 && std::sscanf(line, "%lf %lf", &milliseconds, &mib) == 2) {
            times.push_back(milliseconds);
            grown.push_back(mib);
        }
    }
    std::printf("open and count: %.1f ms, %.1f MiB resident more (medians of %zu processes)\n",
                bench::Median(times), bench::Median(grown), times.size());
}

int OpenOnly(const char* path) {
    const double before = bench::ResidentMiB();
    const auto start = bench::Clock::now();
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    uint64_t count = 0;
    bench::Check(quern_open(path, "mode=rw", &db, &err), err, "open");
    bench::Check(quern_count(db, "docs", nullptr, &count, &err), err, "count");
    const double took = bench::SecondsSince(start) * 1e3;
    std::printf("%f %f\n", took, bench::ResidentMiB() - before);
    std::fflush(stdout);
    quern_close(db);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "--open-only") == 0) {
        return OpenOnly(argv[2]);
    }
    const std::string path = bench::Argument(argc, argv, "--dir", ".") + "/bench_footprint.db";
    const auto records = static_cast<size_t>(
        std::atoll(bench::Argument(argc, argv, "--records", "1000000").c_str()));
    const auto dim =
        static_cast<size_t>(std::atoll(bench::Argument(argc, argv, "--dim", "128").c_str()));
    const auto singles = static_cast<size_t>(
        std::atoll(bench::Argument(argc, argv, "--singles", "1000000").c_str()));
    const std::string durability = bench::Argument(argc, argv, "--durability", "full");
    constexpr size_t kBatch = 20000;
    const std::vector<float> vectors = bench::NormalVectors(kBatch, dim, 7);

    if (records > 0) {
        bench::RemoveDatabase(path);
        uint64_t raw = 0;
        {
            Target target(path, "", dim);
            target.Create();
            for (size_t first = 0; first < records; first += kBatch) {
                raw += target.Insert(static_cast<int64_t>(first), std::min(kBatch, records - first),
                                     vectors.data());
            }
            bench::Check(quern_optimize(target.db, nullptr, 0, &target.err), target.err,
                         "optimize");
        }
        const double raw_mib = static_cast<double>(raw) / 1048576.0;
        std::printf("%zu records of %zu random f32 (which do not compress) + key + 3 attributes\n",
                    records, dim);
        std::printf("file %.1f MiB, raw %.1f MiB, ratio %.3f\n", bench::FileMiB(path), raw_mib,
                    bench::FileMiB(path) / raw_mib);
        MeasureOpen(path);
        bench::RemoveDatabase(path);
    }
    if (singles > 0) {
        std::printf("\n%zu inserts of one record each, durability=%s\n", singles,
                    durability.c_str());
        std::printf("%10s %10s %10s %10s %10s %12s\n", "records", "rss MiB", "file MiB", "wal MiB",
                    "segments", "inserts/s");
        bench::RemoveDatabase(path);
        Target target(path, "durability=" + durability, dim);
        target.Create();
        auto start = bench::Clock::now();
        const size_t step = std::max<size_t>(singles / 20, 1);
        double wal_most = 0;
        std::vector<bench::FootprintPoint> points;
        for (size_t i = 0; i < singles; i++) {
            target.Insert(static_cast<int64_t>(i), 1, vectors.data() + i % kBatch * dim);
            if (i % 1000 == 0) {
                wal_most = std::max(wal_most, bench::FileMiB(path + "-wal"));
            }
            if ((i + 1) % step == 0) {
                std::printf("%10zu %10.1f %10.1f %10.1f %10lld %12.0f\n", i + 1,
                            bench::ResidentMiB(), bench::FileMiB(path), wal_most,
                            static_cast<long long>(target.Stat(QUERN_STAT_SEGMENTS)),
                            static_cast<double>(step) / bench::SecondsSince(start));
                std::fflush(stdout);
                points.push_back({static_cast<double>(i + 1), bench::ResidentMiB(),
                                  bench::FileMiB(path), wal_most});
                wal_most = 0;
                start = bench::Clock::now();
            }
        }
        const std::string picture = bench::Argument(argc, argv, "--svg", "");
        if (!picture.empty() && !bench::WriteFootprintSvg(picture, points)) {
            std::fprintf(stderr, "%s cannot be written\n", picture.c_str());
            return 1;
        }
    }
    bench::RemoveDatabase(path);
    return 0;
}

// Chunks of a part on several threads: one reads from the file, all of them take.
#include <condition_variable>
#include <deque>
#include <mutex>

#include "storage/base/parallel.h"
#include "storage/chunk_store.h"

namespace quern::storage {

namespace {

// What is read goes from hand to hand in bundles, so that small chunks cost no switch each.
constexpr size_t kBundleBytes = 256 << 10;
constexpr size_t kBundlesMax = 8;  // waiting

struct Bundle {
    size_t first = 0;
    Bytes bytes;
    std::vector<size_t> ends;  // of each chunk in bytes
};

class BundleQueue {
public:
    explicit BundleQueue(std::function<Status(size_t, BytesView)> take) : take_(std::move(take)) {}

    // Hands a bundle to somebody. When all hands are full this thread takes one itself.
    Status Give(Bundle bundle) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (waiting_.size() < kBundlesMax) {
            waiting_.push_back(std::move(bundle));
            lock.unlock();
            wake_.notify_one();
            return {};
        }
        lock.unlock();
        return Take(bundle);
    }
    // Nothing more comes, or something failed.
    void End() {
        std::lock_guard<std::mutex> lock(mutex_);
        ended_ = true;
        wake_.notify_all();
    }
    // Takes what is given until the end.
    Status Work() {
        while (true) {
            Bundle bundle;
            {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return ended_ || !waiting_.empty(); });
                if (waiting_.empty() || failed_) {
                    return {};
                }
                bundle = std::move(waiting_.front());
                waiting_.pop_front();
            }
            const Status status = Take(bundle);
            if (!status.ok()) {
                std::lock_guard<std::mutex> lock(mutex_);
                failed_ = true;
                return status;
            }
        }
    }
    bool failed() {
        std::lock_guard<std::mutex> lock(mutex_);
        return failed_;
    }

private:
    Status Take(const Bundle& bundle) {
        size_t start = 0;
        for (size_t i = 0; i < bundle.ends.size(); i++) {
            QUERN_TRY(take_(bundle.first + i,
                            BytesView(bundle.bytes).substr(start, bundle.ends[i] - start)));
            start = bundle.ends[i];
        }
        return {};
    }

    std::function<Status(size_t, BytesView)> take_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Bundle> waiting_;
    bool ended_ = false;
    bool failed_ = false;
};

}  // namespace

Status ForChunksOnThreads(Connection* connection, const PartInfo& part, size_t first, size_t last,
                          int threads,
                          const std::function<Status(size_t chunk, BytesView stored)>& take) {
    uint64_t stored = 0;
    for (size_t chunk = first; chunk < last; chunk++) {
        stored += part.chunks[chunk].stored_bytes;
    }
    // Starting threads costs more than a few chunks do.
    if (threads <= 1 || stored < 4 * kBundleBytes) {
        return ForChunks(connection, part, first, last, take);
    }
    BundleQueue queue(take);
    return RunOnThreads(threads, [&](int worker) -> Status {
        if (worker != 0) {
            return queue.Work();
        }
        // Whatever happens here, the others must not wait for ever.
        struct Ending {
            BundleQueue* queue;
            ~Ending() { queue->End(); }
        } ending{&queue};
        Bundle bundle;
        Status status =
            ForChunks(connection, part, first, last, [&](size_t chunk, BytesView bytes) -> Status {
                if (bundle.ends.empty()) {
                    bundle.first = chunk;
                }
                bundle.bytes.append(bytes);
                bundle.ends.push_back(bundle.bytes.size());
                if (bundle.bytes.size() >= kBundleBytes) {
                    QUERN_TRY(queue.Give(std::move(bundle)));
                    bundle = Bundle();
                }
                // A worker's own status says what went wrong.
                return queue.failed() ? Status::Error(Code::kInterrupted, "load: given up")
                                      : Status();
            });
        if (status.ok() && !bundle.ends.empty()) {
            status = queue.Give(std::move(bundle));
        }
        queue.End();
        const Status rest = queue.Work();
        return status.ok() || queue.failed() ? rest : status;
    });
}

Status ReadChunks(Connection* connection, const PartInfo& part, size_t first, size_t last,
                  int threads, char* out) {
    const size_t chunk_bytes = static_cast<size_t>(part.chunk_items) * part.item_bytes;
    return ForChunksOnThreads(
        connection, part, first, last, threads, [&](size_t chunk, BytesView stored) {
            return DecodeChunk(part, chunk, stored, out + (chunk - first) * chunk_bytes);
        });
}

}  // namespace quern::storage

// Runs a function on several threads; the caller's thread is one of them.
#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "storage/base/status.h"

namespace quern {

// body(worker) for worker = 0 .. threads-1, worker 0 on this thread. The first error wins. If a
// thread cannot be started, fewer run: body must share out work by a counter, not by worker number
// alone.
inline Status RunOnThreads(int threads, const std::function<Status(int)>& body) {
    std::vector<std::thread> others;
    std::mutex mutex;
    Status first;
    auto run = [&](int worker) {
        Status status;
        try {
            status = body(worker);
        } catch (const std::bad_alloc&) {
            status = Status::Error(Code::kNoMem, "out of memory");
        }
        if (!status.ok()) {
            std::lock_guard<std::mutex> lock(mutex);
            if (first.ok()) {
                first = status;
            }
        }
    };
    for (int worker = 1; worker < threads; worker++) {
        try {
            others.emplace_back(run, worker);
        } catch (const std::system_error&) {
            break;
        } catch (const std::bad_alloc&) {
            break;  // those that run already must be waited for
        }
    }
    run(0);
    for (std::thread& thread : others) {
        thread.join();
    }
    return first;
}

}  // namespace quern

// For destructors, and for what has to be done however a block is left.
#pragma once

#include <new>
#include <utility>

namespace quern {

// Runs something when the block is left, by an exception as well.
template <typename Body>
class AtEnd {
public:
    explicit AtEnd(Body body) : body_(std::move(body)) {}
    ~AtEnd() {
        if (armed_) {
            body_();
        }
    }
    AtEnd(const AtEnd&) = delete;
    AtEnd& operator=(const AtEnd&) = delete;
    void Disarm() { armed_ = false; }

private:
    Body body_;
    bool armed_ = true;
};

// Runs what only tidies up: without memory it is left for the next time, and nobody is told.
template <typename Body>
void Try(Body body) {
    try {
        body();
    } catch (const std::bad_alloc&) {
    }
}

}  // namespace quern

#include "tests/faults/strike.h"

#include <atomic>

namespace quern::faults {

namespace {

// Memory fails in here, too: nothing of this allocates.
std::atomic<Kind> armed{Kind::kNone};
std::atomic<int64_t> seen{0};
std::atomic<int64_t> fails_at{0};
std::atomic<bool> stays{false};
std::atomic<bool> hit{false};
thread_local int exempt = 0;

constexpr const char* kNames[] = {
    "none",     "read",   "short read", "write",  "short write", "full",      "sync",
    "truncate", "open",   "lock",       "busy",   "size",        "index map", "index busy",
    "delete",   "access", "new",        "sqlite", "zstd",        "aligned",   "thread"};
static_assert(sizeof kNames / sizeof kNames[0] == static_cast<size_t>(Kind::kCount));

}  // namespace

const char* Name(Kind kind) {
    return kNames[static_cast<size_t>(kind)];
}

void Arm(Kind kind, int64_t at, bool sticky) {
    seen = 0;
    fails_at = at;
    stays = sticky;
    hit = false;
    armed = kind;
}

int64_t Disarm() {
    armed = Kind::kNone;
    return seen;
}

bool WasHit() {
    return hit;
}

bool Strike(Kind kind) {
    if (armed.load(std::memory_order_relaxed) != kind || exempt > 0) {
        return false;
    }
    const int64_t number = ++seen;
    const bool fails = stays ? number >= fails_at : number == fails_at;
    if (fails) {
        hit = true;
    }
    return fails;
}

Exempt::Exempt() {
    exempt++;
}
Exempt::~Exempt() {
    exempt--;
}

}  // namespace quern::faults

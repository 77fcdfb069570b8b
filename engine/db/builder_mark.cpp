#include "engine/db/builder_mark.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <mutex>
#include <set>

namespace quern {

namespace {

std::mutex marks_mutex;
std::set<std::string>& LiveMarks() {
    static std::set<std::string> marks;
    return marks;
}

std::string BootId() {
    std::ifstream file("/proc/sys/kernel/random/boot_id");
    std::string id;
    file >> id;
    return id.empty() ? "boot" : id;
}

// Clock ticks from boot to the start of a process: tells a process from a later one with the same
// number. 0 when unknown.
unsigned long long StartTime(long pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    // A process that ends meanwhile makes the read fail, which is no exception for getline.
    std::string text;
    std::getline(file, text, '\0');
    // The second field is the name in parentheses, which may hold anything; the start time is
    // field 22.
    const size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) {
        return 0;
    }
    size_t at = name_end + 1;
    for (int field = 2; field < 21 && at != std::string::npos; field++) {
        at = text.find(' ', at + 1);
    }
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 1, nullptr, 10);
}

std::string Prefix(long pid) {
    return BootId() + "/" + std::to_string(pid) + "/" + std::to_string(StartTime(pid)) + "/";
}

}  // namespace

BuilderMark::BuilderMark() {
    static unsigned long long serial = 0;
    const std::string prefix = Prefix(getpid());
    std::lock_guard<std::mutex> lock(marks_mutex);
    text_ = prefix + std::to_string(++serial);
    LiveMarks().insert(text_);
}

BuilderMark::~BuilderMark() {
    std::lock_guard<std::mutex> lock(marks_mutex);
    LiveMarks().erase(text_);
}

bool BuilderIsDead(const std::string& mark) {
    char boot[64];
    long pid = 0;
    if (std::sscanf(mark.c_str(), "%63[^/]/%ld/", boot, &pid) != 2 || pid <= 0) {
        return true;
    }
    if (pid == getpid()) {
        std::lock_guard<std::mutex> lock(marks_mutex);
        return LiveMarks().count(mark) == 0;
    }
    if (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH) {
        return true;
    }
    const std::string prefix = Prefix(pid);
    return mark.compare(0, prefix.size(), prefix) != 0;
}

}  // namespace quern

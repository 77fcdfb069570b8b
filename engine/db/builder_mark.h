// Marks of those who build segments. A segment under construction carries the mark of its builder,
// so that what a killed process left behind can be told from what a living one is working on.
//
// A mark names boot, process, its start time and a serial number of the build. A wrong "dead" does
// no harm: publishing a segment fails cleanly when somebody has swept it away.
#pragma once

#include <string>

namespace quern {

// A new mark, alive until this object is gone. Thread-safe.
class BuilderMark {
public:
    BuilderMark();
    ~BuilderMark();
    BuilderMark(const BuilderMark&) = delete;
    BuilderMark& operator=(const BuilderMark&) = delete;
    const std::string& text() const { return text_; }

private:
    std::string text_;
};

// True when no living process builds under this mark.
bool BuilderIsDead(const std::string& mark);

}  // namespace quern

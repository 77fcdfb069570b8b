// Random walks of sessions, each in one of the worlds.
#include <algorithm>
#include <cstdio>

#include "tests/sessions/session_walk.h"
#include "tests/sessions/topics.h"
#include "tests/sessions/violation.h"

namespace sessions {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kSteps = 60;
#else
constexpr size_t kSteps = 250;
#endif

// Whether nothing was broken.
bool OneWalk(const World& world, const Arguments& arguments, uint64_t seed, size_t steps,
             size_t* looks) {
    const std::string path = FreshFile(arguments, world.name);
    const WorldLevel level(world);
    size_t step = 0;
    std::string last = "open";
    bool ok = true;
    try {
        SessionWalk walk(world, path, seed);
        try {
            walk.Fill(240);
            for (; step < steps; step++) {
                walk.Step();
            }
            walk.CheckAll();
            *looks += walk.looks();
        } catch (const Violation&) {
            last = walk.last();
            throw;
        }
    } catch (const Violation& violation) {
        std::printf(
            "VIOLATION: %s\n  at step %zu (%s); again: quern_sessions model --world %s --seed %llu "
            "--count 1 --steps %zu\n",
            violation.what(), step, last.c_str(), world.name.c_str(),
            static_cast<unsigned long long>(seed), steps);
        ok = false;
    }
    RemoveFile(path);
    return ok;
}

}  // namespace

int RunModel(const Arguments& arguments) {
    std::vector<World> worlds = Worlds();
    if (!arguments.world.empty()) {
        std::vector<World> chosen;
        std::copy_if(worlds.begin(), worlds.end(), std::back_inserter(chosen),
                     [&](const World& world) { return world.name == arguments.world; });
        if (chosen.empty()) {
            std::printf("there is no world %s\n", arguments.world.c_str());
            return 1;
        }
        worlds = chosen;
    }
    const size_t count = arguments.count > 0 ? arguments.count : 2 * worlds.size();
    const size_t steps = arguments.steps > 0 ? arguments.steps : kSteps;
    size_t looks = 0;
    int violations = 0;
    for (size_t i = 0; i < count; i++) {
        violations +=
            OneWalk(worlds[i % worlds.size()], arguments, arguments.seed + i, steps, &looks) ? 0
                                                                                             : 1;
        std::fflush(stdout);
    }
    std::printf(
        "%zu sequences of %zu operations in %zu worlds, %zu of them questions: %d violations\n",
        count, steps, worlds.size(), looks, violations);
    return violations;
}

}  // namespace sessions

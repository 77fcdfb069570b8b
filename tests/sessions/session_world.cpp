#include "tests/sessions/session_world.h"

#include "engine/kernels/simd_level.h"
#include "tests/sessions/violation.h"

namespace sessions {

std::vector<World> Worlds() {
    // Small thresholds, so that seals, merges and indexes happen all the time.
    const std::string small = "seal_rows=40 seal_kb=8 busy_ms=2000 ";
    const IndexOptions graphs = {"index=graph codes=f32", "index=graph codes=i8",
                                 "index=graph codes=4bit"};
    const IndexOptions lists = {"index=lists lists=9", "index=lists codes=f32",
                                "index=lists codes=4bit"};
    const IndexOptions none = {"index=none", "index=none", "index=none"};
    std::vector<World> worlds = {
        {"graphs", small + "threads=1", graphs},
        {"lists", small + "threads=1", lists},
        {"memory", small + "threads=1", lists, true},
        {"restart", small + "threads=1", graphs, false, true},
        {"readers", small + "threads=1", lists, false, false, true},
        {"relaxed", small + "threads=1 durability=relaxed", graphs},
        {"threads", small + "threads=2", graphs},
        {"background", small + "threads=2 maintenance=background", lists},
        {"log",
         "seal_rows=100000 busy_ms=2000 threads=1 maintenance=off",
         {"index=none", "index=none", "index=none"}},
        {"one_row", "seal_rows=1 busy_ms=2000 threads=1", none},
        {"little_memory",
         small + "threads=1 memory_mb=1 cache_mb=0",
         {"index=graph codes=1bit fine=disk", "index=lists", "index=graph codes=pq fine=disk"}},
        {"disk",
         small + "threads=1 cache_mb=0",
         {"index=graph codes=lvq8 fine=disk", "index=graph codes=lvq4 fine=disk",
          "index=graph codes=packed fine=disk"}},
    };
    const std::vector<std::string> levels = quern::kernels::SimdLevels();
    for (size_t i = 0; i < levels.size(); i++) {
        World world = worlds[i % 2];
        world.name = "simd_" + levels[i];
        world.simd = levels[i];
        worlds.push_back(world);
    }
    return worlds;
}

WorldLevel::WorldLevel(const World& world) {
    Want(world.simd.empty() || quern::kernels::SetSimdLevel(world.simd.c_str()),
         "there is no level " + world.simd);
}

WorldLevel::~WorldLevel() {
    quern::kernels::SetSimdLevel(nullptr);
}

}  // namespace sessions

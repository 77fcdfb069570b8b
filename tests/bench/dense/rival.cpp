#include "tests/bench/dense/rival.h"

#include <stdexcept>

namespace bench {

void Rival::Insert(const float*, size_t, uint32_t) {
    throw std::logic_error("this engine does not insert");
}

std::vector<RivalKind> AllRivals() {
    std::vector<RivalKind> kinds;
    AddQuernRivals(&kinds);
    AddHnswlibRival(&kinds);
    AddFaissRivals(&kinds);
    AddSignsRival(&kinds);
    AddExactRival(&kinds);
    return kinds;
}

size_t EffortValue(const std::string& effort, const std::string& key) {
    const std::string words = " " + effort;
    const size_t at = words.find(" " + key + "=");
    if (at == std::string::npos) {
        throw std::logic_error("effort '" + effort + "' has no " + key);
    }
    return static_cast<size_t>(std::stoull(words.substr(at + key.size() + 2)));
}

std::vector<std::string> BeamEfforts() {
    std::vector<std::string> efforts;
    for (int ef : {10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448, 640, 1000}) {
        efforts.push_back("ef=" + std::to_string(ef));
    }
    return efforts;
}

}  // namespace bench

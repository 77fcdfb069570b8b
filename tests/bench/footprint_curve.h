// A picture of how memory, file and write-ahead log go along under a stream of commits: three lines
// over the number of records, one scale in MiB.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace bench {

struct FootprintPoint {
    double records = 0;
    double resident_mib = 0;
    double file_mib = 0;
    double wal_mib = 0;
};

inline bool WriteFootprintSvg(const std::string& path, const std::vector<FootprintPoint>& points) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    if (file == nullptr || points.empty()) {
        if (file != nullptr) {
            std::fclose(file);
        }
        return false;
    }
    constexpr double kLeft = 70;
    constexpr double kTop = 20;
    constexpr double kWidth = 560;
    constexpr double kHeight = 300;
    double most = 1;
    for (const FootprintPoint& point : points) {
        most = std::max({most, point.resident_mib, point.file_mib, point.wal_mib});
    }
    const double last = points.back().records;
    const auto x = [&](double records) { return kLeft + kWidth * records / last; };
    const auto y = [&](double mib) { return kTop + kHeight * (1 - mib / most); };
    std::fprintf(file,
                 "<svg xmlns='http://www.w3.org/2000/svg' width='760' height='380' "
                 "font-family='sans-serif' font-size='12'>\n"
                 "<rect width='760' height='380' fill='white'/>\n");
    for (int tick = 0; tick <= 4; tick++) {
        const double mib = most * tick / 4;
        std::fprintf(file,
                     "<line x1='%g' y1='%g' x2='%g' y2='%g' stroke='#ddd'/>"
                     "<text x='%g' y='%g' text-anchor='end'>%.0f MiB</text>\n",
                     kLeft, y(mib), kLeft + kWidth, y(mib), kLeft - 6, y(mib) + 4, mib);
        std::fprintf(file, "<text x='%g' y='%g' text-anchor='middle'>%.0f</text>\n",
                     x(last * tick / 4), kTop + kHeight + 18, last * tick / 4);
    }
    std::fprintf(file, "<text x='%g' y='%g' text-anchor='middle'>records, one commit each</text>\n",
                 kLeft + kWidth / 2, kTop + kHeight + 40);
    struct Line {
        const char* name;
        const char* colour;
        double FootprintPoint::*value;
    };
    const Line lines[] = {{"file", "#4477aa", &FootprintPoint::file_mib},
                          {"resident memory", "#cc6677", &FootprintPoint::resident_mib},
                          {"write-ahead log", "#228833", &FootprintPoint::wal_mib}};
    double legend = kTop + 14;
    for (const Line& line : lines) {
        std::fprintf(file, "<polyline fill='none' stroke='%s' stroke-width='2' points='",
                     line.colour);
        for (const FootprintPoint& point : points) {
            std::fprintf(file, "%.1f,%.1f ", x(point.records), y(point.*line.value));
        }
        std::fprintf(file, "'/>\n<text x='%g' y='%g' fill='%s'>%s</text>\n", kLeft + 10, legend,
                     line.colour, line.name);
        legend += 16;
    }
    std::fprintf(file, "</svg>\n");
    return std::fclose(file) == 0;
}

}  // namespace bench

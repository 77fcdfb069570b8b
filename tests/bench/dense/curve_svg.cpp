#include "tests/bench/dense/curve_svg.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace bench {
namespace {

constexpr double kWidth = 900;
constexpr double kHeight = 540;
constexpr double kLeft = 78;
constexpr double kRight = 270;  // the legend's
constexpr double kTop = 64;
constexpr double kBottom = 58;
constexpr double kRecallMin = 0.8;
// What is missing to recall 1 is shown with this added, which gives 1 itself a place.
constexpr double kRecallGap = 0.0005;
constexpr double kRecallTicks[] = {0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1};
constexpr double kFrameTop = kTop;
constexpr double kFrameBottom = kHeight - kBottom;
constexpr double kFrameRight = kWidth - kRight;

// Told apart by most eyes, whatever their colour vision (after Okabe and Ito), and by marker too.
constexpr const char* kColours[] = {"#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00",
                                    "#56b4e9", "#000000", "#7a5195", "#8c8c8c", "#a05a2c"};
constexpr int kMarkers = 4;

void Append(std::string* to, const char* format, ...) __attribute__((format(printf, 2, 3)));
void Append(std::string* to, const char* format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    *to += text;
}

std::string Escape(const std::string& text) {
    std::string out;
    for (const char c : text) {
        out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : std::string(1, c);
    }
    return out;
}

double RecallX(double recall) {
    const auto spread = [](double r) { return std::log(1 - r + kRecallGap); };
    const double share = (spread(kRecallMin) - spread(recall)) / (spread(kRecallMin) - spread(1));
    return kLeft + share * (kFrameRight - kLeft);
}

class SpeedAxis {
public:
    explicit SpeedAxis(const std::vector<CurveLine>& lines) {
        double least = 1e30;
        double most = 1;
        for (const CurveLine& line : lines) {
            for (const Point* point : line.front) {
                if (point->recall >= kRecallMin) {
                    least = std::min(least, point->CpuQps());
                    most = std::max(most, point->CpuQps());
                }
            }
        }
        least = std::min(least, most);
        for (double decade = 1e-3; decade < 1e9; decade *= 10) {
            for (const double step : {1.0, 2.0, 5.0}) {
                const double value = decade * step;
                if (value * 2.51 >= least && value <= most * 2.51) {
                    ticks_.push_back(value);
                }
            }
        }
    }
    double Y(double speed) const {
        const double share =
            std::log(speed / ticks_.front()) / std::log(ticks_.back() / ticks_.front());
        return kFrameBottom - share * (kFrameBottom - kFrameTop);
    }
    const std::vector<double>& ticks() const { return ticks_; }

private:
    std::vector<double> ticks_;  // 1, 2, 5, 10, ... around all that is drawn
};

// With a comma between thousands.
std::string SpeedText(double value) {
    char digits[64];
    std::snprintf(digits, sizeof digits, "%.15g", value);
    const std::string plain = digits;
    if (value < 1000) {
        return plain;
    }
    std::string text;
    for (size_t i = 0; i < plain.size(); i++) {
        if (i > 0 && (plain.size() - i) % 3 == 0) {
            text += ',';
        }
        text += plain[i];
    }
    return text;
}

void DrawAxes(const SpeedAxis& axis, std::string* svg) {
    for (const double speed : axis.ticks()) {
        const double y = axis.Y(speed);
        Append(svg, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n",
               kLeft, y, kFrameRight, y);
        Append(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", kLeft - 8, y + 4,
               SpeedText(speed).c_str());
    }
    for (const double recall : kRecallTicks) {
        const double x = RecallX(recall);
        Append(svg, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", x,
               kFrameTop, x, kFrameBottom);
        Append(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g</text>\n", x,
               kFrameBottom + 18, recall);
    }
    Append(svg,
           "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
           "stroke=\"#444\"/>\n",
           kLeft, kFrameTop, kFrameRight - kLeft, kFrameBottom - kFrameTop);
    Append(svg, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">recall@10</text>\n",
           (kLeft + kFrameRight) / 2, kFrameBottom + 42);
    const double middle = (kFrameTop + kFrameBottom) / 2;
    Append(svg,
           "<text x=\"18\" y=\"%.1f\" text-anchor=\"middle\" transform=\"rotate(-90 18 %.1f)\">"
           "queries per CPU second</text>\n",
           middle, middle);
}

// Of the size of a fingertip on a ruler's millimetre: 4 around (x, y).
std::string Marker(size_t line, double x, double y) {
    const char* colour = kColours[line % std::size(kColours)];
    std::string svg;
    switch (line % kMarkers) {
        case 0:
            Append(&svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.6\" fill=\"%s\">", x, y, colour);
            break;
        case 1:
            Append(&svg, "<rect x=\"%.1f\" y=\"%.1f\" width=\"6.4\" height=\"6.4\" fill=\"%s\">",
                   x - 3.2, y - 3.2, colour);
            break;
        case 2:
            Append(&svg, "<path d=\"M%.1f %.1fl4.4 7.6h-8.8z\" fill=\"%s\">", x, y - 4.6, colour);
            break;
        default:
            Append(&svg, "<path d=\"M%.1f %.1fl4.6 4.6l-4.6 4.6l-4.6 -4.6z\" fill=\"%s\">", x,
                   y - 4.6, colour);
            break;
    }
    return svg;
}

const char* MarkerEnd(size_t line) {
    const char* ends[kMarkers] = {"</circle>\n", "</rect>\n", "</path>\n", "</path>\n"};
    return ends[line % kMarkers];
}

void DrawLine(const CurveLine& line, size_t index, const SpeedAxis& axis, std::string* svg) {
    const char* colour = kColours[index % std::size(kColours)];
    std::string path;
    std::string markers;
    size_t drawn = 0;
    for (const Point* point : line.front) {
        if (point->recall < kRecallMin) {
            continue;
        }
        const double x = RecallX(point->recall);
        const double y = axis.Y(point->CpuQps());
        Append(&path, "%s%.1f %.1f", drawn == 0 ? "M" : "L", x, y);
        markers += Marker(index, x, y);
        Append(&markers, "<title>%s, %s: recall %.4f, %.0f queries per CPU second</title>",
               Escape(line.label).c_str(), Escape(point->effort).c_str(), point->recall,
               point->CpuQps());
        markers += MarkerEnd(index);
        drawn++;
    }
    if (drawn == 1) {
        // What has one point answers any demand for recall up to it at that speed.
        Append(&path, "H%.1f", kLeft);
    }
    if (drawn > 0) {
        *svg += "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + colour + "\" stroke-width=\"" +
                (line.strong ? "2.8" : "1.7") + "\"" +
                (drawn == 1 ? " stroke-dasharray=\"5 4\"" : "") + "/>\n";
    }
    *svg += markers;
}

void DrawLegend(const std::vector<CurveLine>& lines, std::string* svg) {
    const double x = kFrameRight + 18;
    for (size_t i = 0; i < lines.size(); i++) {
        const double y = kFrameTop + 12 + static_cast<double>(i) * 22;
        Append(svg,
               "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
               "stroke-width=\"%s\"/>\n",
               x, y, x + 26, y, kColours[i % std::size(kColours)], lines[i].strong ? "2.8" : "1.7");
        *svg += Marker(i, x + 13, y) + MarkerEnd(i);
        Append(svg, "<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", x + 34, y + 4,
               lines[i].strong ? " font-weight=\"bold\"" : "", Escape(lines[i].label).c_str());
    }
}

}  // namespace

std::string DrawCurves(const CurvePicture& picture) {
    std::string svg;
    Append(&svg,
           "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
           "font-family=\"sans-serif\" font-size=\"12.5\" fill=\"#222\">\n",
           kWidth, kHeight);
    svg += "<style>.grid{stroke:#ddd;stroke-width:1}</style>\n";
    Append(&svg, "<rect width=\"%.0f\" height=\"%.0f\" fill=\"#fff\"/>\n", kWidth, kHeight);
    Append(&svg, "<text x=\"%.1f\" y=\"26\" font-size=\"17\" font-weight=\"bold\">%s</text>\n",
           kLeft, Escape(picture.title).c_str());
    Append(&svg, "<text x=\"%.1f\" y=\"46\" fill=\"#555\">%s</text>\n", kLeft,
           Escape(picture.subtitle).c_str());
    const SpeedAxis axis(picture.lines);
    DrawAxes(axis, &svg);
    for (size_t i = 0; i < picture.lines.size(); i++) {
        DrawLine(picture.lines[i], i, axis, &svg);
    }
    DrawLegend(picture.lines, &svg);
    svg += "</svg>\n";
    return svg;
}

}  // namespace bench

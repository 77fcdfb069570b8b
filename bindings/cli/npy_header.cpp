#include "npy_header.h"

#include <algorithm>
#include <cstring>

#include "float_codes.h"
#include "format_error.h"

namespace quern::shell {
namespace {

constexpr char kMagic[] = "\x93NUMPY";
constexpr size_t kMagicBytes = 6;
// NumPy itself refuses to read longer headers unless told so.
constexpr size_t kHeaderBytesMax = 10000;
constexpr size_t kHeaderBytesWritten = 128;
constexpr size_t kNpyDimensionsMax = 32;  // NumPy's own limit

// What stands behind 'name': in the dict.
std::string_view DictValue(std::string_view dict, std::string_view name) {
    for (char quote : {'\'', '"'}) {
        const std::string wanted = quote + std::string(name) + quote;
        const size_t at = dict.find(wanted);
        if (at == std::string_view::npos) {
            continue;
        }
        std::string_view rest = dict.substr(at + wanted.size());
        const size_t start = rest.find_first_not_of(" :");
        return start == std::string_view::npos ? std::string_view() : rest.substr(start);
    }
    return {};
}

// 'name', with what follows cut off; of anything else the text up to a comma.
std::string Unquoted(std::string_view value) {
    if (!value.empty() && (value[0] == '\'' || value[0] == '"')) {
        const size_t end = value.find(value[0], 1);
        if (end != std::string_view::npos) {
            return std::string(value.substr(1, end - 1));
        }
    }
    return std::string(value.substr(0, value.find(',')));
}

// "(2, 3)" or "(2,)"; false when a part is not a whole number of 0 or more.
bool ParseShape(std::string_view text, std::vector<uint64_t>* shape) {
    text = text.substr(1, text.size() - 2);
    while (!text.empty()) {
        const size_t comma = std::min(text.find(','), text.size());
        std::string_view part = text.substr(0, comma);
        part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
        part = part.substr(0, part.find_last_not_of(' ') + 1);
        int64_t number = 0;
        if (!ParseInt(part, &number) || number < 0 || shape->size() == kNpyDimensionsMax) {
            return false;
        }
        shape->push_back(static_cast<uint64_t>(number));
        text.remove_prefix(std::min(comma + 1, text.size()));
        if (text.find_first_not_of(' ') == std::string_view::npos) {
            break;
        }
    }
    return true;
}

}  // namespace

void FailNpyHeader(const ByteSource& source, const std::string& what) {
    throw FormatError(source.name() + ": npy header: " + what);
}

NpyHeader ReadNpyHeader(ByteSource* source) {
    unsigned char start[8];
    if (source->Read(start, sizeof(start)) < sizeof(start) ||
        std::memcmp(start, kMagic, kMagicBytes) != 0) {
        throw FormatError(source->name() + ": not an npy file");
    }
    const size_t length_bytes = start[6] == 1 ? 2 : 4;
    unsigned char length[4] = {0, 0, 0, 0};
    if (start[6] < 1 || start[6] > 3 || source->Read(length, length_bytes) < length_bytes) {
        FailNpyHeader(*source, "unknown version " + std::to_string(start[6]));
    }
    const uint64_t header_bytes =
        static_cast<uint64_t>(length[0]) | static_cast<uint64_t>(length[1]) << 8 |
        static_cast<uint64_t>(length[2]) << 16 | static_cast<uint64_t>(length[3]) << 24;
    if (header_bytes > kHeaderBytesMax) {
        FailNpyHeader(*source, std::to_string(header_bytes) + " bytes long");
    }
    std::string dict(header_bytes, '\0');
    if (source->Read(dict.data(), dict.size()) < dict.size()) {
        FailNpyHeader(*source, "the file ends inside");
    }
    NpyHeader header;
    header.descr = Unquoted(DictValue(dict, "descr"));
    header.c_order = DictValue(dict, "fortran_order").substr(0, 5) == "False";
    const std::string_view shape = DictValue(dict, "shape");
    const size_t close = shape.find(')');
    if (shape.empty() || shape[0] != '(' || close == std::string_view::npos) {
        FailNpyHeader(*source, "no shape");
    }
    header.shape_text = std::string(shape.substr(0, close + 1));
    if (!ParseShape(header.shape_text, &header.shape)) {
        FailNpyHeader(*source, "shape " + header.shape_text.substr(0, 60) +
                                   " is not of whole numbers, 32 at most");
    }
    return header;
}

std::string NpyHeaderBytes(const std::string& descr, uint64_t rows, size_t dim) {
    const size_t dict_bytes = kHeaderBytesWritten - 10;
    std::string header(kMagic, kMagicBytes);
    header += '\x01';
    header += '\0';
    header += static_cast<char>(dict_bytes & 0xff);
    header += static_cast<char>(dict_bytes >> 8);
    header.append("{'descr': '").append(descr).append("', 'fortran_order': False, 'shape': (");
    header.append(std::to_string(rows)).append(",");
    header.append(dim == 0 ? std::string() : " " + std::to_string(dim)).append("), }");
    header.resize(kHeaderBytesWritten - 1, ' ');
    header += '\n';
    return header;
}

}  // namespace quern::shell

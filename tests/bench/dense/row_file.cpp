#include "tests/bench/dense/row_file.h"

#include <fstream>
#include <stdexcept>

namespace bench {

void WriteRows(const std::string& path, const Matrix& rows) {
    std::ofstream file(path, std::ios::binary);
    const uint64_t shape[] = {rows.rows(), rows.dim};
    file.write(reinterpret_cast<const char*>(shape), sizeof shape);
    file.write(reinterpret_cast<const char*>(rows.values.data()),
               static_cast<std::streamsize>(rows.values.size() * sizeof(float)));
    if (!file.flush()) {
        throw std::runtime_error(path + ": cannot be written");
    }
}

Matrix ReadRows(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    uint64_t shape[2] = {};
    file.read(reinterpret_cast<char*>(shape), sizeof shape);
    Matrix rows;
    rows.dim = shape[1];
    rows.values.resize(shape[0] * shape[1]);
    file.read(reinterpret_cast<char*>(rows.values.data()),
              static_cast<std::streamsize>(rows.values.size() * sizeof(float)));
    if (!file) {
        throw std::runtime_error(path + ": cannot be read");
    }
    return rows;
}

}  // namespace bench

// Turns words into vectors in which words that are spelt alike lie close together.
//
// A word gets a mark at both ends ("<word>") and is cut into all runs of 2, 3 and 4 characters, and
// all pairs with one character left out between them (these survive two swapped letters, the
// commonest slip). Each piece adds 1 or -1 to one of 256 places; a hash of the piece chooses place
// and sign, so no vocabulary is needed and a misspelt word that nobody has ever seen gets a vector
// too. The vector is then scaled to length 1. With random signs, two pieces that fall into one
// place cancel as often as they add up: the inner product of two vectors is, on average, that of
// the counts themselves.
//
// Reads one word a line from files or standard input, writes the text format of word2vec and GloVe:
// the word, then its numbers.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr size_t kDim = 256;
constexpr size_t kRunMin = 2;
constexpr size_t kRunMax = 4;
constexpr char kUsage[] =
    "usage: quern_word_ngrams [FILE]...\n"
    "Reads one word a line (standard input without FILE) and writes \"word number number ...\", "
    "256 numbers each.\n";

using Vector = std::array<float, kDim>;

// FNV-1a, then a mixing step: the low bits choose the place, the high bit the sign.
uint32_t HashPiece(std::string_view piece) {
    uint32_t hash = 2166136261u;
    for (const char byte : piece) {
        hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619u;
    }
    hash ^= hash >> 15;
    hash *= 0x2c1b3c6du;
    return hash ^ (hash >> 12);
}

// Where each character of a UTF-8 text starts, and its end.
std::vector<size_t> CharacterStarts(std::string_view text) {
    std::vector<size_t> starts;
    for (size_t i = 0; i < text.size(); i++) {
        if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
            starts.push_back(i);
        }
    }
    starts.push_back(text.size());
    return starts;
}

void AddPiece(std::string_view piece, Vector* vector) {
    const uint32_t hash = HashPiece(piece);
    (*vector)[hash % kDim] += hash >> 31 != 0 ? -1.0F : 1.0F;
}

Vector VectorOf(std::string_view word) {
    std::string marked = "<";
    for (const char c : word) {
        marked += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    marked += '>';
    const std::vector<size_t> starts = CharacterStarts(marked);
    auto characters = [&](size_t first, size_t count) {
        return std::string_view(marked).substr(starts[first],
                                               starts[first + count] - starts[first]);
    };
    const size_t character_count = starts.size() - 1;
    Vector vector{};
    for (size_t length = kRunMin; length <= kRunMax; length++) {
        for (size_t first = 0; first + length <= character_count; first++) {
            AddPiece(characters(first, length), &vector);
        }
    }
    for (size_t first = 0; first + 3 <= character_count; first++) {
        std::string pair(characters(first, 1));
        pair.append("_").append(characters(first + 2, 1));
        AddPiece(pair, &vector);
    }
    float square = 0;
    for (const float x : vector) {
        square += x * x;
    }
    for (float& x : vector) {
        x = square > 0 ? x / std::sqrt(square) : x;
    }
    return vector;
}

void AppendLine(std::string_view word, std::string* out) {
    out->append(word);
    for (const float x : VectorOf(word)) {
        char number[32];
        const std::to_chars_result end = std::to_chars(number, number + sizeof number, x);
        out->append(" ").append(number, end.ptr);
    }
    out->append("\n");
}

bool WriteWords(std::istream& in) {
    std::string word;
    std::string out;
    while (std::getline(in, word)) {
        if (word.empty() || word.find_first_of(" \t\r") != std::string::npos) {
            continue;
        }
        out.clear();
        AppendLine(word, &out);
        std::cout << out;
    }
    return std::cout.good();
}

}  // namespace

int main(int argc, char** argv) {
    std::ios::sync_with_stdio(false);
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') {
            std::cerr << kUsage;
            return std::string_view(argv[i]) == "--help" ? 0 : 2;
        }
        std::ifstream file(argv[i]);
        if (!file) {
            std::cerr << "quern_word_ngrams: " << argv[i] << ": cannot open\n";
            return 1;
        }
        if (!WriteWords(file)) {
            return 1;
        }
    }
    return argc > 1 || WriteWords(std::cin) ? 0 : 1;
}

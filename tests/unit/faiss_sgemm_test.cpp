// The matrix product that stands in for a BLAS in the shared library, under a name of its own.
#include <catch2/catch.hpp>
#include <limits>
#include <vector>

#define sgemm_ tested_sgemm
#include "engine/dense/blas/faiss_sgemm.cpp"  // NOLINT: it is in no library that tests link
#undef sgemm_

TEST_CASE("the stand-in for sgemm multiplies in all four ways") {
    const int m = 2;
    const int n = 3;
    const int k = 2;
    // A = [1 2; 3 4], B = [1 2 3; 4 5 6], both as they are and transposed, column-major.
    const std::vector<float> a = {1, 3, 2, 4};
    const std::vector<float> a_turned = {1, 2, 3, 4};
    const std::vector<float> b = {1, 4, 2, 5, 3, 6};
    const std::vector<float> b_turned = {1, 2, 3, 4, 5, 6};
    const std::vector<float> product = {9, 19, 12, 26, 15, 33};
    const float one = 1;
    const float none = 0;
    for (const bool turn_a : {false, true}) {
        for (const bool turn_b : {false, true}) {
            std::vector<float> c(6, std::numeric_limits<float>::quiet_NaN());
            const int lda = turn_a ? k : m;
            const int ldb = turn_b ? n : k;
            tested_sgemm(turn_a ? "T" : "N", turn_b ? "T" : "N", &m, &n, &k, &one,
                         turn_a ? a_turned.data() : a.data(), &lda,
                         turn_b ? b_turned.data() : b.data(), &ldb, &none, c.data(), &m);
            REQUIRE(c == product);
            const float half = 0.5f;
            tested_sgemm(turn_a ? "T" : "N", turn_b ? "T" : "N", &m, &n, &k, &half,
                         turn_a ? a_turned.data() : a.data(), &lda,
                         turn_b ? b_turned.data() : b.data(), &ldb, &half, c.data(), &m);
            REQUIRE(c == product);
        }
    }
}

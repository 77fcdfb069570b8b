// The one BLAS function that the parts of FAISS in use name: rand_smooth_vectors, which nobody
// calls, stands beside its random numbers. With this the shared library needs no BLAS, and so
// starts none of the threads that one may start when it is loaded. It is a plain and correct
// product all the same.
//
// Only in the shared library, where it is hidden: in a static one it would stand in the way of the
// program's own BLAS.
#include <cstddef>

// C (m x n) = alpha * op(A) * op(B) + beta * C, all column-major; as in the reference BLAS.
extern "C" int sgemm_(const char* trans_a, const char* trans_b, const int* m, const int* n,
                      const int* k, const float* alpha, const float* a, const int* lda,
                      const float* b, const int* ldb, const float* beta, float* c, const int* ldc) {
    const bool plain_a = *trans_a == 'N' || *trans_a == 'n';
    const bool plain_b = *trans_b == 'N' || *trans_b == 'n';
    const auto at = [](int row, int column, int stride) {
        return static_cast<size_t>(column) * static_cast<size_t>(stride) + static_cast<size_t>(row);
    };
    for (int j = 0; j < *n; j++) {
        for (int i = 0; i < *m; i++) {
            float sum = 0;
            for (int l = 0; l < *k; l++) {
                sum += a[plain_a ? at(i, l, *lda) : at(l, i, *lda)] *
                       b[plain_b ? at(l, j, *ldb) : at(j, l, *ldb)];
            }
            float& out = c[at(i, j, *ldc)];
            // Zero beta means that C may hold anything, NaN included.
            out = *alpha * sum + (*beta == 0.0f ? 0.0f : *beta * out);
        }
    }
    return 0;
}

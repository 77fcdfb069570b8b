// Linear algebra that FAISS's objects name beside k-means (principal components, random rotations)
// and that nothing here calls. As with faiss_sgemm: the shared library then needs no LAPACK. They
// do nothing, and no result of theirs is looked at.
//
// Only in the shared library, where they are hidden.
extern "C" {
void dgemm_() {}
void ssyrk_() {}
void dsyev_() {}
void sgesvd_() {}
void dgesvd_() {}
void sgeqrf_() {}
void sorgqr_() {}
}

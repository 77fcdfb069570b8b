// What ThreadSanitizer must not tell of programs that link this library: FAISS is not instrumented,
// and guards its nodes by locks of OpenMP, which the sanitizer does not see. To be included once in
// a program.
#pragma once

#ifdef __SANITIZE_THREAD__
// The sanitizer, a shared library, has to see it.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
    return "race:^faiss::\n";
}
#endif

#include "tests/bench/dense/child_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace bench {
namespace {

// Forks; the child runs body with the pipe as its standard output and does not return from it.
Json Collect(const std::function<void()>& body) {
    int ends[2];
    if (pipe(ends) != 0) {
        throw std::runtime_error("no pipe");
    }
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0) {
        throw std::runtime_error("no process");
    }
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(127);
    }
    close(ends[1]);
    std::string answer;
    char buffer[4096];
    for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
        answer.append(buffer, static_cast<size_t>(got));
    }
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) {
        std::fprintf(stderr, "  a measuring process failed (status %d)\n", status);
        return nullptr;
    }
    return Json::parse(answer, nullptr, /*allow_exceptions=*/false);
}

}  // namespace

Json RunAnew(const std::vector<std::string>& arguments) {
    return Collect([&] {
        std::vector<char*> pointers;
        std::string self = "bench_dense";
        pointers.push_back(self.data());
        for (const std::string& argument : arguments) {
            pointers.push_back(const_cast<char*>(argument.c_str()));
        }
        pointers.push_back(nullptr);
        execv("/proc/self/exe", pointers.data());
    });
}

Json RunApart(const std::function<Json()>& measure) {
    return Collect([&] {
        try {
            std::printf("%s\n", measure().dump().c_str());
            std::fflush(stdout);
            _exit(0);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "  %s\n", error.what());
            _exit(1);
        }
    });
}

}  // namespace bench

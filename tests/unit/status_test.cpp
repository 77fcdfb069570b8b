// Status and Result: codes, messages, and the two macros that carry errors upwards.
#include "storage/base/status.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "storage/base/work.h"

using quern::Code;
using quern::Result;
using quern::Status;

namespace {

Status FailWhen(bool fail) {
    return fail ? Status::Error(Code::kBusy, "taken by %d", 7) : Status();
}

Result<std::string> NameOf(int number) {
    if (number < 0) {
        return Status::Error(Code::kInvalid, "number %d", number);
    }
    return std::string("number ") + std::to_string(number);
}

Status TryTwice(bool first, bool second, int* reached) {
    QUERN_TRY(FailWhen(first));
    ++*reached;
    QUERN_TRY(FailWhen(second));
    ++*reached;
    return {};
}

Result<size_t> LengthOf(int number) {
    QUERN_ASSIGN(const std::string name, NameOf(number));
    QUERN_ASSIGN(const std::string again, NameOf(number));
    return name.size() + again.size();
}

}  // namespace

TEST_CASE("a status without error is free of everything", "[status]") {
    const Status status;
    CHECK(status.ok());
    CHECK(status.code() == Code::kOk);
    CHECK(status.message().empty());
    CHECK(status.detail() == 0);
    CHECK(status.os_errno() == 0);
    CHECK(Status::Ok().ok());
}

TEST_CASE("an error carries code, message and details", "[status]") {
    Status status = Status::Error(Code::kCorrupt, "chunk %d of '%s'", 3, "emb");
    CHECK_FALSE(status.ok());
    CHECK(status.code() == Code::kCorrupt);
    CHECK(status.message() == "chunk 3 of 'emb'");
    status.WithDetail(11, 5).WithContext("segment 2");
    CHECK(status.detail() == 11);
    CHECK(status.os_errno() == 5);
    CHECK(status.message() == "segment 2: chunk 3 of 'emb'");
}

TEST_CASE("details and context of no error are nothing", "[status]") {
    Status status;
    status.WithDetail(11, 5).WithContext("somewhere");
    CHECK(status.ok());
    CHECK(status.detail() == 0);
    CHECK(status.message().empty());
}

TEST_CASE("a very long message is cut, not lost", "[status]") {
    const std::string long_name(5000, 'x');
    const Status status = Status::Error(Code::kInvalid, "name %s", long_name.c_str());
    CHECK(status.message().size() > 500);
    CHECK(status.message().size() < 5000);
    CHECK(status.message().substr(0, 8) == "name xxx");
}

TEST_CASE("a result is a value or an error", "[status]") {
    const Result<std::string> good = NameOf(4);
    REQUIRE(good.ok());
    CHECK(*good == "number 4");
    CHECK(good->size() == 8);
    CHECK(good.status().ok());
    const Result<std::string> bad = NameOf(-4);
    REQUIRE_FALSE(bad.ok());
    CHECK(bad.status().code() == Code::kInvalid);
    CHECK(bad.status().message() == "number -4");
}

TEST_CASE("QUERN_TRY leaves at the first error, QUERN_ASSIGN unpacks or leaves", "[status]") {
    int reached = 0;
    CHECK(TryTwice(false, false, &reached).ok());
    CHECK(reached == 2);
    reached = 0;
    CHECK(TryTwice(true, false, &reached).code() == Code::kBusy);
    CHECK(reached == 0);
    CHECK(TryTwice(false, true, &reached).message() == "taken by 7");
    CHECK(reached == 1);
    CHECK(*LengthOf(5) == 16);
    CHECK(LengthOf(-1).status().code() == Code::kInvalid);
}

TEST_CASE("what goes well has no detail and no context", "[status]") {
    Status fine;
    CHECK(fine.WithDetail(5, 6).ok());
    CHECK(fine.detail() == 0);
    CHECK(fine.WithContext("here").ok());
    CHECK(fine.message().empty());
    // A context that the message begins with is not said twice, another that begins like it is.
    Status error = Status::Error(Code::kBusy, "here, it is");
    CHECK(error.WithContext("here").message() == "here, it is");
    CHECK(error.WithContext("her").message() == "her: here, it is");
}

TEST_CASE("what tells of progress is called by the thread that works for it alone", "[status]") {
    int calls = 0;
    quern::Work work(nullptr, [&](const char*, uint64_t, uint64_t) {
        calls++;
        return false;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(110));
    std::thread other([&] { CHECK(work.Check("other", 0, 0).ok()); });
    other.join();
    CHECK(calls == 0);
    CHECK(work.Check("own", 0, 0).ok());
    CHECK(work.Check("own", 0, 0).ok());
    CHECK(calls == 1);
}

#include "tests/corruption/damage_trial.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace quern::corruption {

namespace {

constexpr const char* kTrialPath = "/trial/db";
constexpr const char* kTrialOptions = "mode=rw threads=1 maintenance=off";

// What a damaged file may answer.
bool SaysDamaged(int32_t status) {
    return status == QUERN_ERR_CORRUPT || status == QUERN_ERR_TRUNCATED ||
           status == QUERN_ERR_NOT_A_DATABASE || status == QUERN_ERR_NEWER;
}
// A commit reads pages that nothing has read before: those of the file's own bookkeeping.
bool SaysNotWritten(int32_t status) {
    return SaysDamaged(status) || status == QUERN_ERR_OUTCOME_UNKNOWN ||
           status == QUERN_ERR_POISONED;
}

std::string Said(const std::string& question, const Answer& answer) {
    if (answer.status != QUERN_OK) {
        return question + ": " + quern_status_name(answer.status) + " " + answer.message;
    }
    return question + ": " + answer.text.substr(0, 300);
}

}  // namespace

const char* VerdictName(Verdict verdict) {
    static const char* const kNames[] = {"right",      "verify",       "read error",
                                         "open error", "wrong, named", "wrong silent",
                                         "unseen",     "other code"};
    static_assert(std::size(kNames) == static_cast<size_t>(Verdict::kCount));
    return kNames[static_cast<size_t>(verdict)];
}

Expected::Expected(const Sample& sample) {
    states_.push_back(Ask(sample.images, true));
    for (const Images& earlier : sample.earlier) {
        states_.push_back(Ask(earlier, false));
    }
    if (!sample.images.log.empty()) {
        states_.push_back(Ask({sample.images.main, ""}, false));
    }
}

Expected::State Expected::Ask(const Images& images, bool first) {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    PutImages(kTrialPath, images);
    if (quern_open(kTrialPath, kTrialOptions, &db, &err) != QUERN_OK ||
        quern_verify(db, nullptr, &err) != QUERN_OK) {
        std::fprintf(stderr, "corruption: a sound file is not: %s\n", err.message);
        std::exit(2);
    }
    State state;
    if (first) {
        questions_ = QuestionsOf(db);
    }
    state.answers = AskAll(db, questions_);
    state.all = AskForAll(db);
    quern_close(db);
    DropImages(kTrialPath);
    return state;
}

Outcome Expected::Try(const Images& images, bool earlier_too) const {
    quern_error err = QUERN_ERROR_INIT;
    quern_db* db = nullptr;
    PutImages(kTrialPath, images);
    int32_t status = quern_open(kTrialPath, kTrialOptions, &db, &err);
    if (status != QUERN_OK) {
        DropImages(kTrialPath);
        return {SaysDamaged(status) ? Verdict::kOpenError : Verdict::kBadCode,
                std::string(quern_status_name(status)) + " " + err.message};
    }
    std::string error;  // the first of each
    std::string wrong;
    std::string bad_code;
    std::vector<const State*> possible;
    for (const State& state : states_) {
        if (earlier_too || possible.empty()) {
            possible.push_back(&state);
        }
    }
    const auto note = [](std::string* first, const std::string& text) {
        if (first->empty()) {
            *first = text;
        }
    };
    // An answer is right if it is that of a state that has given all answers before it.
    const auto judge = [&](const std::string& question, const Answer& answer,
                           const auto& of_state) {
        std::vector<const State*> left;
        for (const State* state : possible) {
            if (of_state(*state) == answer) {
                left.push_back(state);
            }
        }
        if (!left.empty()) {
            possible = left;
        } else if (SaysDamaged(answer.status)) {
            note(&error, Said(question, answer));
        } else {
            note(answer.status == QUERN_OK ? &wrong : &bad_code, Said(question, answer));
        }
        if (answer.degraded) {
            note(&error, question + ": degraded");
        }
    };
    for (size_t i = 0; i < questions_.size(); i++) {
        judge(questions_[i].name, questions_[i].ask(db),
              [&](const State& state) -> const Answer& { return state.answers[i]; });
    }
    status = quern_verify(db, nullptr, &err);
    const bool sound = status == QUERN_OK;
    if (!sound && !SaysDamaged(status)) {
        note(&bad_code, std::string("verify: ") + quern_status_name(status) + " " + err.message);
    }
    const Answer written = TryToWrite(db);
    if (written.status == QUERN_OK && !written.text.empty()) {
        note(&wrong, written.text);
    } else if (written.status != QUERN_OK) {
        note(SaysNotWritten(written.status) ? &error : &bad_code, Said("write", written));
    }
    judge("scan after a write", AskForAll(db),
          [](const State& state) -> const Answer& { return state.all; });
    quern_close(db);
    DropImages(kTrialPath);
    if (!bad_code.empty()) {
        return {Verdict::kBadCode, bad_code};
    }
    if (!wrong.empty()) {
        return {sound ? Verdict::kSilent : Verdict::kWrongNamed, wrong};
    }
    if (!error.empty()) {
        return {sound ? Verdict::kMissed : Verdict::kReadError, error};
    }
    return {sound ? Verdict::kRight : Verdict::kVerified, sound ? "" : err.message};
}

}  // namespace quern::corruption

// One damaged file: opened, asked everything, verified, written to, closed.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/corruption/file_images.h"
#include "tests/corruption/file_questions.h"
#include "tests/corruption/sample_files.h"

namespace quern::corruption {

// From harmless to what must not be.
enum class Verdict {
    kRight,       // all answers are right, and verify has nothing to say
    kVerified,    // all answers are right, verify names the damage
    kReadError,   // some answers are errors, the others right; verify names the damage
    kOpenError,   // the file does not open
    kWrongNamed,  // a wrong answer, of a file that verify says is damaged
    kSilent,      // a wrong answer, of a file that verify calls sound
    kMissed,      // an error or a part that was not used, of a file that verify calls sound
    kBadCode,     // an error that does not say that the file is damaged
    kCount
};
const char* VerdictName(Verdict verdict);

struct Outcome {
    Verdict verdict = Verdict::kRight;
    std::string what;  // which question, and what was said
};

// What a sound file answers, in its last state and in those before.
class Expected {
public:
    explicit Expected(const Sample& sample);
    // earlier_too: answers of one of the states before are right as well.
    Outcome Try(const Images& images, bool earlier_too) const;
    size_t questions() const { return questions_.size(); }
    size_t states() const { return states_.size(); }

private:
    struct State {
        std::vector<Answer> answers;
        Answer all;
    };
    State Ask(const Images& images, bool first);
    std::vector<Question> questions_;
    std::vector<State> states_;  // the last state first
};

}  // namespace quern::corruption

// What a file is asked, and what it may answer.
//
// Questions are made from the schema and the records of a sound file: all records, single ones,
// searches of every kind, filters, lists, facets. Searches through an index are asked with so much
// effort that they find what an exact search finds, so that there is one right answer, with the
// index and without.
#pragma once

#include <quern.h>

#include <functional>
#include <string>
#include <vector>

namespace quern::corruption {

struct Answer {
    int32_t status = 0;
    std::string text;       // what was found, bit by bit
    std::string message;    // of an error
    bool degraded = false;  // QUERN_FLAG_DEGRADED; not a part of the answer
    bool operator==(const Answer& other) const {
        return status == other.status && text == other.text;
    }
};

struct Question {
    std::string name;
    std::function<Answer(quern_db*)> ask;
};

std::vector<Question> QuestionsOf(quern_db* db);
// The answers to all of them.
std::vector<Answer> AskAll(quern_db* db, const std::vector<Question>& questions);
// One record that is not there is inserted, read, and deleted again. OK, an error's status, or a
// text that says what was wrong.
Answer TryToWrite(quern_db* db);
// Everything in collections, in the order of keys.
Answer AskForAll(quern_db* db);

}  // namespace quern::corruption

// ImportUndo: takes back what an import made besides records when it fails with --atomic, or before
// its first record.
//
// The file, the collection and added columns are made before records are written. A collection or a
// file that holds records is not removed: another process may have put them there since.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "shell.h"

namespace quern::shell {

class ImportUndo {
public:
    // Called before the database is opened: whether the file is new is seen here.
    ImportUndo(std::string path, std::string collection);

    void NoteCollection() { made_collection_ = true; }
    void NoteColumn(const std::string& name) { made_columns_.push_back(name); }
    // Closes the database, too. What cannot be removed stays, with a note on standard error.
    void Run(std::unique_ptr<Database> database) const;

private:
    bool TakeBack(Database* database) const;

    const std::string path_;
    const std::string collection_;
    const bool made_file_;
    bool made_collection_ = false;
    std::vector<std::string> made_columns_;
};

}  // namespace quern::shell

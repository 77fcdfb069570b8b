// Taking back what an import made.
#include "import_undo.h"

#include <filesystem>

#include "result_cells.h"

namespace quern::shell {

ImportUndo::ImportUndo(std::string path, std::string collection)
    : path_(std::move(path)),
      collection_(std::move(collection)),
      made_file_(!std::filesystem::exists(path_)) {}

// True when the file holds no collection any more.
bool ImportUndo::TakeBack(Database* database) const {
    if (made_collection_) {
        uint64_t records = 0;
        Call(quern_count, database->get(), collection_.c_str(),
             static_cast<quern_snapshot*>(nullptr), &records);
        if (records > 0) {
            return false;
        }
        Call(quern_drop, database->get(), collection_.c_str());
    }
    for (const std::string& column : made_columns_) {
        Call(quern_drop_column, database->get(), collection_.c_str(), column.c_str());
    }
    quern_text* names = nullptr;
    Call(quern_collections, database->get(), &names);
    return TakeText(names) == "[]";
}

void ImportUndo::Run(std::unique_ptr<Database> database) const {
    try {
        database->IgnoreStop();
        const bool empty = TakeBack(database.get());
        database.reset();
        if (made_file_ && empty) {
            for (const char* ending : {"", "-wal", "-shm"}) {
                std::error_code ignored;
                std::filesystem::remove(path_ + ending, ignored);
            }
        }
    } catch (const ShellError& error) {
        std::fprintf(stderr, "note: what the import created stays: %s\n", error.what());
    }
}

}  // namespace quern::shell

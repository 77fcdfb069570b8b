// quern alter: what of a collection's attributes can be changed later.
#include <CLI/CLI.hpp>

#include "shell.h"

namespace quern::shell {
namespace {

struct AlterOptions {
    std::string db, collection, open;
    std::vector<std::string> attrs;
};

struct AttrChange {
    std::string name;
    std::string option;
};

// NAME:OPTION. A name may hold colons.
AttrChange ParseChange(const std::string& text) {
    const size_t colon = text.rfind(':');
    if (colon == std::string::npos || colon == 0) {
        FailUsage("attribute '" + text + "': wanted NAME:index=auto or NAME:index=none");
    }
    return {text.substr(0, colon), text.substr(colon + 1)};
}

void RunAlter(const AlterOptions& options) {
    std::vector<AttrChange> changes;
    for (const std::string& attr : options.attrs) {
        changes.push_back(ParseChange(attr));
    }
    Database database(options.db, "rw", options.open);
    for (const AttrChange& change : changes) {
        Call(quern_set_attr, database.get(), options.collection.c_str(), change.name.c_str(),
             change.option.c_str());
    }
}

}  // namespace

void AddAlterCommand(CLI::App* app) {
    auto options = std::make_shared<AlterOptions>();
    CLI::App* command =
        app->add_subcommand("alter", "Change whether the file keeps attributes for filters");
    AddDatabaseOption(command, &options->db);
    AddCollectionOption(command, &options->collection);
    command
        ->add_option("-a,--attr", options->attrs,
                     "index=auto: optimize keeps its values as filters want them; index=none: what "
                     "is kept of them goes, and filters read it from the records (repeatable)")
        ->type_name("NAME:index=auto|none")
        ->required()
        ->allow_extra_args(false);
    AddOpenOption(command, &options->open);
    command->footer(
        "Each attribute is a transaction of its own. Answers are the same either way; 'quern info' "
        "tells what is kept.\n\n"
        "Example:\n  quern alter books.quern books --attr year:index=auto\n  quern optimize "
        "books.quern books");
    command->callback([options] { RunAlter(*options); });
}

}  // namespace quern::shell

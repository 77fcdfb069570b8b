// quern: the shell. Parses the command line, runs one command, turns what went wrong into a message
// and an exit code.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "format_error.h"
#include "result_cells.h"
#include "shell.h"

namespace quern::shell {
namespace {

int Report(int exit_code, const std::string& message) {
    std::fflush(stdout);
    std::fprintf(stderr, "quern: %s\n", message.c_str());
    return exit_code;
}

// "help" and "help COMMAND" are other words for "--help" and "COMMAND --help".
std::vector<std::string> TakeArguments(int argc, char** argv) {
    std::vector<std::string> arguments(argv + 1, argv + std::max(argc, 1));
    if (!arguments.empty() && arguments[0] == "help") {
        arguments.erase(arguments.begin());
        arguments.resize(std::min<size_t>(arguments.size(), 1));
        arguments.emplace_back("--help");
    }
    return arguments;
}

// The parser itself would only say that a command is wanted.
void CheckCommand(const CLI::App& app, const std::vector<std::string>& arguments) {
    if (arguments.empty() || arguments[0].compare(0, 1, "-") == 0) {
        return;
    }
    std::string names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (command->get_name() == arguments[0]) {
            return;
        }
        names += (names.empty() ? "" : ", ") + command->get_name();
    }
    FailUsage("there is no command '" + arguments[0] + "'; the commands are " + names);
}

int RunShell(int argc, char** argv) {
    CLI::App app{"quern - an embedded vector database: one file, no server", "quern"};
    app.require_subcommand(1);
    app.set_version_flag("-V,--version", [] {
        return std::string("quern ") + quern_version() + "\n" + quern_build_info();
    });
    app.footer(
        "quern COMMAND --help, or quern help COMMAND, tells more, with an example.\n"
        "Exit codes: 0 done, 1 failed or damage found, 2 wrong usage, 130 interrupted.\n"
        "\n"
        "Example:\n"
        "  quern import sift.quern sift base.fvecs --field emb --metric l2\n"
        "  quern search sift.quern sift --field emb --queries query.fvecs -k 10");
    AddCreateCommand(&app);
    AddAlterCommand(&app);
    AddImportCommand(&app);
    AddSearchCommand(&app);
    AddFitCommand(&app);
    AddHubsCommand(&app);
    AddRecordCommands(&app);
    AddListCommands(&app);
    AddExportCommand(&app);
    AddSqlCommand(&app);
    AddInfoCommand(&app);
    AddSparseCommands(&app);
    AddMaintainCommands(&app);
    AddBenchCommand(&app);
    AddCompletionCommand(&app);
    try {
        std::vector<std::string> arguments = TakeArguments(argc, argv);
        CheckCommand(app, arguments);
        std::reverse(arguments.begin(), arguments.end());  // the parser takes the last first
        app.parse(arguments);
        FlushOutput();
    } catch (const CLI::Success& success) {
        app.exit(success);  // help and version
        return kExitOk;
    } catch (const CLI::ParseError& error) {
        app.exit(error);
        return kExitUsage;
    } catch (const ShellError& error) {
        return Report(error.exit_code(), error.what());
    } catch (const ReadStopped& error) {
        return Report(kExitInterrupted, error.what());
    } catch (const FormatError& error) {
        return Report(kExitFailed, error.what());
    } catch (const std::bad_alloc&) {
        return Report(kExitFailed, "out of memory");
    } catch (const std::exception& error) {
        return Report(kExitFailed, error.what());
    }
    return kExitOk;
}

}  // namespace
}  // namespace quern::shell

int main(int argc, char** argv) {
    quern::shell::InstallSignalHandlers();
    return quern::shell::RunShell(argc, argv);
}

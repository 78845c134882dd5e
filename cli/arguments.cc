#include "cli/arguments.h"

#include <algorithm>
#include <optional>

#include "cli/grammar.h"
#include "core/config.h"

namespace millrace::cli {
namespace {

const std::vector<std::string> kServerCommands{"dev", "proxy", "target"};

bool contains(const std::vector<std::string>& words, const std::string& word) {
    return std::ranges::find(words, word) != words.end();
}

std::vector<CLI::App*> commands_of(CLI::App* app) {
    return app->get_subcommands([](CLI::App*) { return true; });
}

std::string full_name(const CLI::App* app) {
    return app->get_parent() == nullptr ? app->get_name() : full_name(app->get_parent()) + " " + app->get_name();
}

std::vector<std::string> flags_of(const CLI::App* app) {
    std::vector<std::string> flags;
    for (const CLI::Option* option : app->get_options()) {
        for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
        for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    }
    return flags;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates, const std::string& before) {
    const std::string nearest = nearest_word(word, candidates);
    return nearest.empty() ? "" : "did you mean: " + before + nearest + "?";
}

// How far the words of a command line lead into the tree of commands.
struct Walk {
    CLI::App* command;
    std::string unknown;  // the word that is no command where one must be, "" if none
};

Walk walk(CLI::App* root, const std::vector<std::string>& args) {
    Walk at{root, ""};
    for (std::size_t i = 0; i < args.size() && args[i] != "--"; ++i) {
        const std::string& word = args[i];
        const auto commands = commands_of(at.command);
        if (commands.empty()) break;
        if (word.starts_with('-')) {
            if (word == "--endpoint" || word == "--output" || word == "-o") ++i;  // its value
            continue;
        }
        const auto found = std::ranges::find(commands, word, [](const CLI::App* app) { return app->get_name(); });
        if (found == commands.end()) {
            at.unknown = word;
            break;
        }
        at.command = *found;
    }
    return at;
}

UsageError unknown_command(const Walk& at) {
    const bool top = at.command->get_parent() == nullptr;
    std::vector<std::string> candidates = top ? kServerCommands : std::vector<std::string>{};
    for (const CLI::App* command : commands_of(at.command)) candidates.push_back(command->get_name());
    const std::string name = full_name(at.command);
    if (std::string hint = did_you_mean(at.unknown, candidates, name + " "); !hint.empty()) {
        return {"unknown command '" + at.unknown + "'", hint};
    }
    return {"unknown command '" + at.unknown + "'", "see all: " + name + " --help"};
}

UsageError parse_failure(const CLI::ParseError& error, const CLI::App* command, const std::vector<std::string>& args) {
    const std::string help = "see: " + full_name(command) + " --help";
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
        const auto flags = flags_of(command);
        for (const std::string& arg : args) {
            const std::string flag = arg.substr(0, arg.find('='));
            if (!flag.starts_with("--") || contains(flags, flag)) continue;
            const std::string hint = did_you_mean(flag, flags, "");
            return {"unknown flag '" + flag + "'", hint.empty() ? help : hint};
        }
    }
    return {error.what(), help};
}

// Of a variable of the shell that is not set, mostly. It would mean all objects, no transform, any job: what is not wanted is left out.
std::optional<UsageError> empty_value(const CLI::App* command) {
    for (const CLI::Option* option : command->get_options()) {
        if (option->get_expected_min() == 0 || option->check_lname("args")) continue;  // flags; and no arguments are arguments
        if (!contains(option->results(), "")) continue;
        const std::string help = "see: " + full_name(command) + " --help";
        return UsageError{option->get_name() + " is empty (a variable of the shell that is not set?); give a value, or leave it out", help};
    }
    return std::nullopt;
}

// A bare --dry-run must not swallow the word behind it.
void settle_dry_run(std::vector<std::string>& args) {
    for (std::string& arg : args) {
        if (arg == "--") return;
        if (arg == "--dry-run") arg = "--dry-run=run";
    }
}

}  // namespace

std::expected<Invocation, UsageError> parse_arguments(std::vector<std::string> args) {
    Grammar grammar;
    if (args.size() == 1 && (args[0] == "--version" || args[0] == "-V")) args[0] = "version";
    if (!args.empty() && args[0] == "help") {
        args.erase(args.begin());
        args.push_back("--help");
    }
    settle_dry_run(args);
    const Walk at = walk(&grammar.app, args);
    const bool wants_help = contains(args, "--help") || contains(args, "-h");
    if (!at.unknown.empty() && !wants_help) return std::unexpected(unknown_command(at));
    try {
        std::vector<std::string> reversed(args.rbegin(), args.rend());  // as CLI11 wants them
        grammar.app.parse(std::move(reversed));
    } catch (const CLI::CallForHelp&) {
        grammar.invocation.verb = Help{grammar.app.help(), kExitDone};
    } catch (const CLI::ParseError& error) {
        return std::unexpected(parse_failure(error, at.command, args));
    }
    if (!wants_help) {
        if (auto empty = empty_value(at.command)) return std::unexpected(std::move(*empty));
    }
    if (std::holds_alternative<std::monostate>(grammar.invocation.verb)) {
        grammar.invocation.verb = Help{grammar.app.help(), kExitUsage};
    }
    if (const auto* init = std::get_if<EtlInit>(&grammar.invocation.verb);
        init != nullptr && init->file.empty() && init->cmd.empty()) {
        return std::unexpected(
            UsageError{"etl init needs a specification", "give -f SPEC.yaml, or --name NAME --cmd 'FILTER'"});
    }
    if (const auto* control = std::get_if<EtlControl>(&grammar.invocation.verb);
        control != nullptr && control->name.empty() && control->file.empty()) {
        return std::unexpected(UsageError{"etl " + control->verb + " needs the name of a transform", "give NAME, or -f SPEC.yaml"});
    }
    return std::move(grammar.invocation);
}

std::vector<CommandWords> command_words() {
    Grammar grammar;
    std::vector<CommandWords> all;
    const auto visit = [&](const auto& self, CLI::App* app, const std::vector<std::string>& path) -> void {
        CommandWords words{path, app->get_description(), {}, flags_of(app)};
        for (const CLI::App* command : commands_of(app)) words.commands.push_back(command->get_name());
        if (path.empty()) words.commands.insert(words.commands.end(), kServerCommands.begin(), kServerCommands.end());
        all.push_back(std::move(words));
        for (CLI::App* command : commands_of(app)) {
            std::vector<std::string> below = path;
            below.push_back(command->get_name());
            self(self, command, below);
        }
    };
    visit(visit, &grammar.app, {});
    return all;
}

}  // namespace millrace::cli

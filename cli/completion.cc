#include "cli/completion.h"

namespace millrace::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

// "job submit" → what may follow. A one-word command that takes no second one matches whatever the second word is.
// Assigned to `variable`.
std::string shell_cases(const std::vector<CommandWords>& commands, const std::string& variable) {
    std::string cases;
    for (const CommandWords& command : commands) {
        const std::string pattern = command.path.empty() ? "\"\"" : command.path.size() == 1 && command.commands.empty()
                                                               ? "\"" + command.path[0] + "\"*"
                                                               : "\"" + joined(command.path) + "\"";
        const std::string words = joined(command.commands) + (command.commands.empty() ? "" : " ") + joined(command.flags);
        cases += "        " + pattern + ") " + variable + "=\"" + words + "\" ;;\n";
    }
    return cases;
}

std::string bash_script(const std::vector<CommandWords>& commands) {
    return "# bash completion for millrace: source <(millrace completion bash)\n"
           "_millrace() {\n"
           "    local current=\"${COMP_WORDS[COMP_CWORD]}\" path=\"\" words=\"\" i\n"
           "    for ((i = 1; i < COMP_CWORD && i <= 2; i++)); do\n"
           "        [[ ${COMP_WORDS[i]} == -* ]] && break\n"
           "        path=\"${path:+$path }${COMP_WORDS[i]}\"\n"
           "    done\n"
           "    case \"$path\" in\n" +
           shell_cases(commands, "words") +
           "    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "}\n"
           "complete -o default -F _millrace millrace\n";
}

std::string zsh_script(const std::vector<CommandWords>& commands) {
    return "#compdef millrace\n"
           "# zsh completion for millrace: put this as _millrace into a folder of $fpath\n"
           "_millrace() {\n"
           "    local path_words=\"\" choices=\"\" i\n"
           "    for ((i = 2; i < CURRENT && i <= 3; i++)); do\n"
           "        [[ ${words[i]} == -* ]] && break\n"
           "        path_words=\"${path_words:+$path_words }${words[i]}\"\n"
           "    done\n"
           "    case \"$path_words\" in\n" +
           shell_cases(commands, "choices") +
           "    esac\n"
           "    compadd -- ${=choices}\n"
           "    [[ ${words[CURRENT]} == -* ]] || _files\n"
           "}\n"
           "if [[ $funcstack[1] == _millrace ]]; then _millrace; else compdef _millrace millrace; fi\n";
}

std::string fish_quoted(const std::string& text) {
    std::string quoted = "'";
    for (const char c : text.substr(0, text.find('\n'))) {
        if (c == '\'' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + "'";
}

std::string fish_script(const std::vector<CommandWords>& commands) {
    std::string script = "# fish completion for millrace: put this into ~/.config/fish/completions/millrace.fish\n";
    const auto condition = [](const CommandWords& command) -> std::string {
        if (command.path.empty()) return "__fish_use_subcommand";
        if (command.path.size() == 2) {
            return "__fish_seen_subcommand_from " + command.path[0] + "; and __fish_seen_subcommand_from " +
                   command.path[1];
        }
        const std::string seen = "__fish_seen_subcommand_from " + command.path[0];
        return command.commands.empty() ? seen
                                        : seen + "; and not __fish_seen_subcommand_from " + joined(command.commands);
    };
    for (const CommandWords& command : commands) {
        const std::string line = "complete -c millrace -n " + fish_quoted(condition(command));
        for (const std::string& word : command.commands) {
            std::vector<std::string> path = command.path;
            path.push_back(word);
            std::string description;
            for (const CommandWords& other : commands) {
                if (other.path == path) description = " -d " + fish_quoted(other.description);
            }
            script += line + " -f -a " + word + description + "\n";
        }
        for (const std::string& flag : command.flags) {
            script += line + (flag.starts_with("--") ? " -l " + flag.substr(2) : " -s " + flag.substr(1)) + "\n";
        }
    }
    return script;
}

}  // namespace

std::string completion_script(const std::string& shell, const std::vector<CommandWords>& commands) {
    if (shell == "zsh") return zsh_script(commands);
    if (shell == "fish") return fish_script(commands);
    return bash_script(commands);
}

}  // namespace millrace::cli

// One mapping of a YAML document, read key by key into checked values. Errors name origin, line and the path of the field;
// keys that nobody asked for become warnings, and so do texts that envsubst should have filled in. Pure.
#pragma once
#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace millrace::spec {

class SpecReader {
public:
    // Fails unless the node is a mapping whose keys are texts without duplicates. path is "" for a document. `warnings` is
    // appended to, and outlives the reader and its sections.
    static Result<SpecReader> open(const std::string& origin, const std::string& path, const YAML::Node& node,
                                   std::vector<std::string>& warnings);

    // Each leaves `out` alone when the key is absent.
    Result<void> text(const std::string& key, std::string& out);
    Result<void> boolean(const std::string& key, bool& out);
    Result<void> duration(const std::string& key, milliseconds& out);  // greater than 0
    Result<void> size(const std::string& key, std::uint64_t max, std::uint64_t& out);
    Result<void> count(const std::string& key, std::uint64_t max, std::uint64_t& out);
    // A list of texts, or nullopt when the value is a text.
    Result<std::optional<std::vector<std::string>>> list(const std::string& key);
    // A command: a list of texts, or one text that is taken apart. It may be an empty list.
    Result<void> command(const std::string& key, std::vector<std::string>& out);
    // {a: b, …} or [{name: a, value: b}, …], added to `out`; what is there under the same name is replaced.
    Result<void> variables(const std::string& key, std::map<std::string, std::string>& out);
    // The mapping below a key; nullopt when it is absent or null.
    Result<std::optional<SpecReader>> section(const std::string& key);
    // The mappings in the list below a key; none when it is absent or null.
    Result<std::vector<SpecReader>> sections(const std::string& key);

    bool has(const std::string& key) const { return nodes_.contains(key); }
    bool is(const std::string& key, std::string_view text) const;  // given as exactly this text; "" is also no value
    bool is_mapping(const std::string& key) const;
    void ignore(const std::string& key) { known_.push_back(key); }
    // An error at this key, or at the mapping itself when the key is absent.
    Error error(const std::string& key, const std::string& why) const;
    void warn(const std::string& key, const std::string& why) const;
    // Warns of every key that was never asked for, at most 20.
    void warn_unknown() const;

private:
    const YAML::Node* find(const std::string& key);
    Result<std::string> scalar(const std::string& key, const std::string& expected);
    Result<std::string> scalar_of(const YAML::Node& node, const std::string& key, const std::string& expected) const;
    Result<void> add_variable(const std::string& key, const YAML::Node& item, std::map<std::string, std::string>& out) const;
    // An error about a value that was read, with a hint where it is a placeholder.
    Error wrong(const std::string& key, const std::string& value, const std::string& why) const;
    std::string note(const std::string& key, const std::string& why) const;
    std::string place(const YAML::Node& node, const std::string& key) const;

    std::string origin_;
    std::string path_;
    YAML::Node node_;
    std::map<std::string, YAML::Node> nodes_;
    std::vector<std::string> known_;
    std::vector<std::string>* warnings_ = nullptr;
};

// For messages: in quotes, without control characters, cut to 60 bytes.
std::string quoted_for_message(std::string_view text);
// To append to a message about this text: what to do where it has a ${PLACEHOLDER} in it; otherwise empty.
std::string placeholder_hint(std::string_view text);

}  // namespace millrace::spec

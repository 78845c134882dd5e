// One mapping of a YAML document, read key by key into checked values. Errors name origin, line and the path of the field;
// keys that nobody asked for become warnings.
#pragma once
#include <yaml-cpp/node/node.h>

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
    // Fails unless the node is a mapping whose keys are texts without duplicates. path is "" for a document.
    static Result<SpecReader> open(const std::string& origin, const std::string& path, const YAML::Node& node);

    // Each leaves `out` alone when the key is absent.
    Result<void> text(const std::string& key, std::string& out);
    Result<void> boolean(const std::string& key, bool& out);
    Result<void> duration(const std::string& key, milliseconds& out);  // greater than 0
    Result<void> size(const std::string& key, std::uint64_t max, std::uint64_t& out);
    Result<void> count(const std::string& key, std::uint64_t max, std::uint64_t& out);
    // A list of texts, or nullopt when the value is a text.
    Result<std::optional<std::vector<std::string>>> list(const std::string& key);
    // {a: b, …} or [{name: a, value: b}, …].
    Result<void> variables(const std::string& key, std::map<std::string, std::string>& out);
    // The mapping below a key; nullopt when it is absent or null.
    Result<std::optional<SpecReader>> section(const std::string& key);

    bool has(const std::string& key) const { return nodes_.contains(key); }
    void ignore(const std::string& key) { known_.push_back(key); }
    // An error at this key, or at the mapping itself when the key is absent.
    Error error(const std::string& key, const std::string& why) const;
    // "spec.yaml line 3, 'a.b': why", for a warning.
    std::string note(const std::string& key, const std::string& why) const;
    // One line for every key that was never asked for, at most 20.
    void warn_unknown(std::vector<std::string>& warnings) const;

private:
    const YAML::Node* find(const std::string& key);
    Result<std::string> scalar(const std::string& key, const std::string& expected);
    Result<std::string> scalar_of(const YAML::Node& node, const std::string& key, const std::string& expected) const;
    Result<void> add_variable(const std::string& key, const YAML::Node& item, std::map<std::string, std::string>& out) const;
    std::string place(const YAML::Node& node, const std::string& key) const;

    std::string origin_;
    std::string path_;
    YAML::Node node_;
    std::map<std::string, YAML::Node> nodes_;
    std::vector<std::string> known_;
};

// For messages: in quotes, without control characters, cut to 60 bytes.
std::string quoted_for_message(std::string_view text);

}  // namespace millrace::spec

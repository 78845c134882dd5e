// Structured log lines: a fixed lower-case phrase, then key=value pairs, ids first. No secrets, no payloads.
// error: someone must act. warn: degraded and handled. info: every state transition. debug: per object.
// Any thread.
#pragma once
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/result.h"

namespace millrace::log {

enum class Level { debug, info, warn, error, off };

struct Field {
    std::string_view key;
    std::string value;

    Field(std::string_view k, std::string_view v) : key(k), value(v) {}
    Field(std::string_view k, const char* v) : key(k), value(v) {}
    Field(std::string_view k, const std::string& v) : key(k), value(v) {}
    Field(std::string_view k, bool v) : key(k), value(v ? "true" : "false") {}
    template <std::integral T>
    Field(std::string_view k, T v) : key(k), value(std::to_string(v)) {}
    Field(std::string_view k, double v) : key(k), value(std::to_string(v)) {}
    template <class Tag>
    Field(std::string_view k, const Id<Tag>& v) : key(k), value(v.str()) {}
    Field(std::string_view k, const Error& e) : key(k), value(std::string(code_name(e.code)) + ": " + e.context) {}
};
using Fields = std::initializer_list<Field>;

// Call once at start-up, before threads. node is put on every line; lines go to stderr, or to the file if not empty.
Result<void> start(std::string_view node, Level level, const std::string& file);
Result<Level> parse_level(std::string_view text);
bool enabled(Level level);

void debug(std::string_view phrase, Fields fields = {});
void info(std::string_view phrase, Fields fields = {});
void warn(std::string_view phrase, Fields fields = {});
void error(std::string_view phrase, Fields fields = {});

}  // namespace millrace::log

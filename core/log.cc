#include "core/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <mutex>

#include "core/log_tail.h"

namespace millrace::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::info: return spdlog::level::info;
        case Level::warn: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
        case Level::off: return spdlog::level::off;
    }
    return spdlog::level::info;
}

std::shared_ptr<spdlog::logger>& logger() {
    static std::shared_ptr<spdlog::logger> instance = [] {
        auto quiet = std::make_shared<spdlog::logger>("millrace", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        quiet->set_level(spdlog::level::warn);
        return quiet;
    }();
    return instance;
}

Level from_spdlog(spdlog::level::level_enum level) {
    if (level >= spdlog::level::err) return Level::error;
    if (level == spdlog::level::warn) return Level::warn;
    return level == spdlog::level::info ? Level::info : Level::debug;
}

class TailSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    Tail tail(Level least, std::uint64_t after) {
        const std::lock_guard lock(mutex_);
        const auto index = static_cast<std::size_t>(least);
        Tail found{"", ends_[index]};
        if (after > found.end) after = 0;
        for (const Line& line : lines_) {
            if (line.level >= least && line.begins[index] >= after) found.text += line.text;
        }
        return found;
    }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t formatted;
        formatter_->format(message, formatted);
        Line line{from_spdlog(message.level), fmt::to_string(formatted), ends_};
        bytes_ += line.text.size();
        for (std::size_t level = 0; level <= static_cast<std::size_t>(line.level); ++level) ends_[level] += line.text.size();
        lines_.push_back(std::move(line));
        for (; bytes_ > kTailBytesMax; lines_.pop_front()) bytes_ -= lines_.front().text.size();
    }
    void flush_() override {}

private:
    using Positions = std::array<std::uint64_t, 4>;  // by level: among the lines of it and above
    struct Line {
        Level level;
        std::string text;
        Positions begins;
    };
    std::deque<Line> lines_;
    std::size_t bytes_ = 0;
    Positions ends_{};
};

std::shared_ptr<TailSink>& tail_sink() {
    static auto instance = std::make_shared<TailSink>();
    return instance;
}

// Control characters are escaped, so that a name or an error text cannot forge a second line.
void append_value(std::string& line, std::string_view value) {
    const bool quoted = value.empty() || value.find_first_of(" \"=") != std::string_view::npos;
    if (quoted) line += '"';
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            line += '\\';
            line += c;
        } else if (c == '\n') {
            line += "\\n";
        } else if (byte < 0x20 || byte == 0x7f) {
            line += fmt::format("\\x{:02x}", byte);
        } else {
            line += c;
        }
    }
    if (quoted) line += '"';
}

void write(Level level, std::string_view phrase, Fields fields) {
    if (!enabled(level)) return;
    std::string line(phrase);
    for (const Field& field : fields) {
        line += ' ';
        line += field.key;
        line += '=';
        append_value(line, field.value);
    }
    logger()->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

Result<void> start(std::string_view node, Level level, const std::string& file) {
    try {
        std::shared_ptr<spdlog::sinks::sink> sink;
        if (file.empty()) {
            sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        } else {
            sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file);
        }
        auto fresh = std::make_shared<spdlog::logger>("millrace", spdlog::sinks_init_list{sink, tail_sink()});
        fresh->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-5l " + std::string(node) + " %v", spdlog::pattern_time_type::utc);
        fresh->set_level(to_spdlog(level));
        fresh->flush_on(spdlog::level::info);
        logger() = fresh;
    } catch (const spdlog::spdlog_ex& failure) {
        return fail(Code::io, std::string("cannot open the log file: ") + failure.what());
    }
    return {};
}

Result<Level> parse_level(std::string_view text) {
    if (text == "debug") return Level::debug;
    if (text == "info") return Level::info;
    if (text == "warn") return Level::warn;
    if (text == "error") return Level::error;
    if (text == "off") return Level::off;
    return fail(Code::invalid_argument, "log level '" + std::string(text) + "' is not one of debug, info, warn, error, off");
}

Tail tail(Level least, std::uint64_t after) { return tail_sink()->tail(std::min(least, Level::error), after); }

bool enabled(Level level) { return logger()->should_log(to_spdlog(level)); }
void debug(std::string_view phrase, Fields fields) { write(Level::debug, phrase, fields); }
void info(std::string_view phrase, Fields fields) { write(Level::info, phrase, fields); }
void warn(std::string_view phrase, Fields fields) { write(Level::warn, phrase, fields); }
void error(std::string_view phrase, Fields fields) { write(Level::error, phrase, fields); }

}  // namespace millrace::log

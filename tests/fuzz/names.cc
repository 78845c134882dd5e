// Names of objects, buckets and transforms, URIs, brace templates, extension maps, sizes and durations.
#include "core/check.h"
#include "core/name_template.h"
#include "core/names.h"
#include "core/placement.h"
#include "core/rename.h"
#include "core/units.h"
#include "spec/command_line.h"
#include "spec/quantity.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;

namespace {

// A name that is taken cannot lead out of a folder.
void try_object_name(std::string_view bytes) {
    if (!validate_object_name(bytes)) return;
    MILLRACE_CHECK(is_utf8(bytes) && bytes.size() <= kObjectNameBytesMax && bytes.front() != '/' && bytes.back() != '/');
    MILLRACE_CHECK(bytes.find('\0') == bytes.npos && bytes.find("//") == bytes.npos && bytes.find("/../") == bytes.npos);
}

// "TEMPLATE\nNAME"
void try_template(std::string_view bytes) {
    const std::size_t end = bytes.find('\n');
    const auto name_template = NameTemplate::parse(bytes.substr(0, end));
    if (!name_template || end == bytes.npos) return;
    const std::string_view name = bytes.substr(end + 1);
    if (name_template->matches(name)) MILLRACE_CHECK(name.starts_with(name_template->prefix()));
}

// "FROM\nTO\nNAME"
void try_rename(std::string_view bytes) {
    const std::size_t first = bytes.find('\n');
    if (first == bytes.npos) return;
    const std::size_t second = bytes.find('\n', first + 1);
    if (second == bytes.npos) return;
    const RenameRule rule{{{std::string(bytes.substr(0, first)), std::string(bytes.substr(first + 1, second - first - 1))}}, ""};
    if (!rule.validate()) return;
    const std::string_view name = bytes.substr(second + 1);
    const std::string output = rule.apply(name);
    for (const RivalNames& rival : rule.rivals(name)) {
        MILLRACE_CHECK(rival.name() != name && rule.apply(rival.name()) == output && placement_key(rival.name()) == placement_key(name));
    }
}

void try_units(std::string_view bytes) {
    if (const auto duration = parse_duration(bytes)) {
        const auto again = parse_duration(duration_text(*duration));
        MILLRACE_CHECK(again && *again == *duration);
    }
    if (const auto size = parse_size(bytes)) (void)size_text(*size);
    (void)spec::parse_cpu_quantity(bytes);
    (void)spec::parse_memory_quantity(bytes);
}

void try_command(std::string_view bytes) {
    const auto words = spec::split_command(bytes);
    if (!words || !spec::check_command(*words)) return;
    const auto again = spec::split_command(spec::command_text(*words));
    MILLRACE_CHECK(again && *again == *words);
}

}  // namespace

void fuzz(std::string_view bytes) {
    switch (take_byte(bytes) % 6) {
        case 0: return try_object_name(bytes);
        case 1: return try_template(bytes);
        case 2: return try_rename(bytes);
        case 3: return try_units(bytes);
        case 4: return try_command(bytes);
        default:
            (void)validate_bucket_name(bytes);
            (void)validate_transform_name(bytes);
            if (const auto uri = parse_object_uri(bytes)) MILLRACE_CHECK(validate_bucket_name(uri->bucket));
    }
}

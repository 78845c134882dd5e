#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/document.h"
#include "cli/output.h"
#include "cli/pages.h"
#include "cli/session.h"
#include "cli/uris.h"
#include "cli/verbs.h"
#include "core/units.h"
#include "core/uri.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

void print_entry(std::ostream& out, const json& entry) {
    const std::string size = size_text(count_of(entry, "size"));
    const std::string written = clean_text(text_of(entry, "written_at"));
    // Fixed widths: the pages of a long listing must line up without being held.
    out << std::string(size.size() < 10 ? 10 - size.size() : 0, ' ') << size << "  " << written
        << std::string(written.size() < 24 ? 24 - written.size() : 0, ' ') << "  " << clean_text(text_of(entry, "name"))
        << '\n';
}

}  // namespace

int run(Context& context, const List& verb) {
    const auto uri = parse_object_uri(verb.uri);
    if (!uri) return context.fail("ls", uri.error());
    std::ostream& out = context.console.out;
    JsonArrayPrinter array(out);
    const PagedList list{bucket_path(uri->bucket), "entries", "pagesize", 10'000, "continuation_token", "continuation_token", uri->object};
    const auto read = read_pages(context.session, list, [&](const json& entries, const json&) {
        for (const json& entry : entries) {
            if (context.json) {
                array.add(entry);
            } else {
                print_entry(out, entry);
            }
        }
        return out.good();
    });
    if (!read) return context.fail("ls " + verb.uri, read.error());
    if (context.json) array.end();
    return kExitDone;
}

int run(Context& context, const Remove& verb) {
    if (verb.recursive) {
        if (verb.objects.size() > 1) return context.fail("rm -r", fail(Code::invalid_argument, "give one ais://BUCKET[/PREFIX]: each needs a job"));
        JobSubmit job = verb.job;
        job.source = verb.objects.front();
        return run(context, job);
    }
    json removed = json::array();
    int status = kExitDone;
    for (const std::string& text : verb.objects) {
        const auto uri = object_of(text);
        if (!uri) {
            status = context.fail("rm", uri.error());
            continue;
        }
        Call call;
        call.method = "DELETE";
        call.target = object_path(*uri);
        const auto done = run_blocking(context.session.loop(), context.session.fetch(std::move(call)));
        if (!done) {
            status = context.fail("rm " + text, done.error());
        } else if (context.json) {
            removed.push_back(text);
        } else {
            context.console.out << "removed " << clean_text(text) << '\n';
        }
    }
    if (context.json) print_json(context.console.out, json{{"removed", removed}});
    return status;
}

int run(Context& context, const Head& verb) {
    const auto uri = object_of(verb.object);
    if (!uri) return context.fail("head", uri.error());
    Call call;
    call.method = "HEAD";
    call.target = object_path(*uri);
    const auto reply = run_blocking(context.session.loop(), context.session.fetch(std::move(call)));
    if (!reply) {
        const bool missing = reply.error().code == Code::not_found;  // a HEAD reply cannot say what is
        return context.fail(
            "head", missing ? fail(Code::not_found, "object \"" + verb.object + "\" does not exist") : reply.error());
    }
    const auto header = [&](std::string_view name) { return std::string(reply->headers.find(name).value_or("")); };
    const auto size = parse_size(header("Content-Length"));
    if (context.json) {
        json document{{"object", verb.object}};
        if (size) document["size"] = *size;
        for (const auto& [key, name] : {std::pair{"checksum_type", "Ais-Checksum-Type"},
                                        {"checksum", "Ais-Checksum-Value"},
                                        {"version", "Ais-Version"},
                                        {"last_modified", "Last-Modified"},
                                        {"job", "Millrace-Job"},
                                        {"source", "Millrace-Source"}}) {
            if (const std::string value = header(name); !value.empty()) document[key] = value;
        }
        print_json(context.console.out, document);
        return kExitDone;
    }
    std::string exact_size = size ? std::to_string(*size) + " bytes" : "";
    if (size && *size >= 1024) exact_size += " (" + size_text(*size) + ")";
    print_fields(context.console.out, {{"object", verb.object},
                                       {"size", exact_size},
                                       {"checksum", header("Ais-Checksum-Type") + " " + header("Ais-Checksum-Value")},
                                       {"version", header("Ais-Version")},
                                       {"written", header("Last-Modified")},
                                       {"made by job", header("Millrace-Job")},
                                       {"from", header("Millrace-Source")}});
    return kExitDone;
}

}  // namespace millrace::cli

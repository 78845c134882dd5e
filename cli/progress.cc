#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/context.h"
#include "cli/document.h"
#include "cli/output.h"
#include "core/units.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

struct Counts {
    std::uint64_t total = 0;
    bool total_known = false;
    std::uint64_t done = 0;
    std::uint64_t skipped = 0;
    std::uint64_t failed = 0;
    std::uint64_t quarantined = 0;

    explicit Counts(const json& job) {
        const json& objects = member(job, "objects");
        total = count_of(objects, "total");
        total_known = flag_of(objects, "total_known");
        done = count_of(objects, "done");
        skipped = count_of(objects, "skipped");
        failed = count_of(objects, "failed");
        quarantined = count_of(objects, "quarantined");
    }
    std::uint64_t settled() const { return done + skipped + failed + quarantined; }
    // Rounded down: 100 only when everything is settled. nullopt while the total is not known.
    std::optional<unsigned> percent() const {
        if (!total_known) return std::nullopt;
        if (settled() >= total) return 100;
        return std::min(99u, static_cast<unsigned>(100.0 * static_cast<double>(settled()) / static_cast<double>(total)));
    }
};

std::string seconds_text(double seconds) {
    const double bounded = std::clamp(std::isfinite(seconds) ? seconds : 0.0, 0.0, 1e9);
    return duration_text(milliseconds(static_cast<std::int64_t>(std::llround(bounded)) * 1000));
}

std::string rate_text(double per_second) {
    char text[32];
    const double bounded = std::clamp(std::isfinite(per_second) ? per_second : 0.0, 0.0, 1e12);
    std::snprintf(text, sizeof text, bounded < 10 && bounded > 0 ? "%.1f/s" : "%.0f/s", bounded);
    return text;
}

std::string state_text(const json& job) {
    const std::string dry_run = text_of(job, "dry_run");
    return clean_text(text_of(job, "state", "in an unknown state")) + (dry_run.empty() ? "" : " (dry run)");
}

// ", 1 skipped, 2 failed, 1 quarantined": failed always, the others where there are any.
std::string troubles(const Counts& counts) {
    std::string text;
    if (counts.skipped > 0) text += ", " + std::to_string(counts.skipped) + " skipped";
    text += ", " + std::to_string(counts.failed) + " failed";
    if (counts.quarantined > 0) text += ", " + std::to_string(counts.quarantined) + " quarantined";
    return text;
}

// All after the state: "51% 512/1000 objects, …".
std::string details(const json& job) {
    const Counts counts(job);
    const std::string state = text_of(job, "state");
    if (state == "preparing") return std::to_string(counts.total) + " objects found so far";
    std::string text;
    if (const auto percent = counts.percent()) text += std::to_string(*percent) + "% ";
    text += object_counts(job) + " objects" + troubles(counts);
    if (state == "running") {
        const json& rate = member(job, "rate");
        const double bytes_per_second = std::clamp(number_of(rate, "bytes_per_second"), 0.0, 1e18);
        const json& eta = member(job, "eta_seconds");
        text += ", " + rate_text(number_of(rate, "objects_per_second")) + ", " +
                size_text(static_cast<std::uint64_t>(bytes_per_second)) + "/s";
        text += ", ETA " + (eta.is_number() ? seconds_text(eta.get<double>()) : "not yet known");
        if (const std::string slowest = text_of(job, "slowest_target"); !slowest.empty()) {
            text += ", slowest " + clean_text(slowest);
        }
    }
    if (const std::string reason = text_of(job, "reason"); !reason.empty()) text += " (" + clean_text(reason) + ")";
    return text;
}

// Cut to so many characters, whole ones.
std::string cut(std::string text, std::size_t columns) {
    std::size_t shown = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool starts_character = (static_cast<unsigned char>(text[i]) & 0xc0) != 0x80;
        if (starts_character && shown++ == columns) {
            text.resize(i);
            break;
        }
    }
    return text;
}

}  // namespace

bool is_terminal(const json& job) {
    const std::string state = text_of(job, "state");
    return state == "completed" || state == "completed_with_errors" || state == "failed" || state == "cancelled";
}

int exit_status_of(const json& job) {
    const std::string state = text_of(job, "state");
    if (state == "completed") return kExitDone;
    return state == "completed_with_errors" ? kExitFailedObjects : kExitFailed;
}

std::string object_counts(const json& job) {
    const Counts counts(job);
    return std::to_string(counts.settled()) + (counts.total_known ? "/" + std::to_string(counts.total) : "");
}

std::string progress_line(const json& job) {
    const std::string separator = text_of(job, "state") == "preparing" ? ": " : " ";
    return clean_text(text_of(job, "id", "job")) + " " + state_text(job) + separator + details(job);
}

std::string progress_bar(const json& job, std::size_t columns) {
    const auto percent = Counts(job).percent();
    if (text_of(job, "state") != "running" || !percent) return cut(progress_line(job), columns);
    const std::string id = clean_text(text_of(job, "id", "job"));
    const std::string rest = details(job);
    const std::size_t text_columns = id.size() + rest.size() + 4;  // two blanks, two brackets
    const std::size_t bar_columns = std::clamp<std::size_t>(columns > text_columns ? columns - text_columns : 0, 10, 40);
    const std::size_t filled = bar_columns * *percent / 100;
    return cut(id + " [" + std::string(filled, '#') + std::string(bar_columns - filled, '-') + "] " + rest, columns);
}

std::string outcome_line(const json& job) {
    const Counts counts(job);
    const json& bytes = member(job, "bytes");
    std::string text = clean_text(text_of(job, "id", "job")) + " " + state_text(job) + ": " +
                       (counts.settled() == counts.total || !counts.total_known ? std::to_string(counts.settled())
                                                                                : object_counts(job)) +
                       " objects (" + std::to_string(counts.done) + " done" + troubles(counts) + ") in " +
                       seconds_text(number_of(job, "elapsed_seconds")) + ", " + size_text(count_of(bytes, "in")) +
                       " in, " + size_text(count_of(bytes, "out")) + " out";
    if (const std::string reason = text_of(job, "reason"); !reason.empty()) text += " (" + clean_text(reason) + ")";
    return text;
}

std::string skew_of(const std::map<std::string, std::uint64_t>& objects_of_target) {
    constexpr std::uint64_t kOddsMax = 100;  // objects: so many more are chance
    if (objects_of_target.empty()) return "";
    std::uint64_t total = 0;
    for (const auto& [target, objects] : objects_of_target) total += objects;
    const auto& [target, most] = *std::ranges::max_element(objects_of_target, {}, &std::pair<const std::string, std::uint64_t>::second);
    const std::uint64_t share = total / objects_of_target.size();
    if (most <= share + share / 2 + kOddsMax) return "";
    return clean_text(target) + " has " + std::to_string(most) + " of the " + std::to_string(total) +
           " objects, and works longest: names that differ in their extensions only have one place";
}

std::vector<std::string> remarks(const json& job) {
    std::vector<std::string> lines;
    const json& objects = member(job, "objects");
    if (const std::uint64_t unmapped = count_of(objects, "unmapped"); unmapped > 0) {
        lines.push_back(std::to_string(unmapped) + " of " + std::to_string(count_of(objects, "total")) +
                        " names have none of the old extensions of --ext and stay as they are (see also --ext-any-case)");
    }
    if (const std::uint64_t near_empty = count_of(objects, "near_empty"); near_empty > 0) {
        lines.push_back(std::to_string(near_empty) + (near_empty == 1 ? " result is" : " results are") +
                        " empty, or next to that; look at one. --empty-output fail refuses such, keep takes them");
    }
    const std::uint64_t skipped = count_of(objects, "skipped");
    if (skipped > 0 && text_of(member(job, "spec"), "overwrite") == "changed" && !text_of(job, "transform").empty()) {
        lines.push_back(std::to_string(skipped) + " skipped: their results are of the same specification. Whether its program is the same is not"
                        " known; if it has changed: millrace etl restart " + clean_text(text_of(job, "transform")) + " --new-version");
    }
    std::map<std::string, std::uint64_t> shares;
    for (const json& slice : member(job, "slices")) shares[text_of(slice, "target")] = count_of(member(slice, "objects"), "total");
    if (std::string skewed = skew_of(shares); !skewed.empty()) lines.push_back(std::move(skewed));
    return lines;
}

std::string early_warning(const json& job) {
    constexpr std::uint64_t kFailuresMin = 20;
    const Counts counts(job);
    const std::uint64_t failed = counts.failed + counts.quarantined;
    if (text_of(job, "state") != "running" || counts.done + counts.skipped > 0 || failed < kFailuresMin) return "";
    const std::string id = clean_text(text_of(job, "id"));
    return "all " + std::to_string(failed) + " objects so far have failed; see why: millrace job errors " + id + "; stop it: millrace job cancel " + id;
}

std::string next_step(const json& job) {
    const std::string state = text_of(job, "state");
    const std::string id = clean_text(text_of(job, "id"));
    if (state == "completed_with_errors") return "millrace job retry " + id;
    if (state == "failed" || state == "cancelled") return "millrace job resume " + id;
    return "";
}

}  // namespace millrace::cli

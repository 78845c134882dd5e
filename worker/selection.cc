#include "worker/selection.h"

#include <algorithm>

#include "core/names.h"

namespace millrace::worker {
namespace {
constexpr std::size_t kSurveyPage = 10'000;
constexpr std::size_t kFeedScanPage = 512;
constexpr int kFeedPagesMax = 8;  // then the loop gets its turn, though nothing matched yet
constexpr auto kFeedTimeMax = milliseconds(10);  // likewise
}  // namespace

Selection::Selection(const JobId& job, wire::JobSpec spec, std::uint64_t created_seq_end, std::shared_ptr<BucketReader> source,
                     state::SliceStore& slices)
    : job_(job), spec_(std::move(spec)), rename_(spec_.rename()), created_seq_end_(created_seq_end), prefix_(spec_.prefix),
      source_(std::move(source)), slices_(slices) {}

Result<Selection> Selection::make(const JobId& job, wire::JobSpec spec, std::uint64_t created_seq_end, std::shared_ptr<BucketReader> source,
                                  state::SliceStore& slices) {
    Selection selection(job, std::move(spec), created_seq_end, std::move(source), slices);
    if (!selection.spec_.name_template.empty()) {
        MILLRACE_TRY_ASSIGN(selection.template_, NameTemplate::parse(selection.spec_.name_template));
        selection.prefix_ = selection.template_->prefix();
    }
    return selection;
}

bool Selection::contains(const std::string& name, const store::ObjectInfo& info) const {
    return info.created_seq < created_seq_end_ && (!template_ || template_->matches(name));
}

Task<Result<std::string>> Selection::find_rival(const std::string& name, const RivalNames& names) const {
    if (spec_.ext_any_case && !names.extension.empty()) co_return co_await find_rival_in_any_case(name, names);
    const std::string rival = names.name();
    if (spec_.has_list) co_return std::ranges::binary_search(spec_.objects, rival) ? rival : std::string();
    if (!rival.starts_with(prefix_)) co_return std::string();
    const auto info = co_await source_->stat(rival);
    if (!info && info.error().code != Code::not_found) co_return info.error();
    co_return info && contains(rival, *info) ? rival : std::string();
}

Task<Result<std::string>> Selection::find_rival_in_any_case(const std::string& name, const RivalNames& names) const {
    const auto is_rival = [&](std::string_view other) {
        return other != name && other.starts_with(names.stem) && same_but_for_case(other.substr(names.stem.size()), names.extension);
    };
    if (spec_.has_list) {
        for (auto next = std::ranges::lower_bound(spec_.objects, names.stem); next != spec_.objects.end() && next->starts_with(names.stem); ++next) {
            if (is_rival(*next)) co_return *next;
        }
        co_return std::string();
    }
    for (std::string after;;) {
        MILLRACE_CO_TRY_ASSIGN(const store::ScanPage page, co_await source_->list(names.stem, after, kFeedScanPage));
        for (const store::ListedObject& object : page.objects) {
            if (is_rival(object.name) && object.name.starts_with(prefix_) && contains(object.name, object.info)) co_return object.name;
            after = object.name;
        }
        if (page.at_end) co_return std::string();
    }
}

Task<Result<void>> Selection::check_collision(const std::string& name) const {
    for (const RivalNames& names : rename_.rivals(name)) {
        if (!validate_object_name(names.name())) continue;  // too long, say: no object has it
        MILLRACE_CO_TRY_ASSIGN(const std::string rival, co_await find_rival(name, names));
        if (rival.empty()) continue;
        co_return fail(Code::already_exists, "'" + name + "' and '" + rival + "' would both become '" + rename_.apply(name) +
            "'; change --ext, or select only one of them");
    }
    co_return Result<void>{};
}

void Selection::count_name(Survey& counted, const std::string& name) const {
    ++counted.objects;
    if (!spec_.ext.empty() && !rename_.touches(name)) ++counted.unmapped;
}

Task<Result<Survey>> Selection::survey(std::string after) const {
    // Each name is looked at once more for each extension that may give it a rival.
    const std::size_t names_max = kSurveyPage / (1 + spec_.ext.size()) + 1;
    if (spec_.has_list) co_return co_await survey_list(after, names_max);
    MILLRACE_CO_TRY_ASSIGN(const store::ScanPage page, co_await source_->list(prefix_, after, names_max));
    Survey counted{.after = after, .done = page.at_end};
    for (const store::ListedObject& object : page.objects) {
        counted.after = object.name;
        if (!contains(object.name, object.info)) continue;
        count_name(counted, object.name);
        counted.bytes += object.info.size;
        if (rename_.can_collide()) MILLRACE_CO_TRY(co_await check_collision(object.name));
    }
    co_return counted;
}

Task<Result<Survey>> Selection::survey_list(const std::string& after, std::size_t names_max) const {
    Survey counted{.after = after};
    auto next = std::ranges::upper_bound(spec_.objects, after);
    for (; next != spec_.objects.end() && counted.objects < names_max; ++next) {
        const auto info = co_await source_->stat(*next);
        if (info && info->created_seq < created_seq_end_) counted.bytes += info->size;
        if (!info && info.error().code != Code::not_found) co_return info.error();
        if (rename_.can_collide()) MILLRACE_CO_TRY(co_await check_collision(*next));
        count_name(counted, *next);
        counted.after = *next;
    }
    counted.done = next == spec_.objects.end();
    co_return counted;
}

Task<Result<Selection::Fed>> Selection::feed(FeedRequest request) const {
    if (request.phase == Phase::retry) co_return feed_ledger(request);
    if (spec_.has_list) co_return feed_list(request);
    Fed fed{.scanned_to = request.after};
    const Instant begun = steady_now();
    for (int pages = 0; pages < kFeedPagesMax && fed.objects.empty() && steady_now() - begun < kFeedTimeMax; ++pages) {
        const std::size_t rows = std::min(kFeedScanPage, template_ ? kFeedScanPage : request.names_max);
        MILLRACE_CO_TRY_ASSIGN(store::ScanPage page, co_await source_->list(prefix_, fed.scanned_to, rows));
        for (store::ListedObject& object : page.objects) {
            if (fed.objects.size() == request.names_max) co_return fed;
            if (!request.up_to.empty() && object.name > request.up_to) {
                fed.at_end = true;
                co_return fed;
            }
            fed.scanned_to = object.name;
            if (contains(object.name, object.info)) fed.objects.push_back({std::move(object.name)});
        }
        if (page.at_end) {
            fed.at_end = true;
            co_return fed;
        }
    }
    co_return fed;
}

Result<Selection::Fed> Selection::feed_list(const FeedRequest& request) const {
    Fed fed{.scanned_to = request.after};
    auto next = std::ranges::upper_bound(spec_.objects, request.after);
    for (; next != spec_.objects.end() && fed.objects.size() < request.names_max; ++next) {
        fed.objects.push_back({*next});
        fed.scanned_to = *next;
    }
    fed.at_end = next == spec_.objects.end();
    return fed;
}

Result<Selection::Fed> Selection::feed_ledger(const FeedRequest& request) const {
    MILLRACE_TRY_ASSIGN(const state::SliceStore::LedgerPage page, slices_.ledger(job_, request.after, request.names_max, request.pass_below));
    Fed fed{.scanned_to = page.last, .at_end = page.at_end};
    for (const auto& [name, row] : page.rows) fed.objects.push_back({name, row.quarantined, row.code == static_cast<int>(Code::no_space)});
    return fed;
}

}  // namespace millrace::worker

#include "worker/draft_api.h"

#include <nlohmann/json.hpp>

#include "core/whole_number.h"
#include "worker/action_message.h"
#include "worker/object_headers.h"

namespace millrace::worker {
namespace {

constexpr std::uint32_t kAppendedPiece = 1;
constexpr auto kPublishTimeMax = std::chrono::minutes(10);
constexpr auto kPublishPause = milliseconds(20);

struct Handle {
    store::DraftName draft;
    std::uint64_t length = 0;
};

Result<Handle> parse_handle(const std::string& text, const std::string& bucket, const std::string& name) {
    const std::size_t dot = std::min(text.rfind('.'), text.size());
    const auto length = parse_whole<std::uint64_t>(std::string_view(text).substr(std::min(dot + 1, text.size())));
    if (!length) return fail(Code::invalid_argument, "append_handle '" + text + "' is not one that an append answered with");
    return Handle{{text.substr(0, dot), bucket, name}, *length};
}

Result<void> check_append_type(const std::string& type) {
    if (type == "append" || type == "flush") return {};
    return fail(Code::invalid_argument, "append_type must be append or flush, not '" + type + "'");
}

Result<std::vector<std::uint32_t>> part_numbers(const nlohmann::json& value) {
    const Error wrong = fail(Code::invalid_argument, R"(the value of mpt-complete must be a list such as [{"part-number": 1}])");
    if (!value.is_array()) return wrong;
    std::vector<std::uint32_t> numbers;
    for (const auto& part : value) {
        const nlohmann::json number = member(part, "part-number");
        if (!number.is_number_unsigned() || number.get<std::uint64_t>() > store::kPieceNumberMax) return wrong;
        numbers.push_back(number.get<std::uint32_t>());
    }
    return numbers;
}

}  // namespace

Result<store::PieceOptions> DraftApi::options_of(const http::Request& request) const {
    store::PieceOptions options;
    options.size = request.size();
    options.sync = sync_puts_;
    MILLRACE_TRY_ASSIGN(options.expected_checksum, expected_checksum(request.headers));
    return options;
}

// --- Append ---

Task<Result<void>> DraftApi::append(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const std::string type = request.query.get("append_type");
    const std::string text = request.query.get("append_handle");
    MILLRACE_CO_TRY(check_append_type(type));
    Handle handle;
    if (!text.empty()) {
        MILLRACE_CO_TRY_ASSIGN(handle, parse_handle(text, bucket, name));
        if (type == "flush") co_await wait_for_publishing(handle.draft);
        // Also when nothing is added: what the handle does not stand for goes.
        const Result<std::uint64_t> length = co_await extend(request, handle.draft, handle.length);
        const bool may_be_published = !length && type == "flush" && length.error().code == Code::not_found;
        if (!length && !may_be_published) co_return length.error();
        handle.length = length.value_or(0);
    } else if (type == "append" || request.size() != 0) {
        MILLRACE_CO_TRY_ASSIGN(handle.draft, drafts_.begin(bucket, name));
        const Result<std::uint64_t> length = co_await begin_with_content(request, handle.draft);
        if (!length) (void)drafts_.discard(handle.draft);  // nobody learns its handle
        MILLRACE_CO_TRY_ASSIGN(handle.length, length);
    } else {
        co_return fail(Code::invalid_argument, "there is nothing to flush: give the append_handle of the last append");
    }
    if (type == "flush") {
        const std::vector<std::uint32_t> numbers{kAppendedPiece};
        co_return co_await publish(response, handle.draft, numbers);
    }
    http::Headers headers{{"Ais-Append-Handle", handle.draft.id + "." + std::to_string(handle.length)}};
    co_return co_await response.send(200, std::move(headers), "");
}

Task<Result<std::uint64_t>> DraftApi::extend(http::Request& request, const store::DraftName& draft, std::uint64_t length) {
    MILLRACE_CO_TRY_ASSIGN(store::PieceOptions options, options_of(request));
    options.extend_at = length;
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::PieceWriter> writer, drafts_.write_piece(draft, kAppendedPiece, options));
    MILLRACE_CO_TRY(co_await pump(request, *writer));
    co_return writer->commit();
}

// Appending to an object that exists begins with what it has.
Task<Result<std::uint64_t>> DraftApi::begin_with_content(http::Request& request, const store::DraftName& draft) {
    std::uint64_t length = 0;
    const auto reader = store_.open(draft.bucket, draft.object);
    if (reader) {
        store::PieceOptions options;
        options.size = (*reader)->info().size;
        options.expected_checksum = (*reader)->info().checksum;
        MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::PieceWriter> writer, drafts_.write_piece(draft, kAppendedPiece, options));
        MILLRACE_CO_TRY(co_await pump(**reader, *writer));
        MILLRACE_CO_TRY_ASSIGN(length, writer->commit());
    } else if (reader.error().code != Code::not_found) {
        co_return reader.error();
    }
    co_return co_await extend(request, draft, length);
}

// --- Multipart upload ---

Task<Result<void>> DraftApi::command(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, co_await read_action(request));
    if (message.action == "mpt-upload") {
        MILLRACE_CO_TRY_ASSIGN(const store::DraftName draft, drafts_.begin(bucket, name));
        http::Headers headers{{"Content-Type", "text/plain"}};
        co_return co_await response.send(200, std::move(headers), draft.id);
    }
    if (message.action != "mpt-complete") {
        co_return fail(Code::invalid_argument, "action '" + message.action + "' is not known on objects; known: mpt-upload, mpt-complete");
    }
    MILLRACE_CO_TRY_ASSIGN(const std::vector<std::uint32_t> numbers, part_numbers(message.value));
    const store::DraftName draft{request.query.get("uploadId"), bucket, name};
    co_await wait_for_publishing(draft);
    co_return co_await publish(response, draft, numbers);
}

Task<Result<void>> DraftApi::put_part(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const std::string text = request.query.get("partNumber");
    const auto number = parse_whole<std::uint32_t>(text);
    if (!number) co_return fail(Code::invalid_argument, "partNumber must be a number, not '" + text + "'");
    MILLRACE_CO_TRY_ASSIGN(store::PieceOptions options, options_of(request));
    const store::DraftName draft{request.query.get("uploadId"), bucket, name};
    const bool is_appended = request.query.find("append_type").has_value();
    if (is_appended) {
        MILLRACE_CO_TRY(check_append_type(request.query.get("append_type")));
        if (const std::string handle = request.query.get("append_handle"); !handle.empty()) {
            MILLRACE_CO_TRY_ASSIGN(const Handle part, parse_handle(handle, bucket, name));
            if (part.draft.id != draft.id) co_return fail(Code::invalid_argument, "append_handle '" + handle + "' is not of the upload " + draft.id);
            options.extend_at = part.length;
        } else if (request.query.get("append_type") == "flush" && request.size() == 0) {
            co_return fail(Code::invalid_argument, "there is nothing to flush: give the append_handle of the last append");
        }
    }
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::PieceWriter> writer, drafts_.write_piece(draft, *number, options));
    MILLRACE_CO_TRY(co_await pump(request, *writer));
    MILLRACE_CO_TRY_ASSIGN(const std::uint64_t length, writer->commit());
    http::Headers headers;
    if (is_appended) headers.set("Ais-Append-Handle", draft.id + "." + std::to_string(length));
    co_return co_await response.send(200, std::move(headers), "");
}

Task<Result<void>> DraftApi::abort(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY(drafts_.discard({request.query.get("uploadId"), bucket, name}));
    co_return co_await response.send(200, {}, "");
}

Task<void> DraftApi::wait_for_publishing(const store::DraftName& draft) const {
    const Instant deadline = steady_now() + kPublishTimeMax;
    while (drafts_.is_publishing(draft) && steady_now() < deadline) co_await sleep_for(kPublishPause);
}

Task<Result<void>> DraftApi::publish(http::Response& response, const store::DraftName& draft, const std::vector<std::uint32_t>& numbers) {
    store::WriteOptions options;
    options.sync = sync_puts_;
    MILLRACE_CO_TRY_ASSIGN(const store::ObjectInfo info, co_await drafts_.publish(draft, numbers, std::move(options)));
    http::Headers headers = object_headers(info, self_);
    co_return co_await response.send(200, std::move(headers), "");
}

}  // namespace millrace::worker
